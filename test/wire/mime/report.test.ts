import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DeliveryStatusReport,
  type DispositionReport,
  readReport,
} from '../../../src/wire/mime/report.ts'
import { returnedHeader, writeReport } from '../../../src/wire/mime/report-write.ts'
import { decodeBody, scanMessage } from '../../../src/wire/mime/scan.ts'

const mail = (machine: string, over: { type?: string; head?: string; rest?: string; text?: string } = {}) =>
  Buffer.from(
    [
      'Date: Tue, 5 Mar 2024 10:12:00 +0000',
      'From: MAILER-DAEMON@relay.example.org',
      'Subject: report',
      `Content-Type: ${over.type ?? 'multipart/report; report-type=delivery-status'}; boundary=b`,
      '',
      '--b',
      '',
      over.text ?? 'Gone.',
      '--b',
      over.head ?? 'Content-Type: message/delivery-status',
      '',
      machine,
      over.rest ?? '',
      '--b--',
      '',
    ].join('\r\n'),
    'latin1',
  )
const dsn = (machine: string, over = {}) => readReport(mail(machine, over)) as DeliveryStatusReport
const groups = (report: DeliveryStatusReport) =>
  report.recipients.map((r) => [r.originalRecipient?.value, r.finalRecipient?.value, r.action, r.status])

describe('RPT-062: reading is liberal', () => {
  const message = 'Reporting-MTA: dns; mx.example.org\r\nOriginal-Envelope-Id: Ab+3D'
  const alice = 'Final-Recipient: rfc822; alice@example.org\r\nAction: failed\r\nStatus: 5.1.1'
  const wanted = [[undefined, 'alice@example.org', 'failed', '5.1.1']]

  test('RFC 3464 §2: per-message and per-recipient groups, any number, in order', () => {
    const report = dsn(`${message}\r\n\r\n${alice}\r\n\r\n${alice.replace('alice', 'bob')}\r\n`)
    expect(report).toMatchObject({
      kind: 'delivery-status',
      originalEnvelopeId: 'Ab+3D',
      reportingMta: { type: 'dns', value: 'mx.example.org' },
      date: 'Tue, 5 Mar 2024 10:12:00 +0000',
      text: 'Gone.',
    })
    expect(groups(report)).toEqual([...wanted, [undefined, 'bob@example.org', 'failed', '5.1.1']])
  })

  test.each([
    ['no blank line between the groups', `${message}\r\n${alice}`],
    ['no per-message group', alice],
    ['several blank lines, trailing blanks', `${message}\r\n \r\n\r\n${alice}   \r\n\r\n\r\n`],
    ['LF and CR line ends', `${message}\n\n${alice.replaceAll('\r\n', '\r')}`],
    [
      'names in capitals, blanks before colons',
      `${message}\r\n\r\n${alice.toUpperCase().replaceAll(':', ' :')}`,
    ],
    ['folded fields', `${message}\r\n\r\n${alice.replace('rfc822; ', 'rfc822;\r\n\t ')}`],
    [
      'comments',
      `${message}\r\n\r\n${alice.replace('failed', 'Failed (bounced)').replace('5.1.1', '5.1.1 (no)')}`,
    ],
    [
      'brackets and no address type',
      `${message}\r\n\r\n${alice.replace('rfc822; alice@example.org', '<alice@example.org>')}`,
    ],
    ['a blank line inside the group', `${message}\r\n\r\n${alice.replace('\r\nAction', '\r\n\r\nAction')}`],
    [
      'the Status in Diagnostic-Code only',
      `${alice.replace('Status: 5.1.1', 'Diagnostic-Code: smtp; 550 5.1.1 no')}`,
    ],
    ['lines that are no field', `Sorry about that.\r\n${message}\r\n\r\n???\r\n${alice}`],
  ])('%s', (_, text) => {
    expect(groups(dsn(text)).map((g) => g.map((v) => v?.toLowerCase()))).toEqual(wanted)
  })

  test('two recipients without a blank line between them', () => {
    expect(groups(dsn(`${message}\r\n\r\n${alice}\r\n${alice.replace('alice', 'bob')}`))).toHaveLength(2)
  })

  test('base64 and quoted-printable on message/delivery-status; the wrong order of parts; no report-type', () => {
    const text = `${message}\r\n\r\n${alice}\r\n`
    const encoded = dsn(Buffer.from(text).toString('base64'), {
      head: 'Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64',
    })
    expect(groups(encoded)).toEqual(wanted)
    const quoted = dsn(text.replaceAll('@', '=40'), {
      head: 'Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: quoted-printable',
    })
    expect(groups(quoted)).toEqual(wanted)
    expect(groups(dsn(text, { type: 'multipart/mixed' }))).toEqual(wanted)
    const first = readReport(
      Buffer.from(
        `Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n${text}\r\n--b\r\n\r\nText.\r\n--b--\r\n`,
      ),
    )
    expect(first).toMatchObject({ kind: 'delivery-status', text: 'Text.' })
  })

  test('the returned Message-ID: header, whole message, base64 of it', () => {
    const returned = (part: string) => dsn(alice, { rest: `--b\r\n${part}` }).returnedMessageId
    expect(returned('Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nMessage-ID: <a@b>\r\n')).toBe(
      '<a@b>',
    )
    expect(returned('Content-Type: message/rfc822\r\n\r\nMessage-ID:\r\n <a@b>\r\n\r\nbody\r\n')).toBe(
      '<a@b>',
    )
    const encoded = Buffer.from('Message-ID: <a@b>\r\n\r\nx').toString('base64')
    expect(
      returned(`Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n${encoded}\r\n`),
    ).toBe('<a@b>')
  })

  test('SEC-050: what a returned message encloses is not taken for the report', () => {
    const inner = mail(alice).toString('latin1').replaceAll('--b', '--c').replace('boundary=b', 'boundary=c')
    const outer = (type: string) =>
      readReport(
        Buffer.from(
          `Content-Type: ${type}; boundary=b\r\n\r\n--b\r\n\r\nFYI\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n${inner}\r\n--b--\r\n`,
        ),
      )
    expect(outer('multipart/mixed')).toBeUndefined()
    expect(outer('multipart/report; report-type=delivery-status')).toMatchObject({ kind: 'other' })
  })

  test('RPT-061: other report types are no DSN and no MDN, whatever they hold', () => {
    for (const type of ['feedback-report', 'tracking-status', 'x-new'])
      expect(readReport(mail(alice, { type: `multipart/report; report-type=${type}` }))).toMatchObject({
        kind: 'other',
        reportType: type,
      })
    expect(readReport(Buffer.from('Subject: plain\r\n\r\nAction: failed\r\n'))).toBeUndefined()
  })

  test('MDN: modes and types in any case, modifiers, blank lines, the type without modes (QUIRKS 52)', () => {
    const mdn = (disposition: string) =>
      readReport(
        mail(
          `Reporting-UA: ua; x\r\nFinal-Recipient: rfc822;alice@example.org\r\n\r\nOriginal-Message-ID: <m@x>\r\nDisposition: ${disposition}`,
          {
            type: 'multipart/report; report-type=disposition-notification',
            head: 'Content-Type: message/disposition-notification',
          },
        ),
      ) as DispositionReport
    expect(mdn('Manual-Action/MDN-Sent-Manually; Displayed/Error,Warning')).toMatchObject({
      kind: 'disposition-notification',
      originalMessageId: '<m@x>',
      finalRecipient: { type: 'rfc822', value: 'alice@example.org' },
      disposition: {
        actionMode: 'manual-action',
        sendingMode: 'mdn-sent-manually',
        type: 'displayed',
        modifiers: ['error', 'warning'],
      },
    })
    expect(mdn('displayed').disposition).toMatchObject({ actionMode: '', type: 'displayed' })
    expect(mdn('').disposition.type).toBe('')
  })

  test('hostile: any octets, deep nesting, a million groups: an answer and no throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (octets) => {
        readReport(mail(Buffer.from(octets).toString('latin1')))
        readReport(octets)
      }),
      { numRuns: 300 },
    )
    const many = `${'Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\n\r\n'.repeat(30_000)}`
    expect(dsn(many).recipients).toHaveLength(1000)
    const long = dsn(
      `Final-Recipient: rfc822; ${'a'.repeat(900_000)}\r\n${' b\r\n'.repeat(20_000)}Action: failed`,
    )
    expect(long.recipients).toHaveLength(1)
  })
})

describe('RPT-023: writing is strict', () => {
  const draft = (octets: Uint8Array, form: 'message' | 'header' = 'message') =>
    writeReport(
      {
        header: [{ name: 'Subject', value: 'x' }],
        reportType: 'delivery-status',
        text: ['Zürich: überfällig'],
        groups: [
          [{ name: 'Reporting-MTA', value: 'dns; gw.example.net' }],
          [
            { name: 'Final-Recipient', value: 'rfc822; a@example.org' },
            { name: 'Action', value: 'failed' },
            { name: 'Status', value: '5.1.1' },
            { name: 'X-MMS-Status-Text', value: 'evil\r\nBcc: x@example.org\r\n\r\nAction: delivered' },
            { name: 'Diagnostic-Code', value: `smtp; 550 ${'größer '.repeat(40)}` },
          ],
        ],
        returned: { form, octets },
      },
      () => 'bound',
    )

  test('three parts, 7 bit, values cannot make fields (SEC-010), and our own reader reads it back', () => {
    const written = draft(Buffer.from('Subject: y\r\n\r\nbody\r\n'))
    expect(written.eightBit).toBe(false)
    const octets = Buffer.concat(written.octets)
    expect(/[^\x00-\x7f]/.test(octets.toString('latin1'))).toBe(false)
    const node = scanMessage(octets)
    expect(node.params).toContainEqual({ name: 'report-type', value: 'delivery-status' })
    expect(node.parts.map((p) => `${p.type}/${p.subtype}`)).toEqual([
      'text/plain',
      'message/delivery-status',
      'message/rfc822',
    ])
    expect(Buffer.from(decodeBody(octets, node.parts[0]!)).toString()).toContain('überfällig')
    const machine = octets.subarray(node.parts[1]!.bodyStart, node.parts[1]!.bodyEnd).toString()
    expect(machine.split('\r\n').every((line) => line.length <= 78)).toBe(true)
    const report = readReport(octets) as DeliveryStatusReport
    expect(groups(report)).toEqual([[undefined, 'a@example.org', 'failed', '5.1.1']])
    expect(report.recipients[0]!.diagnostic).toMatchObject({ type: 'smtp' })
    expect(report.recipients[0]!.diagnostic!.value).toContain('größer größer')
  })

  test('RFC 6522 §4, RFC 6152: an 8-bit original is told; an 8-bit header is encoded', () => {
    const original = Buffer.from('Subject: \xfc\r\n\r\n\xfc\r\n', 'latin1')
    const whole = draft(original)
    expect(whole.eightBit).toBe(true)
    expect(Buffer.concat(whole.octets).includes(original)).toBe(true)
    const header = draft(Buffer.from('Subject: \xfc\r\n', 'latin1'), 'header')
    expect(header.eightBit).toBe(false)
    const octets = Buffer.concat(header.octets)
    const part = scanMessage(octets).parts[2]!
    expect(`${part.type}/${part.subtype} ${part.encoding}`).toBe('text/rfc822-headers quoted-printable')
    expect(Buffer.from(decodeBody(octets, part)).toString('latin1')).toContain('Subject: \xfc')
  })

  test('SEC-040, RPT-027: no Bcc comes back', () => {
    const block = 'To: a@x\r\nBCC: secret@x,\r\n other@x\r\nResent-Bcc: third@x\r\nSubject: y\r\n\r\n'
    expect(Buffer.from(returnedHeader(Buffer.from(block))).toString()).toBe('To: a@x\r\nSubject: y\r\n')
  })
})
