/** What `lemonade translate` is given: a file of one carrier, or a case folder, read into the neutral message. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { readMail } from '../../mapping/carriers/mail.ts'
import { decodeMm1 } from '../../mapping/carriers/mm1.ts'
import { readMm4Forward } from '../../mapping/carriers/mm4.ts'
import { readMm4Head, scanMm4 } from '../../mapping/carriers/mm4-head.ts'
import { readMm7Message } from '../../mapping/carriers/mm7.ts'
import type { MappingContext } from '../../mapping/context.ts'
import { Fault } from '../../model/fault.ts'
import type { NeutralMessage } from '../../model/neutral.ts'
import { isRefusal, type Refusal } from '../../model/refusal.ts'
import type { Settings } from '../../model/settings.ts'
import type { EnvelopePath, SmtpEnvelope } from '../../model/smtp-envelope.ts'
import { parseAddressList } from '../../wire/mime/addresses.ts'
import { allFields, scanMessage } from '../../wire/mime/scan.ts'
import { readMm7 } from '../../wire/mm7/read.ts'
import type { CaseJson } from '../conform/case-folder.ts'
import type { EnvelopeJson, PathJson } from '../conform/envelopes.ts'
import { httpField, parseHttp } from '../conform/http-octets.ts'

export interface Source {
  readonly kind: 'http' | 'mail' | 'mm1'
  readonly octets: Buffer
  readonly envelope?: EnvelopeJson | undefined
  /** Of an MM1 PDU: the sender's number as the network knows it (MAP-058). */
  readonly networkMsisdn?: string | undefined
  /** Key of Settings.peers. */
  readonly peer?: string | undefined
}

export interface Accepted {
  readonly message: NeutralMessage | Refusal
  /** Of mail, as it came: what goes on as mail is passed through. */
  readonly mail?: { readonly envelope: SmtpEnvelope; readonly octets: Buffer } | undefined
}

/** @throws Fault 'not-found', 'unsupported' */
export function findSource(path: string, envelopeFile: string | undefined): Source {
  if (!existsSync(path)) throw new Fault('not-found', `${path} does not exist`)
  if (statSync(path).isDirectory()) return caseSource(path)
  const extension = extname(path).toLowerCase()
  if (extension === '.http') return { kind: 'http', octets: readFileSync(path) }
  if (extension === '.mms') return { kind: 'mm1', octets: readFileSync(path) }
  if (extension === '.hex') return { kind: 'mm1', octets: octetsOfHex(readFileSync(path, 'latin1')) }
  if (extension !== '.eml')
    throw new Fault('unsupported', `${path}: expected .http, .eml, .hex, .mms or a case folder`)
  const beside = path.replace(/\.eml$/i, '.envelope.json')
  const file = envelopeFile ?? (existsSync(beside) ? beside : undefined)
  const envelope = file === undefined ? undefined : readEnvelope(file)
  return { kind: 'mail', octets: readFileSync(path), envelope, peer: envelope?.session?.peer ?? undefined }
}

export const isCase = (path: string): boolean => existsSync(join(path, 'case.json'))

function caseSource(folder: string): Source {
  const json = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as CaseJson
  const http = join(folder, 'input.http')
  if (existsSync(http)) return { kind: 'http', octets: readFileSync(http), peer: json.peer }
  const mail = join(folder, 'input.eml')
  if (existsSync(mail)) return findSource(mail, undefined)
  const pdu = join(folder, 'input.hex')
  if (existsSync(pdu)) return { ...findSource(pdu, undefined), networkMsisdn: json.networkMsisdn }
  throw new Fault('unsupported', `${folder} has no input.http, input.eml or input.hex`)
}

function readEnvelope(file: string): EnvelopeJson {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as EnvelopeJson
  } catch (error) {
    throw new Fault('malformed', `${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Reads the source as its door would. @throws Fault, Mm7Refusal when it is no message at all */
export function accept(source: Source, queueId: string, ctx: MappingContext): Accepted {
  if (source.kind === 'mm1') {
    const { networkMsisdn } = source
    const from = { queueId, receivedAt: Math.floor(ctx.now / 1000), networkMsisdn }
    const read = decodeMm1(source.octets, from, ctx)
    if (!isRefusal(read) && read.kind !== 'message')
      throw new Fault('unsupported', `a ${read.kind} carries no message`)
    return { message: read }
  }
  return source.kind === 'http' ? acceptMm7(source, queueId, ctx) : acceptMail(source, queueId, ctx)
}

/** White space between the digits is ignored. */
const octetsOfHex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex')

function acceptMm7(source: Source, queueId: string, ctx: MappingContext): Accepted {
  const http = parseHttp(source.octets)
  const request = readMm7(httpField(http, 'Content-Type') ?? '', http.body)
  if (!/^(SubmitReq|DeliverReq)$/.test(request.operation))
    throw new Fault('unsupported', `${request.operation} carries no message`)
  const role = request.operation === 'SubmitReq' ? 'vasp' : 'rs'
  const peer = source.peer ?? peerNamed(ctx.settings, (p) => p.interface === 'mm7' && p.role === role)
  const from = { peer: peer ?? '', ip: '', queueId, receivedAt: ctx.now }
  return { message: readMm7Message(request, from, ctx) }
}

const peerNamed = (
  settings: Settings,
  is: (peer: Settings['peers'][string]) => boolean,
): string | undefined => Object.entries(settings.peers).find(([, peer]) => is(peer))?.[0]

function acceptMail(source: Source, queueId: string, ctx: MappingContext): Accepted {
  const { octets } = source
  const scanned = scanMm4(octets)
  const given = source.peer === undefined ? undefined : ctx.settings.peers[source.peer]
  const name = given ? source.peer : peerNamed(ctx.settings, (p) => p.interface === 'mm4')
  const peer = name === undefined ? undefined : ctx.settings.peers[name]
  const head = peer?.interface === 'mm4' ? readMm4Head(scanned, peer) : undefined
  const isMm4 = head?.operation === 'forward' && !head.answer
  const envelope = envelopeOf(source, isMm4 ? name : source.peer, ctx)
  if (isMm4 && name !== undefined)
    return { message: readMm4Forward(octets, envelope, { peer: name, queueId }, ctx) }
  return { message: readMail(octets, envelope, { queueId }, ctx), mail: { envelope, octets } }
}

/** As given; else the sender and the recipients that the header shows. */
function envelopeOf(source: Source, peer: string | undefined, ctx: MappingContext): SmtpEnvelope {
  const { envelope } = source
  const session = {
    peer: peer ?? null,
    ehlo: envelope?.session?.ehlo ?? 'localhost',
    ip: envelope?.session?.ip ?? '127.0.0.1',
    port: envelope?.session?.port ?? 25,
    auth: envelope?.session?.auth ?? null,
    tls: false,
    esmtp: true,
  }
  const receivedAt = Math.floor(ctx.now / 1000)
  if (envelope)
    return {
      session,
      receivedAt,
      mailFrom: pathOf(envelope.mailFrom),
      rcptTo: envelope.rcptTo.map((r) => ({ ...pathOf(r), path: pathOf(r).path ?? '' })),
    }
  const node = scanMessage(source.octets)
  const addresses = (name: string): string[] =>
    allFields(source.octets, node, name)
      .flatMap(parseAddressList)
      .flatMap((item) => (item.kind === 'mailbox' ? [`${item.local}@${item.domain}`] : []))
  const to = ['To', 'Cc', 'Bcc'].flatMap(addresses)
  return {
    session,
    receivedAt,
    mailFrom: { path: addresses('From')[0] ?? null, params: {} },
    rcptTo: [...new Set(to)].map((path) => ({ path, params: {} })),
  }
}

const pathOf = ({ path, params }: PathJson): EnvelopePath => ({
  path: path === '<>' ? null : path.replace(/^<|>$/g, ''),
  params: Object.fromEntries(
    params.map((p) => {
      const at = p.indexOf('=')
      return [p.slice(0, at < 0 ? undefined : at).toUpperCase(), at < 0 ? '' : p.slice(at + 1)]
    }),
  ),
})
