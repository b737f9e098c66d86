/**
 * Real DSNs and MDNs, read in place: whatever holds a machine-readable report gives every recipient, action and status that
 * its lines say (QUIRKS 52, RPT-060 to RPT-062). What the lines say is found by searching the text, not by our parser.
 */
import { describe, expect, test } from 'vitest'
import { type MailReport, readReport } from '../src/wire/mime/report.ts'
import { corpusFiles, corpusOctets, hasCorpus } from './support/corpus.ts'

interface Said {
  readonly kind: 'delivery-status' | 'disposition-notification'
  readonly recipients: readonly string[]
  readonly actions: readonly string[]
  readonly statuses: readonly string[]
}

/** What the first machine-readable part says; undefined: there is none. */
function said(octets: Buffer): Said | undefined {
  const text = octets.toString('latin1').replace(/\r\n?/g, '\n')
  const type =
    /^content-type:\s*(?:message|report)\/(?:global-)?(delivery-status|disposition-notification)\b/im.exec(
      text,
    )
  if (!type) return undefined
  const part = text.slice(type.index)
  const begin = part.search(/\n[ \t]*\n/)
  const head = part.slice(0, begin)
  let body = part.slice(begin).replace(/^\n+/, '').split(/^--/m)[0] ?? ''
  if (/content-transfer-encoding:\s*base64/i.test(head))
    body = Buffer.from(body, 'base64').toString('latin1').replace(/\r\n?/g, '\n')
  if (/content-transfer-encoding:\s*quoted-printable/i.test(head))
    body = body
      .replace(/=\n/g, '')
      .replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const unfolded = body.replace(/\n[ \t]+/g, ' ')
  const values = (name: string): string[] =>
    [...unfolded.matchAll(new RegExp(`^${name}[ \\t]*:[ \\t]*(.*)$`, 'gim'))].map((m) => m[1]?.trim() ?? '')
  const finals = values('final-recipient')
  const isDsn = type[1]?.toLowerCase() === 'delivery-status'
  const first = (pattern: RegExp) => (value: string) => pattern.exec(value)?.[0].toLowerCase() ?? ''
  return {
    kind: isDsn ? 'delivery-status' : 'disposition-notification',
    recipients: (finals.length > 0 ? finals : values('original-recipient')).map(address),
    actions: isDsn
      ? values('action').map(first(/^[\w-]+/))
      : values('disposition').map((value) => /;\s*([\w-]+)/.exec(value)?.[1]?.toLowerCase() ?? ''),
    statuses: isDsn ? values('status').map(first(/\d\.\d+\.\d+/)) : [],
  }
}

/** `rfc822; <a@b>` as a@b. */
// Some write rfc/822.
const address = (value: string): string =>
  value
    .replace(/^[a-z0-9/-]+\s*;/i, '')
    .replace(/\([^)]*\)/g, '')
    .replace(/[<>\s]/g, '')
    .toLowerCase()

function found(report: MailReport | undefined): Said | undefined {
  if (!report || report.kind === 'other') return undefined
  if (report.kind === 'disposition-notification')
    return {
      kind: report.kind,
      recipients: report.finalRecipient ? [address(report.finalRecipient.value)] : [],
      actions: [report.disposition.type],
      statuses: [],
    }
  const { recipients } = report
  return {
    kind: report.kind,
    recipients: recipients.map((r) => address((r.finalRecipient ?? r.originalRecipient)?.value ?? '')),
    actions: recipients.map((r) => r.action),
    statuses: recipients.map((r) => r.status),
  }
}

/** Where the two differ, and who is right. */
const known: readonly { readonly file: RegExp; readonly why: string }[] = [
  {
    file: /multipart_report_multiple_status/,
    why: 'the first part of that type is text for people; ours reads the one with the fields',
  },
  { file: /lhost-mcafee-0[23]/, why: 'no Status: ours takes the one in Diagnostic-Code' },
  { file: /lhost-postfix-(49|50)/, why: 'a report quoted in the text of a mail is no part of it' },
  { file: /lhost-x5-01/, why: 'a report in a message that is passed on is not about ours' },
  { file: /rfc3464-35/, why: 'delimiters after a blank are none (RFC 2046 §5.1.1)' },
]

describe.skipIf(!hasCorpus)('real reports (skipped without ../shared/corpus)', () => {
  test('QUIRKS 52: recipient, action and status of every machine-readable one', () => {
    const files = [...(corpusFiles.get('dsn') ?? []), ...(corpusFiles.get('mdn') ?? [])]
    const count = { mails: files.length, reports: 0, recipients: 0, withoutStatus: 0, explained: 0 }
    const differ: string[] = []
    const used = new Set<RegExp>()
    for (const file of files) {
      const octets = corpusOctets(file)
      const [want, got] = [said(octets), found(readReport(octets))]
      if (!want && !got) continue
      count.reports++
      count.recipients += got?.recipients.length ?? 0
      count.withoutStatus += got?.statuses.filter((status) => status === '').length ?? 0
      // A group without a Status has no line of it.
      const statuses = got?.statuses.filter((status) => status !== '')
      if (
        JSON.stringify(want && { ...want, statuses: want.statuses.filter(Boolean) }) ===
        JSON.stringify(got && { ...got, statuses })
      )
        continue
      const reason = known.find((k) => k.file.test(file))
      if (reason) {
        count.explained++
        used.add(reason.file)
      } else differ.push(`${file}: ${JSON.stringify(want)} | ${JSON.stringify(got)}`)
    }
    console.info(`real reports: ${JSON.stringify(count)}`)
    expect(differ).toEqual([])
    // A reason that nothing needs any more is none.
    expect(known.filter((k) => !used.has(k.file))).toEqual([])
    expect(count.reports).toBeGreaterThanOrEqual(266)
    expect(count.recipients).toBeGreaterThanOrEqual(272)
    expect(count.withoutStatus).toBeLessThanOrEqual(5)
  }, 60_000)
})
