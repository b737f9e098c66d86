/** Matrices about what SMTP answers: MAIL commands, header fields, dispositions added to the case's mail. */
import { decodeText } from '../../wire/mime/charset.ts'
import { decodeBody, scanMessage } from '../../wire/mime/scan.ts'
import type { Case } from './case-folder.ts'
import type { Entity } from './compare-mail.ts'
import type { EnvelopeJson } from './envelopes.ts'
import { check, type Form, type Row } from './matrices.ts'
import { internet, mm7Of, replyText, withGateway } from './matrix-gateway.ts'

export const mailCommandForm: Form = (one, rows) =>
  withGateway(one, {}, ({ dialogue }) =>
    dialogue(internet, async (client) => {
      const out: string[] = []
      await client.command('EHLO client.example.org')
      for (const row of rows) {
        await client.command('RSET')
        const reply = await client.command(String(row.in))
        out.push(...check(row, 'out', row.out, replyText(reply, row.out)))
      }
      return out
    }),
  )

/** Fields put on top of the case's message. */
export const headerForm: Form = (one, rows) =>
  withGateway(one, {}, async ({ mail }) => {
    const out: string[] = []
    for (const row of rows) {
      const { reply } = await mail(envelopeOf(one), withFields(one.octets('input.eml'), row.in))
      out.push(...check(row, 'out', row.out, replyText(reply, row.out)))
    }
    return out
  })

export const envelopeOf = (one: Case): EnvelopeJson => one.parsed<EnvelopeJson>('input.envelope.json')

/** `in` as an object of fields, or as lines. */
export function withFields(message: Buffer, fields: unknown): Buffer {
  const lines =
    typeof fields === 'string'
      ? fields.replace(/\r?\n/g, '\r\n')
      : Object.entries((fields ?? {}) as Record<string, string | null>)
          .flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]))
          .join('\r\n')
  return lines === '' ? message : Buffer.concat([Buffer.from(`${lines}\r\n`, 'utf8'), message])
}

/** Content-Disposition put on the last part of the case's message. */
export const dispositionForm: Form = (one, rows) =>
  withGateway(one, {}, async ({ mail }) => {
    const out: string[] = []
    for (const row of rows) {
      const message = onLastPart(one.octets('input.eml'), row)
      const { reply, items } = await mail(envelopeOf(one), message)
      const wanted = row.out as { text?: string } | string
      if (typeof wanted === 'string') out.push(...check(row, 'out', wanted, replyText(reply, wanted)))
      else if (reply.code !== 250) out.push(...check(row, 'reply', 250, reply.code))
      else out.push(...check(row, 'text', wanted.text, textOf(mm7Of(items[0])?.content)))
    }
    return out
  })

function onLastPart(message: Buffer, row: Row): Buffer {
  const { disposition } = row.in as { disposition: string | null }
  const last = scanMessage(message).parts.at(-1)
  if (!last || disposition === null) return message
  return Buffer.concat([
    message.subarray(0, last.headerStart),
    Buffer.from(`Content-Disposition: ${disposition}\r\n`, 'utf8'),
    message.subarray(last.headerStart),
  ])
}

/** The one text part, LF for line ends; undefined when there is not just one. */
function textOf(content: Entity | undefined): string | undefined {
  if (!content) return undefined
  const { octets } = content
  const leaves = (node: Entity['node']): Entity['node'][] =>
    node.parts.length > 0 ? node.parts.flatMap(leaves) : [node]
  const texts = leaves(content.node).filter((n) => n.type === 'text' && n.subtype === 'plain')
  const [text, second] = texts
  if (!text || second) return undefined
  return decodeText(decodeBody(octets, text), text.params.find((p) => p.name === 'charset')?.value)
    .replace(/\r\n/g, '\n')
    .replace(/\n+$/, '')
}
