/** Edges of single rules, each such that breaking the rule's code by hand makes the test fail. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { classifyNumber } from '../../src/mapping/addresses.ts'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { readMm4Forward, writeMm4Forward } from '../../src/mapping/carriers/mm4.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import { contentForMms } from '../../src/mapping/content/for-mms.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import type { NeutralMessage, Part } from '../../src/model/neutral.ts'
import { isRefusal, type Refusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import { fieldValue, headerFields, scanMessage } from '../../src/wire/mime/scan.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'
import { child, childText } from '../../src/wire/mm7/xml.ts'

const settings = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const now = Date.parse('2024-03-05T10:15:30Z')
const context = (over: Partial<Settings> = {}): MappingContext => ({
  settings: { ...settings, ...over },
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now,
})
const ok = <T>(value: T | Refusal): T => {
  if (isRefusal(value)) throw new Error(`${value.refused}: ${value.text}`)
  return value
}
const handset = '+12025550123@mms.example.net'

function mail(
  fields: readonly string[],
  body = 'hi',
  envelope: { from?: string | null; to?: readonly string[]; params?: Record<string, string> } = {},
): NeutralMessage {
  const { from = 'a@example.org', to = [handset], params = {} } = envelope
  const text = [...fields, '', body].join('\r\n')
  return ok(
    readMail(
      Buffer.from(text),
      {
        session: { peer: null, ehlo: 'x', ip: '', port: 25, auth: null, tls: false, esmtp: true },
        mailFrom: { path: from, params },
        rcptTo: to.map((path) => ({ path, params: {} })),
        receivedAt: now / 1000,
      },
      { queueId: 'Q-0001' },
      context(),
    ),
  )
}

function mm7(operation: 'SubmitReq' | 'DeliverReq', children: Parameters<typeof element>[1]): NeutralMessage {
  const http = writeMm7({
    transactionId: 't',
    namespace: schemaNamespace('REL-6-MM7-1-4'),
    body: element(operation, children),
  })
  const request = readMm7(http.contentType, Buffer.concat(http.body))
  const from = { peer: 'mmsc', ip: '', queueId: 'Q-0001', receivedAt: now }
  return ok(readMm7Message(request, from, context()))
}

const submitted = (message: NeutralMessage, serve: readonly number[] = [0]) =>
  ok(
    writeMm7Request(
      message,
      serve,
      { kind: 'mm7-submit', peerKey: 'mmsc', peer: settings.peers.mmsc! },
      context(),
    ),
  )

const allHops = new Map([
  ['8BITMIME', ''],
  ['DSN', ''],
  ['DELIVERBY', ''],
])

describe('addresses', () => {
  test('ADR-001: blanks round a number go before its type is looked at, and one type alone', () => {
    const kind = (text: string) => classifyNumber(text, settings.numbering)?.value
    expect(kind('\t+12025550123/type=plmn \n')).toBe('+12025550123')
    expect(kind('+1 (202) 555-01.23/TYPE=PLMN')).toBe('+12025550123')
    expect(kind('+12025550123/TYPE=PLMN/TYPE=PLMN')).toBeUndefined()
  })

  test('MAP-126: a blind recipient is named to nobody but the copy that serves it', () => {
    const to = [handset, '+12025550124@mms.example.net', '+12025550125@mms.example.net']
    const message = mail(['From: a@example.org', `To: ${handset}`], 'hi', { to })
    const namedIn = (serve: readonly number[]) => {
      const recipients = child(submitted(message, serve).body, 'Recipients')
      return (recipients?.children ?? []).flatMap((g) => g.children.map((c) => `${g.name} ${c.text}`))
    }
    expect(namedIn([0])).toEqual(['To +12025550123'])
    expect(namedIn([1])).toEqual(['To +12025550123', 'Bcc +12025550124'])
    expect(namedIn([2])).toEqual(['To +12025550123', 'Bcc +12025550125'])
  })

  test('MAP-139: one address that is the reverse-path asks for a read report; several, and a null path, do not', () => {
    const asked = (field: string, from: string | null = 'a@example.org') =>
      mail(['From: a@example.org', `Disposition-Notification-To: ${field}`], 'hi', { from })
    expect(asked('A <a@example.org>').readReply).toBe(true)
    expect(asked('a@example.org, b@example.org').readReply).toBeUndefined()
    expect(asked('b@example.org, a@example.org').readReply).toBeUndefined()
    expect(asked('b@example.org').readReply).toBeUndefined()
    expect(asked('a@example.org', null).readReply).toBeUndefined()
    // What was asked is kept for the MDN, and goes no further as a field.
    const message = asked('a@example.org')
    expect(message.dispositionTo).toEqual(['a@example.org'])
    const peer = settings.peers.opb!
    const { octets } = ok(writeMm4Forward(message, [0], { peerKey: 'opb', peer }, undefined, context()))
    const names = headerFields(Buffer.concat(octets), scanMessage(Buffer.concat(octets))).map((f) => f.name)
    expect(names).toContain('X-Mms-Read-Reply')
    expect(names.join(' ')).not.toMatch(/disposition-notification/i)
  })
})

describe('elements', () => {
  const expiring = (seconds: number): NeutralMessage => ({
    ...mm7('SubmitReq', [
      element('SenderIdentification', [element('SenderAddress', [element('ShortCode', '7777')])]),
      element('Recipients', [element('To', [element('RFC2822Address', 'bob@example.org')])]),
      element('ExpiryDate', `PT${seconds}S`),
      element('Subject', 'x'),
    ]),
  })

  test('MAP-084: no BY where the next hop wants more time than is left, or does not know it', () => {
    const by = (seconds: number, extensions: ReadonlyMap<string, string>) =>
      ok(writeMail(expiring(seconds), [0], { extensions }, context())).envelope.mailFrom.params.BY
    const wants = (minimum: string) => new Map([['DELIVERBY', minimum]])
    expect(by(3600, wants(''))).toBe('3600;R')
    expect(by(3600, wants('3600'))).toBe('3600;R')
    expect(by(3600, wants('3601'))).toBeUndefined()
    expect(by(3600, new Map())).toBeUndefined()
  })

  test('MAP-097: encoded words of at most 75 characters, whole characters in each, lines of at most 76', () => {
    const names = ['Subject', 'Comments', 'X-A-Field-With-A-Name-That-Is-Longer-Than-Usual']
    for (const subject of [
      'ü'.repeat(200),
      'Grüße an alle '.repeat(20),
      '😀漢字'.repeat(60),
      'é x'.repeat(90),
    ]) {
      const passThrough = names.slice(1).map((name) => ({ name, value: subject }))
      const message = { ...expiring(60), subject, passThrough }
      const octets = Buffer.concat(ok(writeMail(message, [0], { extensions: allHops }, context())).octets)
      const block = octets.toString('latin1')
      for (const name of names) {
        const field = new RegExp(`^${name}: ?(?:.*\\r\\n)(?:[ \\t].*\\r\\n)*`, 'm').exec(block)![0]
        const words = field.match(/=\?[^?]+\?[BQ]\?[^?]*\?=/g)!
        expect(words.length).toBeGreaterThan(2)
        for (const word of words) {
          expect(word.length).toBeLessThanOrEqual(75)
          const [, encoding, text = ''] = /^=\?utf-8\?([BQ])\?([^?]*)\?=$/.exec(word)!
          const inside =
            encoding === 'B'
              ? Buffer.from(text, 'base64')
              : Buffer.from(
                  text.replace(/_/g, ' ').replace(/=(..)/g, (_, h) => String.fromCharCode(parseInt(h, 16))),
                  'latin1',
                )
          expect(() => new TextDecoder('utf-8', { fatal: true }).decode(inside)).not.toThrow()
        }
        for (const line of field.trimEnd().split('\r\n')) expect(line.length).toBeLessThanOrEqual(76)
      }
    }
  })

  const forwarded = (more: readonly string[]): NeutralMessage => {
    const fields = [
      'X-Mms-3GPP-MMS-Version: 6.3.0',
      'X-Mms-Message-Type: MM4_forward.REQ',
      'X-Mms-Transaction-ID: "t"',
      'X-Mms-Message-ID: "m"',
      'Date: Tue, 5 Mar 2024 10:14:30 +0000',
      'Message-ID: <now@op-b.example>',
      ...more,
      'Content-Type: text/plain',
      '',
      'hi',
    ]
    const envelope = {
      session: { peer: 'opb', ehlo: 'x', ip: '', port: 25, auth: null, tls: false, esmtp: true },
      mailFrom: { path: 'x@op-b.example', params: {} },
      rcptTo: [
        { path: 'alice@example.org', params: {} },
        { path: 'carol@example.org', params: {} },
      ],
      receivedAt: now / 1000,
    }
    const octets = Buffer.from(fields.join('\r\n'))
    return ok(readMm4Forward(octets, envelope, { queueId: 'Q-0001', peer: 'opb' }, context()))
  }

  test('MAP-104: the own From, all of them, To, Cc and Message-ID of a resent MM stand in its topmost block', () => {
    const message = forwarded([
      'From: ben@example.com, cyd@example.com',
      'To: alice@example.org',
      'Cc: carol@example.org',
      'X-Mms-Previously-Sent-By: 0, ada@example.com',
      'X-Mms-Previously-Sent-Date-and-Time: 0, Mon, 04 Mar 2024 22:02:03 GMT',
    ])
    const octets = Buffer.concat(ok(writeMail(message, [0, 1], { extensions: allHops }, context())).octets)
    const resent = headerFields(octets, scanMessage(octets)).filter((f) => /^resent-/i.test(f.name))
    expect(resent.map((f) => `${f.name}: ${f.value}`)).toEqual([
      'Resent-Date: Tue, 5 Mar 2024 10:14:30 +0000',
      'Resent-From: ben@example.com, cyd@example.com',
      'Resent-Sender: ben@example.com',
      'Resent-To: alice@example.org',
      'Resent-Cc: carol@example.org',
      'Resent-Message-ID: <now@op-b.example>',
    ])
  })

  const steps = (from: readonly (readonly [string, string])[]) => [
    element('Sender', [element('Number', '+12025550123')]),
    element('Recipients', [element('To', [element('RFC2822Address', 'bob@example.org')])]),
    element(
      'Previouslysentby',
      from.map(([sequence, address]) =>
        element('UserAgent', [element('RFC2822Address', address)], { sequence }),
      ),
    ),
    element(
      'Previouslysentdateandtime',
      from.map(([sequence], i) => element('DateTime', `2024-03-0${i + 1}T10:00:00+05:30`, { sequence })),
    ),
  ]

  test('MAP-108: sequence n is index n-1, and n itself where a 0 occurs; offsets are kept; written as index + 1', () => {
    const indexOf = (message: NeutralMessage) =>
      message.previous.map((s) => [s.index, s.by[0]?.value, s.at?.offsetMinutes])
    // Out of order: the attribute counts, not the place.
    const one = mm7(
      'DeliverReq',
      steps([
        ['2', 'mid@example.com'],
        ['1', 'first@example.com'],
      ]),
    )
    expect(indexOf(one)).toEqual([
      [1, 'mid@example.com', 330],
      [0, 'first@example.com', 330],
    ])
    const zero = mm7(
      'DeliverReq',
      steps([
        ['0', 'first@example.com'],
        ['1', 'mid@example.com'],
      ]),
    )
    expect(indexOf(zero)).toEqual([
      [0, 'first@example.com', 330],
      [1, 'mid@example.com', 330],
    ])
    const { body } = ok(
      writeMm7Request(
        one,
        [0],
        { kind: 'mm7-deliver', peerKey: 'vasp1', peer: settings.peers.vasp1! },
        context(),
      ),
    )
    const written = (name: string) =>
      child(body, name)!.children.map((c) => [c.attributes.sequence, c.children[0]?.text ?? c.text])
    expect(written('Previouslysentby')).toEqual([
      ['1', 'first@example.com'],
      ['2', 'mid@example.com'],
    ])
    expect(written('Previouslysentdateandtime')).toEqual([
      ['1', '2024-03-02T10:00:00+05:30'],
      ['2', '2024-03-01T10:00:00+05:30'],
    ])
  })
})

describe('content', () => {
  const multipart = (...parts: readonly (readonly string[])[]) => ({
    fields: ['From: a@example.org', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b'],
    body: `${parts.map((p) => `--b\r\n${p.join('\r\n')}`).join('\r\n')}\r\n--b--`,
  })
  const leaves = (part: Part): Exclude<Part, { kind: 'multi' }>[] =>
    part.kind === 'multi' ? part.parts.flatMap(leaves) : [part]
  const adapted = (message: NeutralMessage, maxSize = 300_000, countSubject = false) =>
    contentForMms(
      message,
      { peer: { ...settings.peers.mmsc!, maxSize, countSubject }, expose: true },
      context(),
    )

  test('CNT-048: no control of a file name reaches a text; the name of a device is none', () => {
    const file = (name: string) => {
      const { fields, body } = multipart(
        ['Content-Type: text/plain', '', 'hi'],
        [
          `Content-Type: application/pdf`,
          `Content-Disposition: attachment; filename*=utf-8''${name}`,
          '',
          'x',
        ],
      )
      const content = ok(adapted(mail(fields, body)))
      return Buffer.from(leaves(content)[0]!.body.octets()).toString()
    }
    expect(file('a%0D%0Ab%00%C2%85.pdf')).toBe(
      'hi\r\n[Attachment not delivered: ab.pdf (application/pdf, 1 bytes)]',
    )
    expect(file('..%2F..%5Cetc%5C.hidden')).toContain(' hidden (application/pdf')
    expect(file('COM1.pdf')).toContain(' part (application/pdf')
  })

  test('CNT-064: vCards are called by the name of 2.1 only when they are 2.1; their octets stay', () => {
    const card = (type: string, version: string) => {
      const text = `BEGIN:VCARD\r\nVERSION:${version}\r\nN:Muster\r\nEND:VCARD`
      const { fields, body } = multipart(
        ['Content-Type: text/plain', '', 'hi'],
        [`Content-Type: ${type}`, '', text],
      )
      const part = leaves(ok(adapted(mail(fields, body)))).at(-1)!
      expect(Buffer.from(part.body.octets()).toString()).toBe(text)
      return part.type
    }
    expect(card('text/vcard', '2.1')).toBe('text/x-vcard')
    expect(card('text/vcard', '3.0')).toBe('text/vcard')
    expect(card('text/vcard', '4.0')).toBe('text/vcard')
    expect(card('text/directory; profile=vCard', '2.1')).toBe('text/x-vcard')
    expect(card('text/directory; profile=vCard', '3.0')).toBe('text/directory')
    expect(card('text/x-vcard', '2.1')).toBe('text/x-vcard')
  })

  test('CNT-073: headers of parts count, bodies as they are decoded, the subject where the peer says so', () => {
    // Cards have no slide: what is counted is they, and what stands before each of them.
    const tiny = Array.from({ length: 60 }, (_, i) => [
      'Content-Type: text/x-vcard',
      `Content-ID: <${'x'.repeat(40)}${i}@example.org>`,
      '',
      'BEGIN:VCARD\r\nVERSION:2.1\r\nN:M\r\nEND:VCARD',
    ])
    const { fields, body } = multipart(['Content-Type: text/plain', '', 'hi'], ...tiny)
    // 2,600 octets of bodies, and three times as much in headers.
    expect(adapted(mail(fields, body), 5000)).toMatchObject({ refused: 'too-large' })
    expect(isRefusal(adapted(mail(fields, body), 15_000))).toBe(false)
    const big = Buffer.alloc(30_000, 'x').toString('base64').replace(/.{76}/g, '$&\r\n')
    const one = multipart(
      ['Content-Type: text/plain', '', 'hi'],
      ['Content-Type: image/gif', 'Content-Transfer-Encoding: base64', '', big],
    )
    // 40,000 octets as base64, 30,000 decoded.
    expect(isRefusal(adapted(mail(one.fields, one.body), 32_000))).toBe(false)
    const text = mail(['From: a@example.org', `Subject: ${'s'.repeat(900)}`], 'hi')
    expect(isRefusal(adapted(text, 500))).toBe(false)
    expect(adapted(text, 500, true)).toMatchObject({ refused: 'too-large' })
  })
})

test('MAP-043: what is no address is passed over where another is valid, and shown to nobody', () => {
  const message = mm7('SubmitReq', [
    element('SenderIdentification', [element('SenderAddress', [element('ShortCode', '7777')])]),
    element('Recipients', [
      element('To', [
        element('Number', ''),
        element('Extension', 'x'),
        element('RFC2822Address', 'bob@example.org'),
        element('Number', 'not a number'),
      ]),
    ]),
    element('Subject', 'x'),
  ])
  const at = message.recipients.findIndex((r) => r.party.value === 'bob@example.org')
  expect(at).toBeGreaterThanOrEqual(0)
  const octets = Buffer.concat(ok(writeMail(message, [at], { extensions: allHops }, context())).octets)
  expect(fieldValue(octets, scanMessage(octets), 'To')).toBe('bob@example.org')
  expect(childText(submitted(message, [at]).body, 'Subject')).toBe('x')
})
