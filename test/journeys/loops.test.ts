/** QUE-042: a message that goes round through the MMS side, where nothing marks that it was here. */
import { expect, test } from 'vitest'
import { element, writeMm7 } from '../../src/wire/mm7/write.ts'
import { gatewayHere } from '../support/gateway.ts'
import { eventually, fakeMmsc, mailSink, namespace, post, smtpClient } from '../support/peers.ts'

const number = '+12025550123'
const handset = `${number}@mms.example.net`

async function between() {
  const clock = { now: Date.parse('2024-03-05T10:15:30Z') }
  const mmsc = await fakeMmsc()
  const sink = await mailSink()
  const gateway = await gatewayHere(
    {
      peers: {
        mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url: mmsc.url, mailOut: true },
        relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port },
      },
      routes: [
        { match: 'number:+', to: 'mm7-submit:mmsc' },
        { match: 'domain:mms.example.net', to: 'by-number' },
        { match: 'domain:*', to: 'smtp:relay' },
      ],
    },
    { now: () => clock.now },
  )
  const smtp = await smtpClient(gateway.addresses.smtp!)
  let round = 0
  /** A mail for the handset, as a mailbox sends on what it got: another Message-ID, another "Fwd:". */
  const toMms = (text: string, subject = 'Round') => {
    round++
    return smtp.send(
      'bob@outside.example',
      [handset],
      `From: bob@outside.example\r\nTo: ${handset}\r\nSubject: ${'Fwd: '.repeat(round % 3)}${subject}\r\nMessage-ID: <r${round}@outside.example>\r\n\r\n${text}\r\n`,
    )
  }
  /** The same as the MMSC sends it back, in a presentation. */
  const toMail = async (text: string, subject = 'Round') => {
    round++
    const answer = await post(
      gateway.addresses.mm7!,
      writeMm7({
        transactionId: `r-${round}`,
        namespace,
        rootId: '<root>',
        boundary: 'outer',
        body: element('DeliverReq', [
          element('MM7Version', '6.8.0'),
          element('Sender', [element('Number', number)]),
          element('Recipients', [element('To', [element('RFC2822Address', 'bob@outside.example')])]),
          element('Subject', subject),
          element('Content', [], { href: 'cid:c' }),
        ]),
        content: {
          fields: [
            { name: 'Content-Type', value: 'multipart/related; boundary=in; type="application/smil"' },
            { name: 'Content-ID', value: '<c>' },
          ],
          body: [
            Buffer.from(
              `--in\r\nContent-Type: application/smil\r\n\r\n<smil>${round}</smil>\r\n--in\r\nContent-Type: text/plain\r\n\r\n${text}\r\n--in--\r\n`,
            ),
          ],
        },
      }),
    )
    return answer.status
  }
  return { gateway, mmsc, sink, clock, toMms, toMail }
}

test('QUE-042: after five rounds 5.4.6 and 3002; other messages pass, and an hour later it may start again', async () => {
  const { mmsc, sink, clock, toMms, toMail } = await between()
  for (let i = 0; i < 5; i++) {
    expect(await toMms('round and round'), String(i)).toMatch(/^250/)
    expect(await toMail('round and round'), String(i)).toBe(1000)
    clock.now += 60_000
  }
  await eventually(() => mmsc.received.length === 5 && sink.taken.length === 5)
  expect(await toMms('round and round')).toMatch(/^554 5\.4\.6 /)
  expect(await toMail('round and round')).toBe(3002)
  // Another text between the same two, the same text to another subject.
  expect(await toMms('something else')).toMatch(/^250/)
  expect(await toMail('round and round', 'Other')).toBe(1000)
  clock.now += 3_600_000
  expect(await toMms('round and round')).toMatch(/^250/)
  expect(await toMail('round and round')).toBe(1000)
})

test('QUE-042: what repeats itself one way alone is no loop, however often', async () => {
  const { gateway, toMms, toMail } = await between()
  for (let i = 0; i < 20; i++) expect(await toMms('ALARM: door 4')).toMatch(/^250/)
  // Nor is what comes back in a row: that are two rounds, not twenty.
  for (let i = 0; i < 8; i++) expect(await toMail('ALARM: door 4')).toBe(1000)
  for (let i = 0; i < 8; i++) expect(await toMms('ALARM: door 4')).toMatch(/^250/)
  expect((await gateway.engine.spool.list({ open: false, limit: 100 })).length).toBe(36)
})
