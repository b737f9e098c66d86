/** RFC 4356 Tables 4 to 7 and the reports made with them (mapping.md 5.2 to 5.6). */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { ownDsn, returnWhole, translatedDsn } from '../../src/mapping/reports/dsn.ts'
import {
  deliveryReportFrom,
  type MmsOriginal,
  readReportFrom,
  recipientOf,
} from '../../src/mapping/reports/from-mail.ts'
import { translatedMdn } from '../../src/mapping/reports/mdn.ts'
import { mm7StatusOfDelivery, readMm7Report, writeMm7Report } from '../../src/mapping/reports/mm7-report.ts'
import { deliveryStatusOf, readStatusOfMms, rejectedByOf } from '../../src/mapping/reports/status-names.ts'
import {
  dsnVerdict,
  mmsStatusOfAction,
  readStatusOf,
  table4,
  table5,
  table7,
} from '../../src/mapping/reports/tables.ts'
import type { NeutralReport } from '../../src/model/neutral.ts'
import type { MailOrigin, OriginalRecipient } from '../../src/model/original.ts'
import type { Outcome } from '../../src/model/queue.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import { type DeliveryStatusReport, type DispositionReport, readReport } from '../../src/wire/mime/report.ts'
import { allFields, fieldValue, scanMessage } from '../../src/wire/mime/scan.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'

const settings = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const now = Date.parse('2024-03-05T10:15:30Z')
const ctx = () => ({ settings, now, ids: fixtureIds(settings.gateway.host).of('Q', '') })
const header = 'Subject: Lunch?\r\nBcc: secret@example.org\r\nMessage-ID: <a1@example.org>\r\n'
const whole = Buffer.from(`${header}\r\nNoon?\r\n`)
const origin = (over: Partial<MailOrigin> = {}): MailOrigin => ({
  kind: 'mail',
  returnPath: 'alice@example.org',
  header,
  size: whole.length,
  ...over,
})
const recipient = (over: Partial<OriginalRecipient> = {}): OriginalRecipient => ({
  index: 0,
  address: '+12025550123@mms.example.net',
  party: { kind: 'number', value: '+12025550123', raw: '+12025550123@mms.example.net' },
  blind: false,
  target: 'mm7-submit:mmsc',
  reports: [],
  ...over,
})
const report = (over: Partial<NeutralReport> = {}): NeutralReport => ({
  kind: 'delivery-report',
  source: 'mm7-deliver',
  receivedAt: now / 1000,
  recipient: recipient().party,
  at: { epoch: now / 1000 - 60, offsetMinutes: 60 },
  delivery: { status: 'expired', raw: 'DateExpired' },
  reportingHost: 'mmsc.example.com',
  ...over,
})
const acceptedAt = now - 3_600_000
const translated = (
  over: { origin?: Partial<MailOrigin>; report?: Partial<NeutralReport>; octets?: Uint8Array } = {},
) => {
  const mail = translatedDsn(
    { origin: origin(over.origin), messageId: '<a1@example.org>', acceptedAt, octets: over.octets ?? whole },
    recipient({ orcpt: { type: 'rfc822', address: 'Old+=Name@example.org' } }),
    report(over.report),
    { action: 'failed', status: '5.4.7' },
    'from x by y; z',
    ctx(),
  )
  return mail && Buffer.concat(mail.octets)
}
/** Names of the fields of the machine-readable part, groups apart. */
const machine = (octets: Buffer): string[] => {
  const part = scanMessage(octets).parts[1]!
  return octets
    .subarray(part.bodyStart, part.bodyEnd)
    .toString()
    .split('\r\n')
    .filter((line) => !line.startsWith(' '))
    .map((line) => line.replace(/:.*/, ''))
}

describe('Tables 4 to 7 as the RFC prints them', () => {
  test('RPT-020: Table 4 has a row for every MMS status, in order', () => {
    expect(table4.map((r) => `${r.mms} ${r.action} ${r.status} ${r.when}`)).toEqual([
      'retrieved delivered 2.1.5 success',
      'rejected delivered 2.7.1 success',
      'rejected failed 5.7.1 failure',
      'rejected failed 5.7.1 failure',
      'expired failed 5.4.7 failure',
      'unreachable failed 5.4.4 failure',
      'unrecognised failed 5.6.1 failure',
      'delivery-condition-not-met failed 5.7.1 failure',
      'deferred delayed 4.2.0 delay',
      'indeterminate relayed 2.0.0 success',
      'forwarded relayed 2.0.0 success',
    ])
  })

  test('RPT-011, RPT-012, RPT-013, RPT-015: who is told what', () => {
    const asked = (
      status: Parameters<typeof dsnVerdict>[0]['status'],
      notify: Parameters<typeof dsnVerdict>[1],
    ) => dsnVerdict({ status }, notify, settings)?.action
    const only = (word: 'success' | 'failure' | 'delay') => ({
      success: word === 'success',
      failure: word === 'failure',
      delay: word === 'delay',
    })
    for (const row of table4) expect(asked(row.mms, 'never')).toBeUndefined()
    expect(asked('expired', undefined)).toBe('failed')
    expect(asked('expired', only('failure'))).toBe('failed')
    expect(asked('expired', only('success'))).toBeUndefined()
    expect(asked('retrieved', only('success'))).toBe('delivered')
    expect(asked('retrieved', undefined)).toBeUndefined()
    expect(asked('deferred', undefined)).toBeUndefined()
    expect(asked('deferred', only('delay'))).toBe('delayed')
  })

  test('AMB-02: reports.rejectedAction = failed never calls a refused message delivered', () => {
    const strict = { reports: { ...settings.reports, rejectedAction: 'failed' as const } }
    const both = { success: true, failure: true, delay: false }
    expect(dsnVerdict({ status: 'rejected' }, both, settings)).toEqual({
      action: 'delivered',
      status: '2.7.1',
    })
    expect(dsnVerdict({ status: 'rejected' }, both, strict)).toEqual({ action: 'failed', status: '5.7.1' })
    expect(dsnVerdict({ status: 'rejected' }, { ...both, failure: false }, strict)).toBeUndefined()
  })

  test('RPT-016, RPT-035, RPT-045: Tables 5 and 7; Table 4 never says expanded', () => {
    expect(table5.map((r) => `${r.action} ${r.mms}`)).toEqual([
      'delivered retrieved',
      'relayed forwarded',
      'expanded forwarded',
      'failed unreachable',
    ])
    expect(table4.some((r) => (r.action as string) === 'expanded')).toBe(false)
    expect(mmsStatusOfAction('DELAYED')).toBeUndefined()
    expect(mmsStatusOfAction('x')).toBeUndefined()
    expect(table7).toHaveLength(4)
    expect(readStatusOf({ type: 'failed', actionMode: 'manual-action' })).toBe('indeterminate')
  })

  test('QUIRKS 34, 45, AMB-04, MAP-189, MAP-208: names of statuses as peers write them', () => {
    expect(
      ['Retrieved', 'DateExpired', 'Unrecognized', 'NotSupported', 'Unreachable'].map(deliveryStatusOf),
    ).toEqual(['retrieved', 'expired', 'unrecognised', 'unrecognised', 'unreachable'])
    for (const code of ['300', '410', '435', 'ForwardedToMMBox', ''])
      expect(deliveryStatusOf(code)).toBe('indeterminate')
    expect(['READ', 'Deletedwithoutbeingread', 'x'].map(readStatusOfMms)).toEqual([
      'read',
      'deleted',
      'indeterminate',
    ])
    expect(rejectedByOf('Rejected-by-other-MMSC')).toBe('other-rs')
    expect(rejectedByOf('RejectionByMMSRecipient')).toBe('recipient')
    expect(rejectedByOf('x')).toBeUndefined()
  })
})

describe('DSN (RFC 3464, RFC 3461 §6)', () => {
  test('RPT-010: a null return path is told nothing', () => {
    expect(translated({ origin: { returnPath: null } })).toBeUndefined()
  })

  test('RPT-022, RPT-024, RPT-025, RPT-026: header, and every field in its place', () => {
    const octets = translated({
      origin: { envid: 'Ab+3D c', deliverBy: now / 1000 + 60, futureRelease: 'for;600' },
      report: { text: 'Zu spät', reportingHost: 'MMSC 7' },
    })!
    const node = scanMessage(octets)
    const field = (name: string) => fieldValue(octets, node, name)
    expect(node.fields.map((f) => f.name)).toEqual([
      'Received',
      'Date',
      'From',
      'To',
      'Subject',
      'Message-ID',
      'In-Reply-To',
      'References',
      'Auto-Submitted',
      'MIME-Version',
      'Content-Type',
    ])
    expect(field('Date')).toBe('Tue, 5 Mar 2024 11:14:30 +0100')
    expect(field('From')).toBe('+12025550123@mms.example.net')
    expect(field('Subject')).toContain('failed')
    expect(machine(octets).filter((f) => f !== '')).toEqual([
      'Original-Envelope-Id',
      'Reporting-MTA',
      'DSN-Gateway',
      'Arrival-Date',
      'Deliver-By-Date',
      'Future-Release-Request',
      'Original-Recipient',
      'Final-Recipient',
      'Action',
      'Status',
      'Last-Attempt-Date',
      'X-MMS-Status',
      'X-MMS-Status-Text',
    ])
    const text = octets.toString()
    expect(text).toContain('Original-Envelope-Id: Ab+3D c\r\n')
    expect(text).toContain('Reporting-MTA: x-local-hostname; MMSC 7\r\n')
    expect(text).toContain('Original-Recipient: rfc822; Old+=Name@example.org\r\n')
    expect(text).toContain('X-MMS-Status: DateExpired\r\n')
    expect(allFields(octets, node, 'Disposition-Notification-To')).toEqual([])
  })

  test('RPT-027: the whole original with a failure by RET or size, else its header; never a Bcc', () => {
    const third = (over: Parameters<typeof translated>[0]) => {
      const octets = translated(over)!
      const part = scanMessage(octets).parts[2]!
      const text = octets.subarray(part.bodyStart, part.bodyEnd).toString()
      expect(text).not.toMatch(/bcc/i)
      return `${part.subtype} ${/Noon/.test(text)}`
    }
    expect(third({})).toBe('rfc822 true')
    expect(third({ origin: { ret: 'hdrs' } })).toBe('rfc822-headers false')
    expect(third({ origin: { size: returnWhole + 1 } })).toBe('rfc822-headers false')
    expect(third({ origin: { size: returnWhole + 1, ret: 'full' } })).toBe('rfc822 true')
    const gone = translatedDsn(
      { origin: origin(), messageId: null, acceptedAt },
      recipient(),
      report(),
      { action: 'failed', status: '5.4.7' },
      'x',
      ctx(),
    )
    const octets = Buffer.concat(gone!.octets)
    expect(scanMessage(octets).parts[2]!.subtype).toBe('rfc822-headers')
    expect(fieldValue(octets, scanMessage(octets), 'In-Reply-To')).toBeUndefined()
  })

  test('RPT-028, SEC-010: the words of the MMS side are there, in one line, and make no field', () => {
    const evil = 'gone\r\nBcc: x@example.org\r\n\r\nAction: delivered'
    const octets = translated({
      report: { text: evil, reportingHost: 'a\r\nb', delivery: { status: 'rejected', raw: 'R\r\nX: y' } },
    })!
    const read = readReport(octets) as DeliveryStatusReport
    expect(read.recipients.map((r) => r.action)).toEqual(['failed'])
    expect(read.text).toMatch(/rejected by the recipient.*gone Bcc/)
    expect(read.text).toContain('MMS delivery report')
    expect(fieldValue(octets, scanMessage(octets), 'Bcc')).toBeUndefined()
  })

  const outcome = (over: Partial<Outcome> = {}): Outcome => ({
    index: 0,
    state: 'failed',
    status: { code: '5.1.1', text: 'no such user' },
    diagnostic: { type: 'smtp', text: '550 5.1.1 no such user' },
    remoteMta: 'mx.example.org',
    ...over,
  })
  const own = (action: 'failed' | 'delayed' | 'relayed') =>
    Buffer.concat(
      ownDsn(
        { origin: origin(), messageId: '<a1@example.org>', acceptedAt, octets: whole },
        [0, 1].map((index) => ({
          recipient: recipient({ index }),
          verdict: { action, status: action === 'failed' ? '5.1.1' : '4.0.0' },
          text: 'no such user',
          outcome: action === 'relayed' ? undefined : outcome({ index }),
          willRetryUntil: now + 60_000,
        })),
        now,
        ctx(),
      )!.octets,
    )

  test('RPT-025, RPT-026, AMB-09: our own: postmaster, no DSN-Gateway, no trace; recipients share it', () => {
    const failed = own('failed')
    expect(fieldValue(failed, scanMessage(failed), 'From')).toBe('postmaster@mms.example.net')
    expect(fieldValue(failed, scanMessage(failed), 'Received')).toBeUndefined()
    const fields = [
      'Final-Recipient',
      'Action',
      'Status',
      'Remote-MTA',
      'Diagnostic-Code',
      'Last-Attempt-Date',
    ]
    expect(machine(failed).filter((f) => f !== '')).toEqual([
      'Reporting-MTA',
      'Arrival-Date',
      ...fields,
      ...fields,
    ])
    expect(machine(own('delayed'))).toContain('Will-Retry-Until')
    expect(machine(own('relayed')).filter((f) => f !== '')).toEqual([
      'Reporting-MTA',
      'Arrival-Date',
      ...['Final-Recipient', 'Action', 'Status'],
      ...['Final-Recipient', 'Action', 'Status'],
    ])
    expect(scanMessage(own('delayed')).parts[2]!.subtype).toBe('rfc822-headers')
  })
})

describe('MDN (RFC 8098)', () => {
  const read = (status: 'read' | 'deleted' | 'indeterminate', over: Partial<MailOrigin> = {}) =>
    translatedMdn(
      { origin: origin({ dispositionTo: ['alice@example.org'], ...over }), messageId: '<a1@example.org>' },
      recipient(),
      report({ delivery: undefined, read: { status, raw: status } }),
      'from x',
      ctx(),
    )

  test('RPT-040, RPT-041, RPT-044: to Disposition-Notification-To, the fields in order, the header of the original', () => {
    const mail = read('read', { dispositionTo: ['receipts@example.org'] })!
    expect(mail.to).toBe('receipts@example.org')
    const octets = Buffer.concat(mail.octets)
    expect(machine(octets).filter((f) => f !== '')).toEqual([
      'Reporting-UA',
      'MDN-Gateway',
      'Final-Recipient',
      'Original-Message-ID',
      'Disposition',
    ])
    const said = readReport(octets) as DispositionReport
    expect(said).toMatchObject({
      returnedMessageId: '<a1@example.org>',
      originalMessageId: '<a1@example.org>',
    })
    expect(said.disposition).toMatchObject({ type: 'displayed', sendingMode: 'mdn-sent-automatically' })
    expect(fieldValue(octets, scanMessage(octets), 'Disposition-Notification-To')).toBeUndefined()
  })

  test('RPT-042, RPT-043: none for Indeterminate, without a request, from a null return path, to several', () => {
    expect(read('deleted')).toBeDefined()
    expect(read('indeterminate')).toBeUndefined()
    expect(read('read', { dispositionTo: undefined })).toBeUndefined()
    expect(read('read', { returnPath: null })).toBeUndefined()
    expect(read('read', { dispositionTo: ['a@example.org', 'b@example.org'] })).toBeUndefined()
  })
})

describe('DSN and MDN towards MMS', () => {
  const to = (address: string, index: number, orcpt?: string): OriginalRecipient => ({
    index,
    address,
    party: { kind: 'mail', value: address, raw: address },
    ...(orcpt ? { orcpt: { type: 'rfc822', address: orcpt } } : {}),
    blind: false,
    target: 'smtp:relay',
    reports: [],
  })
  const original = (recipients: readonly OriginalRecipient[]): MmsOriginal => ({
    queueId: 'Q-1',
    acceptedAt,
    keepUntil: now,
    messageId: '<M-1@gw>',
    hasContent: false,
    recipients,
    origin: {
      kind: 'mms',
      returnPath: '7777@mms.example.net',
      peer: 'vasp1',
      sender: { kind: 'shortcode', value: '7777', raw: '7777' },
      mmsMessageId: 'MMS-1',
      deliveryReport: true,
    },
  })
  const typed = (value: string, type = 'rfc822') => ({ type, value })

  test('RPT-037: Original-Recipient as written, then decoded, then Final-Recipient, then the only one', () => {
    const two = original([to('alice@example.org', 0, 'Old@example.org'), to('a+b@example.com', 1)])
    const found = (about: Parameters<typeof recipientOf>[1], named = false) =>
      recipientOf(two, about, named, settings)?.index
    expect(found({ originalRecipient: typed('old@example.org'), finalRecipient: typed('x@y.example') })).toBe(
      0,
    )
    expect(found({ originalRecipient: typed('a+2Bb@example.com') })).toBe(1)
    expect(found({ originalRecipient: typed('a+b@EXAMPLE.com') })).toBe(1)
    expect(
      found({ originalRecipient: typed('no@y.example'), finalRecipient: typed('alice@example.org') }),
    ).toBe(0)
    expect(found({ finalRecipient: typed('no@y.example') })).toBeUndefined()
    const one = original([to('alice@example.org', 0)])
    expect(recipientOf(one, { finalRecipient: typed('mbx@int.example') }, false, settings)?.index).toBe(0)
    // RPT-005: a Message-ID alone is no proof.
    expect(recipientOf(one, { finalRecipient: typed('mbx@int.example') }, true, settings)).toBeUndefined()
  })

  test('RPT-037: a qualified number is found as a number', () => {
    const toNumber = original([{ ...recipient(), orcpt: undefined }, to('alice@example.org', 1)])
    expect(
      recipientOf(toNumber, { finalRecipient: typed('+1-202-555-0123@mms.example.net') }, true, settings)
        ?.index,
    ).toBe(0)
  })

  test('RPT-038, RPT-039, AMB-08, AMB-42: ids, parties, time and one line of text', () => {
    const dsn = readReport(
      Buffer.from(
        [
          'Date: Tue, 5 Mar 2024 10:12:00 +0000',
          'Content-Type: multipart/report; boundary=b',
          '',
          '--b',
          '',
          '',
          `   ${'long '.repeat(60)}`,
          '--b',
          'Content-Type: message/delivery-status',
          '',
          'Final-Recipient: rfc822; mbx@int.example',
          'Action: failed',
          'Status: 4.4.7',
          'Last-Attempt-Date: Tue, 5 Mar 2024 11:11:00 +0100',
          '--b--',
        ].join('\r\n'),
      ),
    ) as DeliveryStatusReport
    const one = original([to('alice@example.org', 0)])
    const made = deliveryReportFrom(dsn, dsn.recipients[0]!, one, one.recipients[0]!, now)!
    expect(made).toMatchObject({
      originalMmsId: 'MMS-1',
      recipient: { value: 'alice@example.org' },
      destination: { kind: 'shortcode', value: '7777' },
      at: { epoch: Date.parse('2024-03-05T10:11:00Z') / 1000, offsetMinutes: 60 },
      delivery: { status: 'unreachable', enhanced: '4.4.7', by: 'other-rs' },
    })
    expect(made.text!.length).toBeLessThanOrEqual(140)
    expect(mm7StatusOfDelivery(made.delivery!)).toEqual({ MMStatus: 'Expired' })
    const date = (text: string) =>
      deliveryReportFrom(
        { ...dsn, date: text },
        { ...dsn.recipients[0]!, lastAttemptDate: undefined },
        one,
        one.recipients[0]!,
        now,
      )!.at
    expect(date('Tue, 5 Mar 2024 10:12:00 +0000').epoch).toBe(Date.parse('2024-03-05T10:12:00Z') / 1000)
    expect(date('yesterday')).toEqual({ epoch: now / 1000, offsetMinutes: 0 })
    expect(date('Tue, 5 Mar 2099 10:12:00 +0000').epoch).toBe(now / 1000)
    expect(
      deliveryReportFrom(dsn, { ...dsn.recipients[0]!, action: 'delayed' }, one, one.recipients[0]!, now),
    ).toBeUndefined()
    const mdn: DispositionReport = {
      kind: 'disposition-notification',
      text: '',
      disposition: { actionMode: 'automatic-action', sendingMode: '', type: 'denied', modifiers: [] },
    }
    expect(readReportFrom(mdn, one, one.recipients[0]!, now).read).toMatchObject({
      status: 'deleted',
      raw: 'denied',
    })
  })
})

describe('MM7 reports', () => {
  const request = (operation: string, ...children: ReturnType<typeof element>[]) => {
    const content = writeMm7({
      transactionId: 't',
      namespace: schemaNamespace('REL-6-MM7-1-4'),
      body: element(operation, [element('MM7Version', '6.8.0'), ...children]),
    })
    return readMm7(content.contentType, Buffer.concat(content.body))
  }
  const from = { peer: 'mmsc', receivedAt: now }
  const read = (...children: ReturnType<typeof element>[]) =>
    readMm7Report(
      request('DeliveryReportReq', element('MessageID', 'M 1'), ...children),
      from,
      ctx(),
    ) as NeutralReport

  test('MAP-170, MAP-189: parties by their roles; TimeStamp for Date; bare text; nonsense is kept as it is', () => {
    const made = read(
      element('Recipient', '12025550123'),
      element('Sender', [element('RFC2822Address', 'alice@example.org')]),
      element('TimeStamp', '2024-03-05T11:00:00+01:00'),
      element('MMStatus', 'Rejected'),
      element('MMStatusExtension', 'RejectionByOtherRS'),
      element('StatusText', 'a\nb'),
    )
    expect(made).toMatchObject({
      recipient: { kind: 'number', value: '+12025550123' },
      destination: { kind: 'mail', value: 'alice@example.org' },
      at: { epoch: Date.parse('2024-03-05T10:00:00Z') / 1000, offsetMinutes: 60 },
      delivery: { status: 'rejected', raw: 'Rejected', by: 'other-rs' },
      text: 'a b',
    })
    const bare = read(
      element('MMStatus', '421'),
      element('Date', '2999-01-01T00:00:00Z'),
      element('Recipient', [element('Number', '**')]),
    )
    expect(bare).toMatchObject({
      recipient: { kind: 'unknown', value: '**' },
      at: { epoch: now / 1000 },
      delivery: { status: 'indeterminate', raw: '421' },
    })
    expect(
      isRefusal(readMm7Report(request('DeliveryReportReq', element('MMStatus', 'x')), from, ctx())),
    ).toBe(true)
  })

  test('MAP-185, MAP-186, AMB-05: order, Rejected with its extension, none of it in release 5', () => {
    const out = report({
      originalMmsId: 'MMS-1',
      destination: { kind: 'shortcode', value: '7777', raw: '7777' },
      delivery: { status: 'unreachable', raw: 'failed', enhanced: '5.1.1', by: 'other-rs' },
      text: `${'x'.repeat(200)}\r\ny`,
    })
    const draft = writeMm7Report(out, settings.peers.vasp1!, ctx())
    if (isRefusal(draft)) throw new Error(draft.text)
    expect(draft.body.children.map((c) => c.name)).toEqual([
      'MM7Version',
      'MMSRelayServerID',
      'MessageID',
      'Recipient',
      'Sender',
      'Date',
      'MMStatus',
      'MMStatusExtension',
      'StatusText',
    ])
    expect(draft.body.children.at(-1)!.text).toHaveLength(140)
    const old = writeMm7Report(
      out,
      { ...settings.peers.vasp1!, schema: 'REL-5-MM7-1-0', version: '5.3.0' },
      ctx(),
    )
    expect(isRefusal(old) || old.body.children.map((c) => c.name)).not.toContain('MMStatusExtension')
    expect(isRefusal(writeMm7Report(report(), settings.peers.vasp1!, ctx()))).toBe(true)
  })
})
