/** SMTP command lines (RFC 5321 §4.1) and the ESMTP parameters of MAIL and RCPT (RFC 1870, 2852, 3461, 6152, 6531). */
import type { EnvelopePath } from '../../model/smtp-envelope.ts'
import { isAscii, utf8Of } from '../mime/utf8.ts'
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
export function parsePath(argument: string, keyword: 'FROM' | 'TO'): ParsedPath | Reply {
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
      : reply(553, '5.1.3', 'A recipient cannot be null')
  }
  const path = utf8Of(inner)
  if (path === undefined || !validPath(inner)) {
    // Bare postmaster needs no domain (RFC 5321 §4.5.1).
    if (keyword === 'TO' && inner.toLowerCase() === 'postmaster')
      return { path: { path: inner, params }, utf8: false }
    return reply(553, keyword === 'TO' ? '5.1.3' : '5.1.7', 'The address is not valid')
  }
  if (inner.length > 254) return reply(553, keyword === 'TO' ? '5.1.3' : '5.1.7', 'The address is too long')
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

export interface Offered {
  readonly smtputf8: boolean
  readonly messageOctets: number
  readonly dsn: boolean
}

/** xtext (RFC 3461 §4): +XX in upper case, nothing else below "!" or above "~", no bare "=". */
const isXtext = (value: string): boolean => /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(value)
/** utf-8-addr-xtext, under SMTPUTF8 also utf-8-addr-unitext (RFC 6533 §3). */
const isUtf8Address = (value: string, smtputf8: boolean): boolean =>
  (smtputf8 || isAscii(value)) && /^(?:[!-*,-<>-[\]-~]|[^\x00-\x7f]|\\x\{[0-9A-Fa-f]{2,6}\})+$/u.test(value)
/** What xtext stands for must itself be printable ASCII (RFC 3461 §4.2, §4.4). */
const decodesPrintable = (value: string): boolean =>
  [...value.matchAll(/\+([0-9A-F]{2})/g)].every((m) => {
    const o = Number.parseInt(m[1] ?? '', 16)
    return o >= 32 && o <= 126
  })

/** Refuses what is wrong in MAIL's parameters (QUE-021, QUE-032). undefined: all is well. */
export function mailParameterFault(
  params: Readonly<Record<string, string>>,
  offered: Offered,
): Reply | undefined {
  for (const [keyword, value] of Object.entries(params)) {
    switch (keyword) {
      case 'SIZE':
        if (!/^\d{1,20}$/.test(value)) return syntax('SIZE must be a number')
        if (Number(value) > offered.messageOctets)
          return reply(552, '5.3.4', `A message may have ${offered.messageOctets} octets`)
        break
      case 'BODY':
        if (!/^(7BIT|8BITMIME)$/i.test(value)) return syntax('BODY must be 7BIT or 8BITMIME')
        break
      case 'RET':
        if (!/^(FULL|HDRS)$/i.test(value)) return syntax('RET must be FULL or HDRS')
        break
      case 'ENVID':
        if (value === '' || value.length > 100 || !isXtext(value) || !decodesPrintable(value))
          return syntax('ENVID is not valid xtext')
        break
      case 'BY': {
        const match = /^([+-]?\d{1,9});([RN])(T?)$/i.exec(value)
        if (!match) return syntax('BY must be seconds;R or seconds;N')
        if (match[2]?.toUpperCase() === 'R' && Number(match[1]) <= 0)
          return syntax('BY with R needs a time to come')
        break
      }
      case 'SMTPUTF8':
        if (!offered.smtputf8) return unknownParameter(keyword)
        // RFC 6531 §3.4.
        if (value !== '') return syntax('SMTPUTF8 takes no value')
        break
      default:
        return unknownParameter(keyword)
    }
  }
  return undefined
}

/** `smtputf8`: MAIL said SMTPUTF8. */
export function rcptParameterFault(
  params: Readonly<Record<string, string>>,
  smtputf8 = false,
): Reply | undefined {
  for (const [keyword, value] of Object.entries(params)) {
    if (keyword === 'NOTIFY') {
      const words = value.toUpperCase().split(',')
      const known = words.every((w) => ['NEVER', 'SUCCESS', 'FAILURE', 'DELAY'].includes(w))
      if (!known || (words.includes('NEVER') && words.length > 1))
        return syntax('NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY')
    } else if (keyword === 'ORCPT') {
      const [, type = '', address = ''] = /^([A-Za-z0-9-]+);(.+)$/.exec(value) ?? []
      const isRight =
        type.toLowerCase() === 'utf-8'
          ? isUtf8Address(address, smtputf8)
          : isXtext(address) && decodesPrintable(address)
      if (address === '' || Buffer.byteLength(value) > 500 || !isRight)
        return syntax('ORCPT must be type;xtext')
    } else return unknownParameter(keyword)
  }
  return undefined
}

const unknownParameter = (keyword: string): Reply =>
  reply(555, '5.5.4', `Parameter ${keyword} is not known here`)
