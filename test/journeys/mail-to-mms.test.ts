/** A mail from an SMTP client until the MMSC has it, or its sender knows why not (RFC 4356 §2.1.3.3, RFC 3464). */
import { expect, test } from 'vitest'
import { pictureOctets } from '../../src/cli/demo-message.ts'
import type { MimeNode } from '../../src/wire/mime/node.ts'
import { decodeBody, fieldValue, scanMessage } from '../../src/wire/mime/scan.ts'
import { child, childText } from '../../src/wire/mm7/xml.ts'
import { gatewayHere } from '../support/gateway.ts'
import { eventually, fakeMmsc, inbox, smtpClient } from '../support/peers.ts'

const handset = '+12025550123@mms.example.net'
const mail = (subject: string, more = ''): string =>
  `From: Alice <alice@example.net>\r\nTo: ${handset}\r\nSubject: ${subject}\r\nDate: Tue, 5 Mar 2024 10:00:00 +0000\r\nMessage-ID: <${subject}@example.net>\r\n${more}\r\nHello handset`

const peer = (url: string) => ({
  mmsc: {
    interface: 'mm7',
    role: 'rs',
    ip: '127.0.0.1',
    host: 'mmsc.example.com',
    url,
    vaspId: 'gw',
    vasId: 'm2m',
  },
})

test('a mail with a picture reaches the MMSC as a SubmitReq', async () => {
  const mmsc = await fakeMmsc()
  const gateway = await gatewayHere({ peers: peer(mmsc.url) })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const picture = Buffer.from(pictureOctets)
  const octets = [
    'From: Alice <alice@example.net>',
    `To: ${handset}`,
    'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=',
    'Importance: High',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Grüße',
    '--b',
    'Content-Type: image/png; name=lemon.png',
    'Content-Transfer-Encoding: base64',
    '',
    picture.toString('base64'),
    '--b--',
  ].join('\r\n')
  expect(await smtp.send('alice@example.net', [handset], octets)).toMatch(/^250 2\.6\.0 Queued as /)
  const [submitted] = await eventually(() => mmsc.received.length > 0 && mmsc.received)
  const { message } = submitted!
  expect(message.operation).toBe('SubmitReq')
  expect(childText(child(message.body, 'SenderIdentification'), 'VASPID')).toBe('gw')
  expect(childText(child(child(message.body, 'Recipients'), 'To'), 'Number')).toBe('+12025550123')
  expect(childText(message.body, 'Subject')).toBe('Grüße')
  expect(childText(message.body, 'Priority')).toBe('High')
  const { octets: whole, node } = message.content!
  const leaves = (at: MimeNode): MimeNode[] => (at.parts.length === 0 ? [at] : at.parts.flatMap(leaves))
  const parts = leaves(node)
  const image = parts.find((p) => p.type === 'image')!
  expect(Buffer.from(decodeBody(whole, image)).equals(picture)).toBe(true)
  const text = parts.find((p) => p.subtype === 'plain')!
  expect(Buffer.from(decodeBody(whole, text)).toString()).toBe('Grüße')
  // The queue forgets nothing and repeats nothing.
  await eventually(async () => (await gateway.operations.queue({ all: false, limit: 10 })).length === 0)
  expect(mmsc.received).toHaveLength(1)
})

test('QUE-010, MM7-062: an MMSC that is down gets the same request by the schedule, and nothing is lost meanwhile', async () => {
  const gone = await fakeMmsc()
  await gone.close()
  let now = Date.now()
  const gateway = await gatewayHere({ peers: peer(gone.url) }, { now: () => now })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  for (let i = 0; i < 5; i++)
    expect(await smtp.send('alice@example.net', [handset], mail(`down-${i}`))).toMatch(/^250 /)
  const attemptsOf = async () =>
    (await gateway.operations.queue({ all: false, limit: 10 })).map((item) => item.deliveries[0]!)
  const first = await eventually(async () => {
    const found = await attemptsOf()
    return found.length === 5 && found.every((d) => d.attempts === 1) && found
  })
  for (const delivery of first) {
    expect(delivery.recipients[0]).toMatchObject({ state: 'deferred', status: { code: '4.4.1' } })
    // One minute, 10 % more or less.
    expect(delivery.dueAt - now).toBeGreaterThan(53_000)
    expect(delivery.dueAt - now).toBeLessThan(67_000)
  }
  const back = await fakeMmsc(gone.port)
  back.status = 4000
  now += 70_000
  await gateway.operations.retry(first[0]!.entry.queueId)
  await eventually(async () => (await attemptsOf()).every((d) => d.attempts === 2))
  expect(new Set(back.received.map((r) => r.message.transactionId)).size).toBe(5)
  back.status = 1000
  now += 6 * 60_000
  await gateway.operations.retry(first[0]!.entry.queueId)
  await eventually(async () => (await attemptsOf()).length === 0)
  // At every attempt octet for octet the same.
  const bodies = (transactionId: string | undefined) =>
    back.received
      .filter((r) => r.message.transactionId === transactionId)
      .map((r) => r.body.toString('latin1'))
  for (const { message } of back.received) {
    const [one, two, more] = bodies(message.transactionId)
    expect(two).toBe(one)
    expect(more).toBeUndefined()
  }
  expect(await inbox(gateway)).toEqual([])
})

test.each([
  [2003, '5.1.1'],
  [2004, '5.6.1'],
  [2007, '5.6.0'],
  [3002, '5.7.1'],
  [4005, '5.3.0'],
  [4007, '5.7.1'],
])('RPT-054: MM7 status %i becomes a DSN with Status %s', async (status, enhanced) => {
  const mmsc = await fakeMmsc()
  mmsc.status = status
  const gateway = await gatewayHere({ peers: peer(mmsc.url) })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  await smtp.send('alice@example.net', [handset], mail('refused'))
  const [dsn] = await eventually(async () => {
    const found = await inbox(gateway)
    return found.length > 0 && found
  })
  const node = scanMessage(dsn!)
  expect(fieldValue(dsn!, node, 'Return-Path')).toBe('<>')
  expect(fieldValue(dsn!, node, 'Auto-Submitted')).toBe('auto-replied')
  const report = Buffer.from(decodeBody(dsn!, node.parts[1]!)).toString()
  expect(report).toMatch(/^Action: failed\r$/m)
  expect(report).toMatch(new RegExp(`^Status: ${enhanced.replaceAll('.', '\\.')}\r$`, 'm'))
  expect(report).toMatch(/^Final-Recipient: rfc822; \+12025550123@mms\.example\.net\r$/m)
  expect(report).toMatch(new RegExp(`^Diagnostic-Code: x-mm7; ${status} `, 'm'))
  expect(report).toMatch(/^Remote-MTA: dns; mmsc\.example\.com\r$/m)
  expect(mmsc.received).toHaveLength(1)
})

test('RPT-010, RPT-011, RPT-056: no report to a null reverse-path, none with NOTIFY=NEVER', async () => {
  const mmsc = await fakeMmsc()
  mmsc.status = 2003
  const gateway = await gatewayHere({ peers: peer(mmsc.url) })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  expect(await smtp.send('', [handset], mail('null'))).toMatch(/^250/)
  expect(await smtp.send('alice@example.net', [`<${handset}> NOTIFY=NEVER`], mail('never'))).toMatch(/^250/)
  await eventually(async () => mmsc.received.length === 2)
  await eventually(async () => (await gateway.operations.queue({ all: false, limit: 10 })).length === 0)
  expect(await inbox(gateway)).toEqual([])
  expect(await gateway.operations.queue({ all: true, limit: 10 })).toHaveLength(2)
})

test('QUE-054: what the operator gives up is told to the sender, with the reason', async () => {
  const mmsc = await fakeMmsc()
  mmsc.status = 3000
  const gateway = await gatewayHere({ peers: peer(mmsc.url) })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  await smtp.send('alice@example.net', [handset], mail('given-up'))
  const item = await eventually(async () => {
    const [found] = await gateway.operations.queue({ all: false, limit: 10 })
    return found?.deliveries[0]?.attempts === 1 && found
  })
  expect(await gateway.operations.bounce(item.entry.queueId, 'number was ported')).toBe(1)
  const [dsn] = await eventually(async () => {
    const found = await inbox(gateway)
    return found.length > 0 && found
  })
  expect(dsn!.toString()).toMatch(/Given up by the operator: number was ported/)
  expect(dsn!.toString()).toMatch(/^Status: 5\.0\.0\r$/m)
})

test('SEC-060: no open relay', async () => {
  const gateway = await gatewayHere()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  for (const to of ['x@example.org', 'a%example.org@mms.example.net', '@example.net:x@example.org'])
    expect(await smtp.send('alice@example.net', [to], mail('relay'))).toMatch(/^55\d 5\./)
})

test('MAP-157, MAP-158: accepted for a mailbox, a private mail is not sent to MMS; the DSN returns it as RET asks', async () => {
  const mmsc = await fakeMmsc()
  const gateway = await gatewayHere({ peers: peer(mmsc.url) })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const big = 'a line that makes it long\r\n'.repeat(3000)
  const asked = [
    { ret: '', body: 'short\r\n', returned: 'message/rfc822' },
    { ret: ' RET=FULL', body: big, returned: 'message/rfc822' },
    { ret: '', body: big, returned: 'text/rfc822-headers' },
    { ret: ' RET=HDRS', body: 'short\r\n', returned: 'text/rfc822-headers' },
  ]
  for (const [i, { ret, body, returned }] of asked.entries()) {
    const text = `From: alice@example.net\r\nTo: bob@example.net, ${handset}\r\nSensitivity: Private\r\nSubject: secret ${i}\r\nMessage-ID: <s${i}@example.net>\r\n\r\n${body}`
    // Towards the handset alone it is refused at once.
    expect(await smtp.send('alice@example.net', [handset], text, ret)).toMatch(/^550 5\.6\.0 /)
    expect(await smtp.send('alice@example.net', ['bob@example.net', handset], text, ret)).toMatch(/^250 /)
    const dsn = await eventually(async () => (await inbox(gateway))[i])
    const node = scanMessage(dsn)
    expect(fieldValue(dsn, node, 'Sensitivity')).toBeUndefined()
    const [human, machine, third] = node.parts
    expect(Buffer.from(decodeBody(dsn, human!)).toString()).toMatch(/privacy|private/i)
    const status = Buffer.from(decodeBody(dsn, machine!)).toString()
    expect(status).toContain(`Final-Recipient: rfc822; ${handset}\r\nAction: failed\r\nStatus: 5.6.0\r\n`)
    expect(status).not.toContain('bob@')
    expect(`${third!.type}/${third!.subtype}`).toBe(returned)
    const back = Buffer.from(decodeBody(dsn, third!)).toString()
    expect(back).toContain(`Subject: secret ${i}\r\n`)
    expect(back.includes(body)).toBe(returned === 'message/rfc822')
  }
  expect(await inbox(gateway, 'bob@example.net')).toHaveLength(asked.length)
  expect(mmsc.received).toEqual([])
})
