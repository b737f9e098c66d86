/** Edges of single MM7 rules, each such that breaking the rule's code by hand makes the test fail. */
import { createHash } from 'node:crypto'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { mm7Status } from '../../src/wire/mm7/status.ts'
import { element, writeMm7 } from '../../src/wire/mm7/write.ts'
import { parseXml } from '../../src/wire/mm7/xml.ts'
import { gatewayHere } from '../support/gateway.ts'
import { deliverReq, eventually, fakeMmsc, inbox, mailSink, namespace } from '../support/peers.ts'

const start = Date.parse('2024-03-05T10:15:30Z')

async function postRaw(url: string, body: Uint8Array, headers: Record<string, string> = {}) {
  const response = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'text/xml', ...headers },
    body,
  })
  return {
    status: response.statusCode,
    challenges: [response.headers['www-authenticate'] ?? []].flat().join(', '),
    text: await response.body.text(),
  }
}

describe('MM7-010, MM7-017: what an envelope is', () => {
  const envelope = (root: string, soap: string, declared = '<?xml version="1.0" encoding="UTF-8"?>') =>
    `${declared}<e:${root} xmlns:e="${soap}"><e:Header><TransactionID xmlns="${namespace}">t1</TransactionID></e:Header>` +
    `<e:Body><DeliverReq xmlns="${namespace}"><MM7Version>6.8.0</MM7Version><Sender><Number>+12025550123</Number></Sender>` +
    `<Recipients><To><RFC2822Address>alice@example.net</RFC2822Address></To></Recipients><Subject>Grüße</Subject></DeliverReq></e:Body></e:${root}>`
  const soap11 = 'http://schemas.xmlsoap.org/soap/envelope/'

  test('MM7-010: SOAP 1.2 is a VersionMismatch, another root 4004, both with HTTP 500; any prefix is good', async () => {
    const gateway = await gatewayHere()
    const url = gateway.addresses.mm7!
    const soap12 = await postRaw(
      url,
      Buffer.from(envelope('Envelope', 'http://www.w3.org/2003/05/soap-envelope')),
    )
    expect(soap12.status).toBe(500)
    expect(soap12.text).toMatch(/<faultcode>[\w-]+:VersionMismatch</)
    const other = await postRaw(url, Buffer.from(envelope('Umschlag', soap11)))
    expect([other.status, /<StatusCode>(\d+)</.exec(other.text)?.[1]]).toEqual([500, '4004'])
    expect(await gateway.engine.spool.list({})).toEqual([])
    const good = await postRaw(url, Buffer.from(envelope('Envelope', soap11)))
    expect([good.status, /<StatusCode>(\d+)</.exec(good.text)?.[1]]).toEqual([200, '1000'])
  })

  test('MM7-017: UTF-16 either way, with a mark or a declaration; 8-bit charsets by their label; UTF-8 goes out', async () => {
    const gateway = await gatewayHere()
    const swapped = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()
    const declared = (label: string) => `<?xml version="1.0" encoding="${label}"?>`
    const forms: readonly (readonly [string, Buffer])[] = [
      ['BE with mark', swapped(`\ufeff${envelope('Envelope', soap11, declared('UTF-16'))}`)],
      ['LE with mark', Buffer.from(`\ufeff${envelope('Envelope', soap11, declared('UTF-16'))}`, 'utf16le')],
      ['BE', swapped(envelope('Envelope', soap11, declared('UTF-16BE')))],
      ['LE', Buffer.from(envelope('Envelope', soap11, declared('UTF-16LE')), 'utf16le')],
      ['latin1', Buffer.from(envelope('Envelope', soap11, declared('ISO-8859-1')), 'latin1')],
      ['UTF-8', Buffer.from(envelope('Envelope', soap11))],
    ]
    for (const [i, [name, octets]] of forms.entries()) {
      const one = Buffer.from(octets)
      const answer = await postRaw(gateway.addresses.mm7!, one)
      expect(/<StatusCode>(\d+)</.exec(answer.text)?.[1], name).toBe('1000')
      // Repeats of a TransactionID with another body are new messages (MM7-061).
      const mail = await eventually(async () => (await inbox(gateway))[i])
      expect(mail.toString('latin1'), name).toContain('Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=')
    }
    const written = writeMm7({
      transactionId: 'ü',
      namespace,
      body: element('SubmitRsp', [element('Details', 'Grüße')]),
    })
    const octets = Buffer.concat(written.body)
    expect(octets.includes(Buffer.from('Grüße', 'utf8'))).toBe(true)
    expect(written.contentType).toBe('text/xml; charset="utf-8"')
    expect(parseXml(octets).name).toBe('Envelope')
  })
})

test('MM7-029: Digest by MD5 and SHA-256 with qop; a nonce is good for five minutes and for its own address', async () => {
  const clock = { now: start }
  const gateway = await gatewayHere(
    {
      peers: {
        dora: { interface: 'mm7', role: 'rs', auth: { scheme: 'digest', user: 'dora', password: 'secret' } },
      },
    },
    { now: () => clock.now },
  )
  const url = gateway.addresses.mm7!
  let n = 0
  const send = (authorization?: string) => {
    const content = deliverReq({ transactionId: `D-${n++}` })
    return postRaw(url, Buffer.concat(content.body), {
      'content-type': content.contentType,
      ...(authorization === undefined ? {} : { authorization }),
    })
  }
  const nonceOf = async (algorithm: string) => {
    const { status, challenges } = await send()
    expect(status).toBe(401)
    expect(challenges).toContain('qop="auth"')
    return new RegExp(`algorithm=${algorithm}, nonce="([^"]+)"`).exec(challenges)![1]!
  }
  const answer = (
    algorithm: 'MD5' | 'SHA-256',
    nonce: string,
    over: { uri?: string; qop?: string; say?: boolean } = {},
  ) => {
    const { uri = '/mm7', qop = 'auth', say = true } = over
    const h = (text: string) =>
      createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
        .update(text)
        .digest('hex')
    const ha1 = h('dora:r:secret')
    const ha2 = h(`POST:${uri}`)
    const response =
      qop === '' ? h(`${ha1}:${nonce}:${ha2}`) : h(`${ha1}:${nonce}:00000001:abc:${qop}:${ha2}`)
    const protection = qop === '' ? '' : `, qop=${qop}, nc=00000001, cnonce="abc"`
    return `Digest username="dora", realm="r", nonce="${nonce}", uri="${uri}"${say ? `, algorithm=${algorithm}` : ''}${protection}, response="${response}"`
  }
  for (const algorithm of ['MD5', 'SHA-256'] as const)
    expect((await send(answer(algorithm, await nonceOf(algorithm)))).status, algorithm).toBe(200)
  // Without a word of the algorithm it is MD5 (RFC 7616 §3.4).
  expect((await send(answer('MD5', await nonceOf('MD5'), { say: false }))).status).toBe(200)
  for (const [qop, over] of [
    ['none', { qop: '' }],
    ['auth-int', { qop: 'auth-int' }],
    ['another address', { uri: '/other' }],
  ] as const)
    expect((await send(answer('SHA-256', await nonceOf('SHA-256'), over))).status, qop).toBe(401)
  const early = await nonceOf('SHA-256')
  clock.now += 299_000
  expect((await send(answer('SHA-256', early))).status).toBe(200)
  const late = await nonceOf('SHA-256')
  clock.now += 301_000
  expect((await send(answer('SHA-256', late))).status).toBe(401)
})

test('MM7-041: an unknown code counts as its class; what is no code of four digits from 1 to 4 as 3000', () => {
  const meaning = (code: number) => [mm7Status(code).code, mm7Status(code).retry]
  expect(meaning(1555)).toEqual([1000, 'done'])
  expect(meaning(2571)).toEqual([2000, 'no'])
  expect(meaning(3999)).toEqual([3000, 'yes'])
  expect(meaning(4500)).toEqual([4000, 'yes'])
  for (const none of [0, 999, 5000, 9999, 10_000, 20_001, -1000])
    expect(meaning(none), String(none)).toEqual([3000, 'yes'])
})

test('MM7-050, MAP-043: of no recipient that is taken the code is the one that all share, else 2002', async () => {
  const sink = await mailSink()
  const vasp = await fakeMmsc()
  const gateway = await gatewayHere({
    peers: {
      vasp: {
        interface: 'mm7',
        role: 'vasp',
        ip: '127.0.0.1',
        url: vasp.url,
        vaspIds: ['acme'],
        senders: ['7777'],
      },
      relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port },
    },
    routes: [{ match: 'domain:*', to: 'smtp:relay' }],
  })
  let n = 0
  const submit = async (...to: ReturnType<typeof element>[]) => {
    const content = writeMm7({
      transactionId: `S-${n++}`,
      namespace,
      body: element('SubmitReq', [
        element('SenderIdentification', [
          element('VASPID', 'acme'),
          element('SenderAddress', [element('ShortCode', '7777')]),
        ]),
        element('Recipients', [element('To', to)]),
        element('Subject', 'x'),
      ]),
    })
    const { text } = await postRaw(gateway.addresses.mm7!, Buffer.concat(content.body))
    return [/<StatusCode>(\d+)</.exec(text)?.[1], /<Details>([^<]*)</.exec(text)?.[1]]
  }
  // Without mailOut relaying is not allowed: 2001. What is no address is 2002.
  const outside = (local: string) => element('RFC2822Address', `${local}@outside.example`)
  const nobody = element('Number', '12')
  expect(await submit(outside('a'), outside('b'))).toEqual([
    '2001',
    '2001 a@outside.example, 2001 b@outside.example',
  ])
  expect(await submit(nobody)).toEqual(['2002', '2002 12'])
  expect(await submit(outside('a'), nobody)).toEqual(['2002', '2001 a@outside.example, 2002 12'])
  expect(sink.taken).toEqual([])
})

test('MM7-073: a message of a Subject alone reaches another MMS peer as well', async () => {
  const mmsc = await fakeMmsc()
  const gateway = await gatewayHere({
    peers: {
      vasp: { interface: 'mm7', role: 'vasp', ip: '127.0.0.1', vaspIds: ['acme'], senders: ['7777'] },
      mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.9', url: mmsc.url },
    },
    routes: [{ match: 'number:+', to: 'mm7-submit:mmsc' }],
  })
  const content = writeMm7({
    transactionId: 'S-1',
    namespace,
    body: element('SubmitReq', [
      element('SenderIdentification', [
        element('VASPID', 'acme'),
        element('SenderAddress', [element('ShortCode', '7777')]),
      ]),
      element('Recipients', [element('To', [element('Number', '+12025550123')])]),
      element('Subject', 'Only this'),
    ]),
  })
  expect((await postRaw(gateway.addresses.mm7!, Buffer.concat(content.body))).text).toContain('>1000<')
  const sent = await eventually(() => mmsc.received[0])
  expect(sent.body.toString()).toContain('<Subject>Only this</Subject>')
})
