/** The next hops of a case: where octets leave the gateway. They keep what was sent and answer as the case says. */
import type { Peer } from '../../model/settings.ts'
import type {
  Mm7Transport,
  OutgoingEnvelope,
  SmtpReplyLine,
  SmtpTransport,
} from '../../outbound/transports.ts'
import { parseContentType } from '../../wire/mime/parameters.ts'
import { partRanges, scanEntity } from '../../wire/mime/scan.ts'
import type { XmlElement } from '../../wire/mm7/message.ts'
import { element, schemaNamespace, writeMm7 } from '../../wire/mm7/write.ts'
import { child, childText, parseXml } from '../../wire/mm7/xml.ts'
import type { CaseSettings } from './case-folder.ts'
import { httpField, httpStatus, parseHttp, writeHttp } from './http-octets.ts'

export type Item =
  /** Without octets: the attempt ended before DATA. */
  | {
      readonly kind: 'smtp'
      readonly via: string
      readonly envelope: OutgoingEnvelope
      readonly octets?: Buffer
    }
  | { readonly kind: 'http'; readonly octets: Buffer }

export interface PeerAnswers {
  /** Replies of the next hop to the n-th item (1-based): command (verb, RCPT with its path) and reply line. */
  smtp(n: number): readonly { readonly command: string; readonly reply: string }[]
  /** The whole HTTP response to the n-th item; undefined: the operation's own response with 1000. */
  http(n: number): Buffer | undefined
}

export interface FakePeers {
  readonly items: readonly Item[]
  readonly smtp: SmtpTransport
  readonly mm7: Mm7Transport
}

export function createFakePeers(settings: CaseSettings, answers: PeerAnswers): FakePeers {
  const items: Item[] = []
  const peerOfHost = (host: string): [string, Peer] | undefined =>
    Object.entries(settings.peers).find(([, p]) => p.host === host && p.interface !== 'mm7')

  const smtp: SmtpTransport = {
    async open(hop) {
      const [name, peer] = peerOfHost(hop.host) ?? []
      const keywords = (name === undefined ? undefined : settings.nextHop[name]) ?? []
      return {
        extensions: new Map(
          keywords.map((line): [string, string] => {
            const [keyword = '', ...rest] = line.split(/[\s=]+/)
            return [keyword.toUpperCase(), rest.join(' ')]
          }),
        ),
        remoteMta: hop.host,
        async send(envelope, octets) {
          const replies = answers.smtp(items.length + 1)
          const said = (command: string, usual: string): SmtpReplyLine =>
            lineOf(replies.find((r) => r.command.toUpperCase() === command.toUpperCase())?.reply ?? usual)
          const mail = said('MAIL', '250 2.1.0 OK')
          const recipients = envelope.rcptTo.map(({ path }) => {
            const line = mail.code === 250 ? said(`RCPT <${path}>`, '250 2.1.5 OK') : mail
            return { path, accepted: line.code === 250 || line.code === 251, ...line }
          })
          const via = name === undefined ? 'mx' : `${peer?.interface ?? 'smtp'}:${name}`
          const data = said('DATA', '354 go ahead')
          const taken = recipients.some((r) => r.accepted)
          const whole = Buffer.concat(octets.map((o) => Buffer.from(o)))
          items.push({
            kind: 'smtp',
            via,
            envelope,
            ...(taken && data.code === 354 ? { octets: whole } : {}),
          })
          if (!taken) return { recipients }
          return { recipients, final: data.code === 354 ? said('.', '250 2.0.0 OK') : data }
        },
        quit() {},
      }
    },
    close: async () => {},
  }

  const mm7: Mm7Transport = {
    async post(peer, content) {
      const n = items.length + 1
      const url = new URL(peer.url ?? 'http://unknown.invalid/')
      const body = Buffer.concat(content.body)
      items.push({
        kind: 'http',
        octets: writeHttp(
          `POST ${url.pathname}${url.search} HTTP/1.1`,
          { Host: url.host, 'Content-Type': content.contentType, SOAPAction: '""' },
          body,
        ),
      })
      const given = answers.http(n)
      if (!given) return { httpStatus: 200, ...success(n, content.contentType, body, peer) }
      const response = parseHttp(given)
      const pause = Number(httpField(response, 'Retry-After'))
      return {
        httpStatus: httpStatus(response),
        contentType: httpField(response, 'Content-Type') ?? '',
        body: response.body,
        ...(Number.isInteger(pause) && pause > 0 ? { retryAfterSeconds: pause } : {}),
      }
    },
    close: async () => {},
  }
  return { items, smtp, mm7 }
}

function lineOf(reply: string): SmtpReplyLine {
  const match = /^(\d{3})(?: (\d\.\d{1,3}\.\d{1,3}))?(?: (.*))?$/.exec(reply)
  return { code: Number(match?.[1] ?? 0), enhanced: match?.[2] ?? '', text: match?.[3] ?? '' }
}

/** The operation's own response with 1000 and, for SubmitReq, MessageID PEER-N. */
export function success(
  n: number,
  contentType: string,
  body: Buffer,
  peer: Peer,
): { contentType: string; body: Buffer } {
  const envelope = parseXml(soapOf(contentType, body))
  const request = child(envelope, 'Body')?.children[0]
  const operation = request?.name ?? ''
  const answer: XmlElement[] = [
    element('MM7Version', (request && childText(request, 'MM7Version')) ?? '6.8.0'),
    element('Status', [element('StatusCode', '1000'), element('StatusText', 'Success')]),
    ...(operation === 'SubmitReq' ? [element('MessageID', `PEER-${n}`)] : []),
  ]
  const written = writeMm7({
    transactionId: childText(child(envelope, 'Header'), 'TransactionID') ?? '',
    namespace: request?.namespace || schemaNamespace(peer.schema ?? 'REL-6-MM7-1-4'),
    body: element(operation.replace(/Req$/, 'Rsp'), answer),
  })
  return { contentType: written.contentType, body: Buffer.concat(written.body) }
}

/** The SOAP part of an MM7 request: the first one that we write. */
export function soapOf(contentType: string, body: Buffer): Buffer {
  const parsed = parseContentType(contentType)
  const boundary = parsed?.params.find((p) => p.name === 'boundary')?.value
  if (boundary === undefined) return body
  const [first] = partRanges(body, 0, body.length, boundary).ranges
  if (!first) return body
  const node = scanEntity(body, first.start, first.end)
  return body.subarray(node.bodyStart, node.bodyEnd)
}
