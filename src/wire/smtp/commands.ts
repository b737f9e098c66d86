/** SMTP command lines (RFC 5321 §4.1): verb, path, parameters. */
import type { EnvelopePath } from '../../model/smtp-envelope.ts'
import { utf8Of } from '../mime/utf8.ts'
import { type Reply, reply } from './replies.ts'

export interface Command {
  /** Upper case. */
  readonly verb: string
  /** The rest of the line without the blank that follows the verb. */
  readonly argument: string
}

export function parseCommand(line: string): Command {
  const match = /^([A-Za-z]{1,20})(?:[ \t]+(.*?))?[ \t]*$/.exec(line)
  return match
    ? { verb: (match[1] ?? '').toUpperCase(), argument: match[2] ?? '' }
    : { verb: '', argument: line }
}

const syntax = (text: string): Reply => reply(501, '5.5.4', text)
const atext = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\x80-\\xff-]"
const dotString = new RegExp(`^${atext}+(?:\\.${atext}+)*$`)
const domainName =
  /^(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff_-]*[A-Za-z0-9\x80-\xff])?)(?:\.[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff_-]*[A-Za-z0-9\x80-\xff])?)*$/
const literal = /^\[[A-Za-z0-9:.]+\]$/

export interface ParsedPath {
  readonly path: EnvelopePath
  /** Whether anything of the path is not ASCII (RFC 6531). */
  readonly utf8: boolean
}

/** `FROM:<path> params` or `TO:<path> params`; a source route is read and dropped (RFC 5321 §4.1.1.3). */
export function parsePath(argument: string, keyword: 'FROM' | 'TO', badPath = 553): ParsedPath | Reply {
  if (argument.slice(0, keyword.length + 1).toUpperCase() !== `${keyword}:`)
    return syntax(`Expected ${keyword}:<address>`)
  // A blank after the colon is against the grammar, and common.
  const rest = argument.slice(keyword.length + 1).trimStart()
  const close = rest.startsWith('<') ? closingBracket(rest) : -1
  if (close < 0) return syntax('The address must stand in angle brackets')
  const inner = rest.slice(1, close).replace(/^@[^:]*:/, '')
  const parsed = parseParameters(rest.slice(close + 1))
  if ('code' in parsed) return parsed
  const { params } = parsed
  if (inner === '') {
    return keyword === 'FROM'
      ? { path: { path: null, params }, utf8: false }
      : reply(badPath, '5.1.3', 'A recipient cannot be null')
  }
  const path = utf8Of(inner)
  if (path === undefined || !validPath(inner)) {
    // Bare postmaster needs no domain (RFC 5321 §4.5.1).
    if (keyword === 'TO' && inner.toLowerCase() === 'postmaster')
      return { path: { path: inner, params }, utf8: false }
    return reply(badPath, keyword === 'TO' ? '5.1.3' : '5.1.7', 'The address is not valid')
  }
  if (inner.length > 254)
    return reply(badPath, keyword === 'TO' ? '5.1.3' : '5.1.7', 'The address is too long')
  return { path: { path, params }, utf8: path !== inner }
}

/** The bracket that closes, not one inside a quoted local part. */
function closingBracket(text: string): number {
  let quoted = false
  for (let i = 1; i < text.length; i++) {
    const c = text.charAt(i)
    if (quoted && c === '\\') i++
    else if (c === '"') quoted = !quoted
    else if (c === '>' && !quoted) return i
  }
  return -1
}

function validPath(path: string): boolean {
  const quoted = /^"((?:[^"\\\r\n\0]|\\[\x20-\x7e])*)"@(.+)$/.exec(path)
  const at = path.lastIndexOf('@')
  const local = quoted ? `"${quoted[1]}"` : path.slice(0, at)
  const domain = quoted ? (quoted[2] ?? '') : path.slice(at + 1)
  if (!quoted && (at <= 0 || !dotString.test(local))) return false
  return local.length <= 66 && domain.length <= 255 && (domainName.test(domain) || literal.test(domain))
}

function parseParameters(text: string): { readonly params: Record<string, string> } | Reply {
  const params: Record<string, string> = {}
  if (text !== '' && !/^[ \t]/.test(text)) return syntax('A blank must stand before parameters')
  for (const item of text.trim().split(/[ \t]+/)) {
    if (item === '') continue
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20=\x7f]+(?:=[^\x00-\x20=\x7f]*)*))?$/.exec(item)
    const keyword = match?.[1]?.toUpperCase()
    if (!match || keyword === undefined) return syntax('A parameter is not of the form KEYWORD=value')
    if (Object.hasOwn(params, keyword)) return syntax(`${keyword} is given twice`)
    const value = utf8Of(match[2] ?? '')
    if (value === undefined) return syntax(`${keyword} is not UTF-8`)
    params[keyword] = value
  }
  return { params }
}
