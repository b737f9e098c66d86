import { expect, test } from 'vitest'
import { Rates } from '../../src/routing/rates.ts'
import { gatewayHere } from '../support/gateway.ts'
import { deliverReq, fakeMmsc, post, smtpClient } from '../support/peers.ts'

const peers = (url: string) => ({ mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url } })
const number = (n: number): string => `+1202555010${n}@mms.example.net`

test('SEC-036: 450 4.7.1 for who sends too much, to too many, or to one number; others go on', async () => {
  const mmsc = await fakeMmsc()
  const rates = { perIp: 6, perSender: 3, perNumber: 2 }
  const gateway = await gatewayHere({ peers: peers(mmsc.url), rates })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const rcpt = async (from: string, to: string): Promise<string> => {
    await smtp.command(`MAIL FROM:<${from}>`)
    const reply = await smtp.command(`RCPT TO:<${to}>`)
    await smtp.command('RSET')
    return reply.slice(0, 9)
  }
  expect([await rcpt('a@x.example', number(1)), await rcpt('b@x.example', number(1))]).toEqual([
    '250 2.1.5',
    '250 2.1.5',
  ])
  expect(await rcpt('c@x.example', number(1))).toBe('450 4.7.1')
  expect([await rcpt('a@x.example', number(2)), await rcpt('A@x.example', number(3))]).toEqual([
    '250 2.1.5',
    '250 2.1.5',
  ])
  expect(await rcpt('a@x.example', number(4))).toBe('450 4.7.1')
  // Five were taken by now, and the refused do not count: one more, from whom ever.
  expect(await rcpt('d@x.example', number(5))).toBe('250 2.1.5')
  expect(await rcpt('e@x.example', number(6))).toBe('250 2.1.5')
  expect(await rcpt('f@x.example', number(7))).toBe('450 4.7.1')
  const other = await smtpClient(gateway.addresses.smtp!, '127.0.0.2')
  await other.command('MAIL FROM:<f@x.example>')
  expect(await other.command(`RCPT TO:<${number(7)}>`)).toMatch(/^250/)
})

test('SEC-036: MM7 gets 4006', async () => {
  const mmsc = await fakeMmsc()
  const gateway = await gatewayHere({ peers: peers(mmsc.url), rates: { perSender: 2 } })
  const status = async (transactionId: string, from: string) =>
    (await post(gateway.addresses.mm7!, deliverReq({ transactionId, from }))).status
  expect([await status('1', '+12025550101'), await status('2', '+12025550101')]).toEqual([1000, 1000])
  expect(await status('3', '+12025550101')).toBe(4006)
  expect(await status('4', '+12025550102')).toBe(1000)
  // Refused, so not known: the same request again may be taken later.
  expect(await status('3', '+12025550103')).toBe(1000)
})

test('SEC-036: a minute is spread evenly, what is remembered is bounded, a clock that is set back locks nobody out', () => {
  const rates = new Rates({ perSender: 60 })
  const sender = (value: string) => ({ kind: 'mail', value, raw: value }) as const
  const to = sender('t@y.example')
  let now = 1_000_000_000
  let taken = 0
  for (let n = 0; n < 100; n++) if (!rates.mms(sender('a@x'), to, now)) taken++
  expect(taken).toBe(60)
  now += 1001
  expect(rates.mms(sender('a@x'), to, now)).toBeUndefined()
  expect(rates.mms(sender('a@x'), to, now)).toMatchObject({ refused: 'too-many' })
  now -= 1e8
  expect(rates.mms(sender('a@x'), to, now)).toMatchObject({ refused: 'too-many' })
  now += 2000
  expect(rates.mms(sender('a@x'), to, now)).toBeUndefined()
})
