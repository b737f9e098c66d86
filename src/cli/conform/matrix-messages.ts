/** Matrices about whole messages: priority, file names, and what an MM7 status does to a delivery. */
import { parseDisposition } from '../../wire/mime/parameters.ts'
import { allFields, fieldValue, scanMessage } from '../../wire/mime/scan.ts'
import { element, schemaNamespace, writeMm7 } from '../../wire/mm7/write.ts'
import { child, childText } from '../../wire/mm7/xml.ts'
import type { Case } from './case-folder.ts'
import type { EnvelopeJson } from './envelopes.ts'
import { writeHttp } from './http-octets.ts'
import { check, type Form, type Row } from './matrices.ts'
import { internet, type MatrixGateway, mm7Of, sessionOf, withGateway } from './matrix-gateway.ts'
import { withFields } from './matrix-smtp.ts'

const simple = (to: string, body = 'text'): Buffer =>
  Buffer.from(
    `Date: Tue, 5 Mar 2024 02:15:00 -0800\r\nFrom: alice@example.org\r\nTo: ${to}\r\nSubject: row\r\nMessage-ID: <row@example.org>\r\n` +
      `MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n${body}\r\n`,
    'latin1',
  )

const toMms = (one: Case, ...locals: readonly string[]): EnvelopeJson => ({
  session: internet,
  mailFrom: { path: '<alice@example.org>', params: [] },
  rcptTo: locals.map((local) => ({ path: `<${local}@${one.settings.gateway.mmsDomain}>`, params: [] })),
})

/** Fields of a mail or of an MM4_forward.REQ, and what becomes of them on the other side. */
export const priorityForm: Form = (one, rows) =>
  withGateway(one, {}, async (gateway) => {
    const out: string[] = []
    for (const [n, row] of rows.entries())
      out.push(
        ...(row.dir === 'M→I'
          ? await mm4Priority(one, gateway, row, n)
          : await mailPriority(one, gateway, row)),
      )
    return out
  })

async function mm4Priority(one: Case, { mail }: MatrixGateway, row: Row, n: number): Promise<string[]> {
  const { host } = one.settings.gateway
  const system = `system-user@${one.settings.peers.opb?.host ?? ''}`
  const request = withFields(
    simple('alice@example.org').subarray(0),
    [
      'X-Mms-3GPP-MMS-Version: 6.3.0',
      'X-Mms-Message-Type: MM4_forward.REQ',
      `X-Mms-Transaction-ID: "row-${n}"`,
      `X-Mms-Message-ID: "row-${n}"`,
      `X-Mms-Originator-System: ${system}`,
    ].join('\n'),
  )
  const text = request.toString('latin1').replace('From: alice@example.org', 'From: +447700900123/TYPE=PLMN')
  const envelope: EnvelopeJson = {
    session: sessionOf(one, 'opb'),
    mailFrom: { path: `<+447700900123/TYPE=PLMN@${one.settings.peers.opb?.host}>`, params: [] },
    rcptTo: [{ path: '<alice@example.org>', params: [] }],
  }
  const { reply, items } = await mail(envelope, withFields(Buffer.from(text, 'latin1'), row.in))
  const sent = items.find((item) => item.kind === 'smtp' && item.via === 'smtp:relay')
  const octets = sent?.kind === 'smtp' ? sent.octets : undefined
  if (!octets) return [`${JSON.stringify(row)}: no mail left ${host} (${reply.code} ${reply.enhanced})`]
  const node = scanMessage(octets)
  const found: Record<string, string> = {}
  for (const name of ['Importance', 'X-Priority', 'X-MSMail-Priority'])
    for (const value of allFields(octets, node, name)) found[name] = value
  return check(row, 'out', row.out, found)
}

async function mailPriority(one: Case, { mail }: MatrixGateway, row: Row): Promise<string[]> {
  const message = withFields(simple(`+12025550123@${one.settings.gateway.mmsDomain}`), row.in)
  const { items } = await mail(toMms(one, '+12025550123', '+447700900124'), message)
  const mm7 = mm7Of(items.find((item) => item.kind === 'http'))
  const mm4 = items.find((item) => item.kind === 'smtp')
  const octets = mm4?.kind === 'smtp' ? mm4.octets : undefined
  if (!octets) return [`${JSON.stringify(row)}: no MM4_forward.REQ left`]
  return [
    ...check(row, 'MM7 Priority', row.out, childText(mm7?.body, 'Priority')),
    ...check(row, 'X-Mms-Priority', row.out, fieldValue(octets, scanMessage(octets), 'X-Mms-Priority')),
  ]
}

/** The disposition on the second part of a mail; name and location of that part in the SubmitReq. */
export const fileNameForm: Form = (one, rows) =>
  withGateway(one, {}, async ({ mail }) => {
    const out: string[] = []
    const address = `+12025550123@${one.settings.gateway.mmsDomain}`
    // Any picture will do that is no tracking pixel.
    const picture = Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(200, 1)]).toString('base64')
    for (const row of rows) {
      const message = Buffer.from(
        `From: alice@example.org\r\nTo: ${address}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n` +
          `--b\r\n\r\ntext\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n` +
          `Content-Disposition: ${row.in}\r\n\r\n${picture.match(/.{1,76}/g)?.join('\r\n')}\r\n--b--\r\n`,
        'utf8',
      )
      const { items } = await mail(toMms(one, '+12025550123'), message)
      const content = mm7Of(items[0])?.content
      const part = content?.node.parts.find((p) => p.subtype === 'jpeg')
      if (!content || !part) {
        out.push(`${JSON.stringify(row)}: the part did not arrive`)
        continue
      }
      const disposition = fieldValue(content.octets, part, 'Content-Disposition')
      const name = parseDisposition(disposition ?? '').params.find((p) => p.name === 'filename')?.value
      const location = fieldValue(content.octets, part, 'Content-Location') ?? ''
      out.push(...check(row, 'name', row.name, name))
      out.push(
        ...check(
          row,
          'location',
          row.location,
          row.location === null && location === 'image2.jpg' ? null : location,
        ),
      )
    }
    return out
  })

/** Each code as the answer to our SubmitReq (2006: to our DeliverReq, which has a LinkedID). */
export const mm7CodeForm: Form = (one, rows) => {
  let code = 1000
  const http = (): Buffer => mm7Response(one, code)
  return withGateway(one, { http }, async (matrix) => {
    const out: string[] = []
    for (const row of rows) {
      code = Number(row.code)
      const locals = code === 2006 ? ['7777'] : ['+12025550123', '+12025550124']
      const { items } = await matrix.mail(
        toMms(one, ...locals),
        simple(locals.map((l) => `${l}@${one.settings.gateway.mmsDomain}`).join(', ')),
      )
      const requests = items.map(mm7Of).filter((r) => r !== undefined)
      const entries = await matrix.gateway.spool.list({ open: false })
      const fates = entries
        .filter(({ entry }) => entry.sender !== '')
        .at(-1)
        ?.deliveries.flatMap((d) => d.recipients)
      const deferred = fates?.every((r) => r.state === 'deferred') === true
      out.push(...check(row, 'retry', row.retry, retryOf(requests, deferred)))
      const statuses = new Set(fates?.map((r) => r.status?.code))
      const failed = fates?.some((r) => r.state === 'failed' || r.state === 'deferred')
      const wanted = row.dsnStatus
      if (wanted === 'per recipient') {
        // Details names nobody: all were taken.
        out.push(...check(row, 'failed', false, failed))
        continue
      }
      const status = failed ? [...statuses].join(' ') : null
      out.push(...check(row, 'dsnStatus', wanted, status))
      const dsn = items.find((item) => item.kind === 'smtp')
      const text = dsn?.kind === 'smtp' ? (dsn.octets?.toString('latin1') ?? '') : ''
      const told = /^status: (\S+)/im.exec(text)?.[1]
      if (!deferred) out.push(...check(row, 'Status of the DSN', wanted, told))
    }
    return out
  })
}

function retryOf(requests: readonly NonNullable<ReturnType<typeof mm7Of>>[], deferred: boolean): unknown {
  if (deferred) return true
  const [first, second] = requests
  if (!first || !second) return false
  const versions = [first, second].map((r) => childText(r.body, 'MM7Version') ?? '')
  const linked = [first, second].map((r) => child(r.body, 'LinkedID') !== undefined)
  if (versions[0] !== versions[1]) return 'once lower version'
  if (linked[0] && !linked[1]) return 'once without LinkedID'
  return requests.length > 2 ? 'split' : false
}

function mm7Response(one: Case, code: number): Buffer {
  const peer = one.settings.peers.mmsc
  const written = writeMm7({
    transactionId: 'any',
    namespace: schemaNamespace(peer?.schema ?? ''),
    body: element('SubmitRsp', [
      element('MM7Version', peer?.version ?? ''),
      element('Status', [element('StatusCode', String(code)), element('StatusText', 'text')]),
      ...(code === 1000 || code === 1100 ? [element('MessageID', 'PEER')] : []),
    ]),
  })
  return writeHttp('HTTP/1.1 200 OK', { 'Content-Type': written.contentType }, Buffer.concat(written.body))
}
