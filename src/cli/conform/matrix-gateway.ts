/** What the rows of a matrix need of a gateway: mail in, MM7 in, and what left since. */

import { parseContentType } from '../../wire/mime/parameters.ts'
import { decodeBody, partRanges, scanEntity } from '../../wire/mime/scan.ts'
import type { XmlElement } from '../../wire/mm7/message.ts'
import { child, parseXml } from '../../wire/mm7/xml.ts'
import type { Case } from './case-folder.ts'
import type { Entity } from './compare-mail.ts'
import type { EnvelopeJson } from './envelopes.ts'
import { type CaseGateway, openGateway, type SessionOfCase } from './gateway.ts'
import { type HttpOctets, httpField, parseHttp } from './http-octets.ts'
import { createFakePeers, type Item, type PeerAnswers } from './peers.ts'
import { type ReplyLine, SmtpClient, type Stage, sendTransaction } from './smtp-dialogue.ts'

export interface MatrixGateway {
  readonly gateway: CaseGateway
  /** Sends a mail and delivers all that is due; the reply, and what left. */
  mail(
    envelope: EnvelopeJson,
    message: Buffer,
  ): Promise<{ stage: Stage; reply: ReplyLine; items: readonly Item[] }>
  /** Delivers what is due; what left. */
  run(): Promise<readonly Item[]>
  dialogue<T>(session: SessionOfCase, talk: (client: SmtpClient) => Promise<T>): Promise<T>
}

export const internet: SessionOfCase = {
  peer: 'internet',
  ehlo: 'client.example.org',
  ip: '198.51.100.7',
  port: 25,
  auth: null,
}

/** A session of a peer that Settings.peers knows. */
export const sessionOf = (one: Case, peer: string): SessionOfCase => ({
  peer,
  ehlo: one.settings.peers[peer]?.host ?? peer,
  ip: one.settings.peers[peer]?.ip ?? '198.51.100.7',
  port: 25,
  auth: null,
})

export async function withGateway(
  one: Case,
  answers: Partial<PeerAnswers>,
  rows: (gateway: MatrixGateway) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const peers = createFakePeers(one.settings, { smtp: () => [], http: () => undefined, ...answers })
  const gateway = await openGateway(one.settings, one.clock, peers)
  const run = async (): Promise<readonly Item[]> => {
    const before = peers.items.length
    await gateway.runDue()
    return peers.items.slice(before)
  }
  async function dialogue<T>(session: SessionOfCase, talk: (client: SmtpClient) => Promise<T>): Promise<T> {
    const door = await gateway.smtpDoor(session)
    const client = await SmtpClient.open({ host: '127.0.0.1', port: door.port }, (octets) => [octets])
    try {
      return await talk(client)
    } finally {
      client.close()
      await door.close()
    }
  }
  try {
    return await rows({
      gateway,
      run,
      dialogue,
      async mail(envelope, message) {
        const before = peers.items.length
        const answer = await dialogue(envelope.session ?? internet, (client) =>
          sendTransaction(client, envelope, message),
        )
        await gateway.runDue()
        return { ...answer, items: peers.items.slice(before) }
      },
    })
  } finally {
    await gateway.close()
  }
}

export const replyText = (reply: ReplyLine, wanted: unknown): string =>
  String(wanted).includes(' ') ? `${reply.code} ${reply.enhanced}` : String(reply.code)

/** The MM7 body element and the content of an item; undefined when it is none. */
export function mm7Of(item: Item | undefined): { body: XmlElement; content?: Entity } | undefined {
  if (item?.kind !== 'http') return undefined
  const message: HttpOctets = parseHttp(item.octets)
  const type = parseContentType(httpField(message, 'Content-Type') ?? '')
  const boundary = type?.params.find((p) => p.name === 'boundary')?.value
  const parts =
    boundary === undefined
      ? []
      : partRanges(message.body, 0, message.body.length, boundary).ranges.map((r) =>
          scanEntity(message.body, r.start, r.end),
        )
  const [root, content] = parts
  const xml = root ? decodeBody(message.body, root) : message.body
  const body = child(parseXml(xml), 'Body')?.children[0]
  if (!body) return undefined
  return { body, ...(content ? { content: { octets: message.body, node: content } } : {}) }
}
