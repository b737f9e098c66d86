/** The matrices of Tables 4 to 7, each row through the doors and the correlation store of a gateway. */
import { writeMm4Report } from '../../mapping/carriers/mm4.ts'
import type { NeutralReport } from '../../model/neutral.ts'
import { isRefusal } from '../../model/refusal.ts'
import { readReport } from '../../wire/mime/report.ts'
import { fieldValue, scanMessage } from '../../wire/mime/scan.ts'
import { element, schemaNamespace, writeMm7 } from '../../wire/mm7/write.ts'
import { childText } from '../../wire/mm7/xml.ts'
import type { Case } from './case-folder.ts'
import { httpStatus, parseHttp as parsed, writeHttp } from './http-octets.ts'
import { check, type Form } from './matrices.ts'
import { type MatrixGateway, mm7Of, withGateway } from './matrix-gateway.ts'
import type { Item } from './peers.ts'
import { postMm7 } from './run-case.ts'
import { type OriginalState, seedOriginals } from './seed-originals.ts'

const number = '+12025550123'
const event = '2024-03-05T10:14:00Z'

/** Table 4: a DeliveryReportReq about a mail with that NOTIFY. */
export const statusToDsnForm: Form = (one, rows) =>
  withGateway(one, {}, async (matrix) => {
    const out: string[] = []
    for (const [n, row] of rows.entries()) {
      await seed(one, matrix, mailOriginal(one, n, row.notify))
      const extension =
        row.by === null ? [] : [element('MMStatusExtension', row.by === 'recipient' ? byRecipient : byOther)]
      const items = await post(one, matrix, n, 'DeliveryReportReq', [
        element('Date', event),
        element('MMStatus', String(row.status)),
        ...extension,
      ])
      const report = reportIn(items)
      const group = report?.kind === 'delivery-status' ? report.recipients[0] : undefined
      out.push(...check(row, 'DSN', row.out, group ? [group.action, group.status] : null))
    }
    return out
  })

const byRecipient = 'RejectionByMMSRecipient'
const byOther = 'RejectionByOtherRS'

/** Table 5: a DSN about an MM from a VASP, and from an MM4 peer. */
export const dsnToStatusForm: Form = (one, rows) =>
  withGateway(one, {}, async (matrix) => {
    const out: string[] = []
    for (const [n, row] of rows.entries()) {
      const group = `Final-Recipient: rfc822; alice@example.org\r\nAction: ${row.action}\r\nStatus: ${row.dsnStatus}\r\n`
      const fields = (id: string) =>
        `Original-Envelope-Id: ${id}\r\nReporting-MTA: dns; relay.example.org\r\n\r\n${group}`
      const { item, written } = await bothWays(one, matrix, n, 'delivery-status', fields)
      const status = ['MMStatus', 'MMStatusExtension'].flatMap((name) => {
        const text = childText(item?.body, name)
        return text === undefined ? [] : [[name, text] as const]
      })
      out.push(...check(row, 'MM7', row.mm7, item ? Object.fromEntries(status) : null))
      out.push(...check(row, 'MM4', row.mm4, written('X-Mms-MM-Status-Code')))
    }
    return out
  })

/** Tables 6 and 7. */
export const readStatusForm: Form = (one, rows) =>
  withGateway(one, {}, async (matrix) => {
    const out: string[] = []
    for (const [n, row] of rows.entries()) {
      if (row.dir === 'M→I') {
        await seed(one, matrix, mailOriginal(one, n, 'SUCCESS'))
        const items = await post(one, matrix, n, 'ReadReplyReq', [
          element('TimeStamp', event),
          element('MMStatus', String(row.in)),
        ])
        const octets = mailIn(items)
        const said = /^disposition: (.*)$/im.exec(octets?.toString('latin1') ?? '')?.[1]?.trim()
        out.push(...check(row, 'Disposition', row.out, said))
        continue
      }
      const fields = (id: string) =>
        `Reporting-UA: ua\r\nFinal-Recipient: rfc822; alice@example.org\r\nOriginal-Message-ID: <${id}@gw.mms.example.net>\r\nDisposition: ${row.in}\r\n`
      const { item, written } = await bothWays(one, matrix, n, 'disposition-notification', fields)
      out.push(...check(row, 'MM7', row.mm7, item && childText(item.body, 'MMStatus')))
      out.push(...check(row, 'MM4', row.mm4, written('X-Mms-Read-Status')))
    }
    return out
  })

const seed = (one: Case, matrix: MatrixGateway, original: OriginalState): Promise<void> =>
  seedOriginals([original], matrix.gateway.spool, one.settings)

/** A mail that went to a number, with the NOTIFY of the row. */
function mailOriginal(one: Case, n: number, notify: unknown): OriginalState {
  const words = typeof notify === 'string' ? notify.split(',') : undefined
  return {
    direction: 'I→M',
    queueId: `I-${n}`,
    messageId: `<i${n}@example.org>`,
    returnPath: 'alice@example.org',
    arrival: one.settings.clock,
    dispositionNotificationTo: ['alice@example.org'],
    headers: `Subject: Lunch?\nMessage-ID: <i${n}@example.org>`,
    recipients: [
      {
        rcptTo: `${number}@${one.settings.gateway.mmsDomain}`,
        notify: words?.includes('NEVER')
          ? 'never'
          : words && {
              success: words.includes('SUCCESS'),
              failure: words.includes('FAILURE'),
              delay: words.includes('DELAY'),
            },
        peer: 'mmsc',
        mmsMessageId: `MM7-${n}`,
      },
    ],
  }
}

async function post(
  one: Case,
  matrix: MatrixGateway,
  n: number,
  operation: 'DeliveryReportReq' | 'ReadReplyReq',
  last: readonly ReturnType<typeof element>[],
): Promise<readonly Item[]> {
  const peer = one.settings.peers.mmsc
  const request = writeMm7({
    transactionId: `row-${n}`,
    namespace: schemaNamespace(peer?.schema ?? ''),
    body: element(operation, [
      element('MM7Version', peer?.version ?? ''),
      element('MessageID', `MM7-${n}`),
      element('Recipient', [element('Number', number)]),
      ...last,
    ]),
  })
  const start = 'POST /mm7 HTTP/1.1'
  const octets = writeHttp(start, { 'Content-Type': request.contentType }, Buffer.concat(request.body))
  const answer = await postMm7(matrix.gateway, parsed(octets), peer?.ip ?? '')
  if (httpStatus(answer) !== 200) throw new Error(`row ${n}: HTTP ${httpStatus(answer)}`)
  return matrix.run()
}

const mailIn = (items: readonly Item[]): Buffer | undefined =>
  items.flatMap((item) => (item.kind === 'smtp' && item.octets ? [item.octets] : []))[0]

function reportIn(items: readonly Item[]) {
  const octets = mailIn(items)
  return octets && readReport(octets)
}

/** The report as mail to a VASP's short code and to an MM4 peer's number; what each gets. */
async function bothWays(
  one: Case,
  matrix: MatrixGateway,
  n: number,
  type: string,
  fields: (id: string) => string,
): Promise<{ item: ReturnType<typeof mm7Of>; written: (field: string) => string | null }> {
  const { mmsDomain, host } = one.settings.gateway
  const send = async (peer: string, sender: string) => {
    const queueId = `M-${peer}-${n}`
    const returnPath = `${sender}@${mmsDomain}`
    await seed(one, matrix, {
      direction: 'M→I',
      queueId,
      messageId: `<${queueId}@${host}>`,
      returnPath,
      arrival: one.settings.clock,
      deliveryReport: true,
      readReply: true,
      source: { peer, sender, mmsMessageId: `MMS-${peer}-${n}` },
      recipients: [{ rcptTo: 'alice@example.org' }],
    })
    const message =
      `Date: Tue, 5 Mar 2024 10:12:00 +0000\r\nFrom: alice@example.org\r\nTo: ${returnPath}\r\nMIME-Version: 1.0\r\n` +
      `Content-Type: multipart/report; report-type=${type}; boundary=in\r\n\r\n--in\r\n\r\nText.\r\n` +
      `--in\r\nContent-Type: message/${type}\r\n\r\n${fields(queueId)}\r\n--in--\r\n`
    const { items } = await matrix.mail(
      { mailFrom: { path: '<>', params: [] }, rcptTo: [{ path: `<${returnPath}>`, params: [] }] },
      Buffer.from(message),
    )
    return items
  }
  const item = mm7Of((await send('vasp1', '7777'))[0])
  await send('opb', '+447700900123')
  const octets = await mm4Octets(one, matrix, `MMS-opb-${n}`)
  return {
    item,
    written: (field) => (octets ? (fieldValue(octets, scanMessage(octets), field) ?? null) : null),
  }
}

/** What the MM4 peer gets for the report about this message, whether its connection works or not. */
async function mm4Octets(
  one: Case,
  matrix: MatrixGateway,
  mmsMessageId: string,
): Promise<Buffer | undefined> {
  const entries = await matrix.gateway.spool.list({ open: false })
  const report = entries
    .flatMap(({ entry }): readonly NeutralReport[] =>
      entry.origin.carrier === 'report' ? entry.origin.reports : [],
    )
    .find((r) => r.originalMmsId === mmsMessageId)
  const peer = one.settings.peers.opb
  if (!report || !peer) return undefined
  const ids = {
    transactionId: () => 'TX',
    messageId: () => '<M@x>',
    mmsMessageId: () => 'MMS',
    contentId: () => '<P@x>',
    boundary: () => 'b',
  }
  const written = writeMm4Report(report, { peerKey: 'opb', peer }, undefined, {
    settings: one.settings,
    ids,
    now: one.clock,
  })
  return isRefusal(written) ? undefined : Buffer.concat(written.octets)
}
