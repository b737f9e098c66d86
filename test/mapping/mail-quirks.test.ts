/** What mail and MM1 peers really send (QUIRKS 46 to 51, and MM1 bodies): it is read, and nothing of it does harm. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { readMail } from '../../src/mapping/carriers/mail.ts'
import { decodeMm1 } from '../../src/mapping/carriers/mm1.ts'
import { writeMm4Forward } from '../../src/mapping/carriers/mm4.ts'
import { writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import { contentForMms } from '../../src/mapping/content/for-mms.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import type { NeutralMessage, Part } from '../../src/model/neutral.ts'
import { isRefusal, type Refusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import { headerFields, scanMessage } from '../../src/wire/mime/scan.ts'
import { child } from '../../src/wire/mm7/xml.ts'

const settings = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const now = Date.parse('2024-03-05T10:15:30Z')
const context = (): MappingContext => ({
  settings,
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now,
})
const ok = <T>(value: T | Refusal): T => {
  if (isRefusal(value)) throw new Error(`${value.refused}: ${value.text}`)
  return value
}
const handset = '+12025550123@mms.example.net'

const read = (
  text: string | Buffer,
  to: readonly string[] = [handset],
  from: string | null = 'a@example.org',
) =>
  readMail(
    Buffer.isBuffer(text) ? text : Buffer.from(text),
    {
      session: { peer: null, ehlo: 'x', ip: '', port: 25, auth: null, tls: false, esmtp: true },
      mailFrom: { path: from, params: {} },
      rcptTo: to.map((path) => ({ path, params: {} })),
      receivedAt: now / 1000,
    },
    { queueId: 'Q-0001' },
    context(),
  )

const shown = (message: NeutralMessage): { type: string; text: string }[] => {
  const leaves = (part: Part): Exclude<Part, { kind: 'multi' }>[] =>
    part.kind === 'multi' ? part.parts.flatMap(leaves) : [part]
  const content = ok(contentForMms(message, { peer: settings.peers.mmsc!, expose: true }, context()))
  return leaves(content).map((p) => ({
    type: p.type,
    text: p.type === 'text/plain' ? Buffer.from(p.body.octets()).toString() : '',
  }))
}
const multipart = (parts: readonly string[], subtype = 'mixed'): string =>
  `From: a@example.org\r\nTo: ${handset}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/${subtype}; boundary=b\r\n\r\n${parts.map((p) => `--b\r\n${p}\r\n`).join('')}--b--\r\n`
const picture = `Content-Type: image/jpeg; name=real.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\n${Buffer.alloc(200, 'x').toString('base64')}`

describe("carriers' mail", () => {
  test('QUIRKS 46: style sheets are named, tracking images and empty parts go, the picture comes through', () => {
    const pixel = `Content-Type: image/gif\r\nContent-ID: <spacer>\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7`
    const html =
      'Content-Type: text/html\r\n\r\n<html><head><style>p{}</style></head><body><img src="cid:spacer"><p>You have new Picture Mail!</p></body></html>'
    const css = 'Content-Type: text/css; name=mail.css\r\n\r\np { color: red }'
    const parts = shown(
      ok(read(multipart([html, pixel, css, 'Content-Type: text/plain\r\n\r\n', picture], 'related'))),
    )
    expect(parts.map((p) => p.type)).toEqual(['application/smil', 'text/plain', 'image/jpeg'])
    expect(parts[1]!.text).toContain('You have new Picture Mail!')
    expect(parts[1]!.text).toContain('[Attachment not delivered: mail.css (text/css, 16 bytes)]')
  })

  test('QUIRKS 47: links stay links and are never followed, a Reply-To with a token goes along', () => {
    const link = 'http://pictures.carrier.example/share?token=abc%26def'
    const message = ok(
      read(
        `From: a@example.org\r\nReply-To: <4dc1+token@carrier.example>\r\nTo: ${handset}\r\nContent-Type: text/html\r\n\r\n<a href="${link}"><img src="${link}&img=1"></a><p>Hi ...</p>`,
      ),
    )
    const [text] = shown(message)
    expect(text!.text).toContain(link)
    expect(message.passThrough).toContainEqual({ name: 'Reply-To', value: '<4dc1+token@carrier.example>' })
  })

  test('QUIRKS 48: text by any name and place, empty, HTML alone, Japanese with characters of a carrier', () => {
    const numbered =
      'Content-Type: text/plain; name="12025550123.txt"\r\nContent-Disposition: attachment; filename="12025550123.txt"\r\n\r\nthe text'
    expect(shown(ok(read(multipart([numbered, picture])))).map((p) => p.text || p.type)).toEqual([
      'application/smil',
      'the text',
      'image/jpeg',
    ])
    expect(
      shown(ok(read(`From: a@example.org\r\nTo: ${handset}\r\nContent-Type: text/plain\r\n\r\n`))),
    ).toEqual([{ type: 'text/plain', text: '' }])
    const japanese = (charset: string, body: Buffer) =>
      shown(
        ok(
          read(
            Buffer.concat([
              Buffer.from(
                `From: a@docomo.example\r\nTo: ${handset}\r\nContent-Type: text/plain; charset=${charset}\r\n\r\n`,
              ),
              body,
            ]),
          ),
        ),
      )[0]!.text
    // ESC $ B, "日本", two octets that no standard has, ESC ( B.
    expect(japanese('ISO-2022-JP', Buffer.from('1b2442467c4b5c75411b2842206f6b', 'hex'))).toMatch(
      /^日本.* ok$/u,
    )
    // "日本" and a picture character of docomo.
    expect(japanese('Shift_JIS', Buffer.from('93fa967bf89f206f6b', 'hex'))).toMatch(/^日本.* ok$/u)
  })

  test('QUIRKS 50: what a handset fails at does not reach it: by the list of the peer, on MM7 at all', () => {
    const fields = [
      'DKIM-Signature: v=1',
      'Authentication-Results: x',
      'ARC-Seal: i=1',
      'List-Id: <l>',
      'In-Reply-To: <1@x.example>',
    ]
    const message = ok(read(`From: a@example.org\r\nTo: ${handset}\r\n${fields.join('\r\n')}\r\n\r\nhi`))
    const names = (dropFields?: readonly string[]): string[] => {
      const peer = { ...settings.peers.opb!, ...(dropFields ? { dropFields } : {}) }
      const { octets } = ok(writeMm4Forward(message, [0], { peerKey: 'opb', peer }, undefined, context()))
      const whole = Buffer.concat(octets)
      return headerFields(whole, scanMessage(whole)).map((f) => f.name)
    }
    expect(names()).toEqual(expect.arrayContaining(['DKIM-Signature', 'ARC-Seal', 'List-Id', 'In-Reply-To']))
    const some = names(['dkim-signature', 'ARC-*', 'List-*', 'Authentication-Results'])
    expect(some).toContain('In-Reply-To')
    expect(some.join(' ')).not.toMatch(/dkim|arc-|list-|authentication/i)
    // What the mapping itself writes is not on anybody's list.
    expect(
      names(['*', 'From', 'X-Mms-*']).filter((n) => /^(from|to|date|x-mms-message-type)$/i.test(n)),
    ).toHaveLength(4)
    const target = { kind: 'mm7-submit', peerKey: 'mmsc', peer: settings.peers.mmsc! } as const
    const { body } = ok(writeMm7Request(message, [0], target, context()))
    expect(body.children.map((c) => c.name).join(' ')).not.toMatch(/dkim|list/i)
  })

  test('QUIRKS 51: two From lines, groups, a null path: who it is from is found, and class Auto asks for nothing', () => {
    const twice = ok(read(`From: first@example.org\r\nFrom: second@example.org\r\nTo: ${handset}\r\n\r\nhi`))
    expect(twice.sender.value).toBe('first@example.org')
    const other = '+12025550124@mms.example.net'
    const group = ok(
      read(
        `From: a@example.org\r\nTo: Friends: ${handset}, Bob <bob@example.org>;, ${other}\r\nCc: Nobody:;\r\n\r\nhi`,
        [handset, other],
      ),
    )
    expect(group.recipients.map((r) => [r.field, r.party.value, r.serve])).toEqual([
      ['to', '+12025550123', true],
      ['to', 'bob@example.org', false],
      ['to', '+12025550124', true],
    ])
    const automatic = ok(
      read(
        `From: a@example.org\r\nAuto-Submitted: auto-replied\r\nPrecedence: bulk\r\nDisposition-Notification-To: a@example.org\r\nTo: ${handset}\r\n\r\naway`,
        [handset],
        null,
      ),
    )
    expect([automatic.class, automatic.readReply, automatic.returnPath]).toEqual(['auto', undefined, null])
    const target = { kind: 'mm7-submit', peerKey: 'mmsc', peer: settings.peers.mmsc! } as const
    const { body } = ok(writeMm7Request(automatic, [0], target, context()))
    expect(child(body, 'MessageClass')?.text).toBe('Auto')
    expect(child(body, 'ReadReply')).toBeUndefined()
    // An address of nobody at all.
    expect(read(`To: ${handset}\r\n\r\nhi`, [handset], null)).toMatchObject({ refused: 'bad-sender' })
  })
})

describe('MM1 bodies met on the way', () => {
  const decode = (octets: Buffer) =>
    decodeMm1(octets, { queueId: 'Q-0001', receivedAt: now / 1000, networkMsisdn: '+12025550123' }, context())
  const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex')
  const text = (value: string): string => `${Buffer.from(value).toString('hex')}00`
  /** m-retrieve-conf: id, sender, one recipient, subject; then a multipart/mixed of one text part. */
  const pdu = (id: string, subject: string, partHeaders: string, body: Buffer): Buffer => {
    const head = `03${''}83${partHeaders}`
    const part = Buffer.from(head.slice(2), 'hex')
    return hex(
      `8c84 98${text('t')} 8d92 8b${text(id)} 8504 65e6f0f2 89 18 80 ${text('+12025550199/TYPE=PLMN')} 97${text('alice@example.org')} 96${subject} 84 a3` +
        `01 ${part.length.toString(16).padStart(2, '0')} ${body.length.toString(16).padStart(2, '0')} ${part.toString('hex')} ${body.toString('hex')}`,
    )
  }

  test('an empty message id, a transfer encoding inside a WSP part', () => {
    const encoded = `${text('Content-Transfer-Encoding')}${text('base64')}`
    const message = decode(pdu('', text('Hi'), encoded, Buffer.from(Buffer.from('hello').toString('base64'))))
    if (isRefusal(message) || message.kind !== 'message') throw new Error('no message')
    expect(message.recipients.map((r) => r.party.value)).toEqual(['alice@example.org'])
    expect(message.messageId).toBe('<M-0001@gw.mms.example.net>')
    const content = message.content!
    const leaf = content.kind === 'multi' ? content.parts[0]! : content
    if (leaf.kind === 'multi') throw new Error('no leaf')
    expect(Buffer.from(leaf.body.octets()).toString()).toBe('hello')
  })

  test('a subject of the wrong length, an HTML page, a picture, nothing: refused as what they are', () => {
    for (const octets of [
      // Value-length 5 of a subject that is longer, and one that is not all there.
      pdu('i', `05ea${text('Hello there')}`, '', Buffer.from('x')),
      pdu('i', '1fff7fea41', '', Buffer.from('x')),
      Buffer.from('<html><head><title>502 Bad Gateway</title></head><body></body></html>'),
      Buffer.from('\xff\xd8\xff\xe0JFIF', 'latin1'),
      Buffer.alloc(0),
    ])
      expect(decode(octets)).toMatchObject({ responseStatus: expect.any(Number) })
  })
})
