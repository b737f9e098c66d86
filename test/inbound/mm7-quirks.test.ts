/** What MM7 peers really send (QUIRKS 1 to 32): read all of it, answer in the strict form. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { schemaNamespace } from '../../src/wire/mm7/write.ts'
import { gatewayHere } from '../support/gateway.ts'
import { eventually, inbox } from '../support/peers.ts'

const soap11 = 'http://schemas.xmlsoap.org/soap/envelope/'
const rel6 = schemaNamespace('REL-6-MM7-1-4')
const mm7Type = { 'content-type': 'text/xml; charset="utf-8"' }
let count = 0

/** Its MMSC is on this machine. */
const gateway = await gatewayHere()
const url = gateway.addresses.mm7!

/** The mail of that subject, once it is there. */
const mailAbout = (subject: string, account?: string): Promise<string> =>
  eventually(async () =>
    (await inbox(gateway, account))
      .map((m) => m.toString('latin1'))
      .find((m) => m.includes(`\r\nSubject: ${subject}\r\n`)),
  )

async function said(body: string | Uint8Array, headers: Record<string, string> = mm7Type) {
  const response = await request(url, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? Buffer.from(body) : body,
  })
  const text = await response.body.text()
  return {
    http: response.statusCode,
    status: /StatusCode>\s*(\d+)/.exec(text)?.[1],
    details: /<Details>([^<]*)/.exec(text)?.[1],
    text,
  }
}

const to = '<Recipients><To><RFC2822Address>alice@example.net</RFC2822Address></To></Recipients>'
const sender = '<Sender><Number>+12025550123</Number></Sender>'
/** A DeliverReq around `inside`; the parts that a test bends are given. */
const deliver = ({
  inside = `${sender}${to}<Subject>Hi</Subject>`,
  version = '6.8.0',
  namespace = rel6,
  header = rel6,
  id = `T-${++count}`,
} = {}): string =>
  `<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="${soap11}"><env:Header><TransactionID xmlns="${header}" env:mustUnderstand="1">${id}</TransactionID></env:Header>` +
  `<env:Body><DeliverReq xmlns="${namespace}"><MM7Version>${version}</MM7Version>${inside}</DeliverReq></env:Body></env:Envelope>`

describe('XML and SOAP', () => {
  test('QUIRKS 1, 2, 6: any namespace that is in use or misspelt, header and body in different ones, a version of another schema', async () => {
    const base = 'http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/'
    const namespaces = [
      ...[0, 1, 2, 3].map((n) => `${base}REL-5-MM7-1-${n}`),
      ...[0, 1, 2, 3, 4].map((n) => `${base}REL-6-MM7-1-${n}`),
      `${base}REL-6-MM7-1-01`,
      `${base}REL-6-MM7-6-7`,
      'urn:mm7',
      'http://vmp.vzw.com/schema',
      `${base}REL-6-MM7-1-4 `,
    ]
    for (const namespace of namespaces) {
      const answer = await said(deliver({ namespace }))
      expect([answer.http, answer.status], namespace).toEqual([200, '1000'])
      // Mirrored where it is one of the standard's, else our own.
      const mirrored = /REL-[56]-MM7-1-\d ?$/.test(namespace) ? namespace.trim() : rel6
      expect(answer.text, namespace).toContain(`<DeliverRsp xmlns="${mirrored}"`)
    }
    const mixed = await said(deliver({ header: `${base}REL-5-MM7-1-0` }))
    expect([mixed.status, mixed.text.includes('REL-5')]).toEqual(['1000', false])
    for (const [namespace, version] of [
      [`${base}REL-5-MM7-1-3`, '6.8.0'],
      [rel6, '5.3.0'],
      [`${base}REL-5-MM7-1-0`, '5.5.0'],
    ] as const)
      expect((await said(deliver({ namespace, version }))).status).toBe('1000')
  })

  test('QUIRKS 3, 4: no namespace, prefixes of every kind, a declaration on each element, children in any order', async () => {
    const enveloped = (soap: string, body: string, id: string): string =>
      `<${soap}:Envelope xmlns:${soap}="${soap11}"><${soap}:Header>${id}</${soap}:Header><${soap}:Body>${body}</${soap}:Body></${soap}:Envelope>`
    const ids = () => `T-${++count}`
    const plain = `<DeliverReq><MM7Version>6.8.0</MM7Version>${sender}${to}</DeliverReq>`
    const prefixed = (p: string) =>
      `${plain}`
        .replace(/<(\/?)(\w)/g, `<$1${p}:$2`)
        .replace(`<${p}:DeliverReq`, `<${p}:DeliverReq xmlns:${p}="${rel6}"`)
    const each = plain.replace(/<(\w+)>/g, `<$1 xmlns="${rel6}">`)
    const bodies = [plain, each, ...['mm7', 'mm7p6a0', 'ns1'].map(prefixed)]
    const soaps = ['env', 'SOAP-ENV', 'soapenv', 'soap', 'S']
    for (const [i, body] of bodies.entries()) {
      const soap = soaps[i % soaps.length]!
      const id = [
        `<TransactionID>${ids()}</TransactionID>`,
        `<mm7:TransactionID xmlns:mm7="${rel6}" ${soap}:mustUnderstand="1">${ids()}</mm7:TransactionID>`,
      ][i % 2]!
      expect((await said(enveloped(soap, body, id))).status, `${soap} ${body.slice(0, 40)}`).toBe('1000')
    }
    const shuffled = `<Subject>Hi</Subject>${to}<Priority>High</Priority>${sender}`
    expect((await said(deliver({ inside: shuffled }))).status).toBe('1000')
  })

  test('QUIRKS 5: the form from before the standard is answered in MM7 terms', async () => {
    const old =
      `<e:Envelope xmlns:e="${soap11}"><e:Header><MM7Header xmlns="urn:MM7Submit.Req"><Transaction-ID>o-1</Transaction-ID></MM7Header></e:Header>` +
      '<e:Body><m:MM7Submit.Req xmlns:m="urn:MM7Submit.Req"><MM7-Version>5.2.0</MM7-Version></m:MM7Submit.Req></e:Body></e:Envelope>'
    const answer = await said(old)
    expect([answer.http, answer.status]).toEqual([500, expect.stringMatching(/^400[234]$/)])
    // The other spelling of the transaction alone is understood, a version that nobody speaks told so.
    const spelt = deliver().replaceAll('TransactionID', 'Transaction-ID')
    expect((await said(spelt)).status).toBe('1000')
    expect((await said(deliver({ version: '5.2.0' }))).status).toBe('4002')
  })

  test('QUIRKS 8: blanks and line ends round values, empty elements, no Subject', async () => {
    const inside = `\r\n <VASPID/> <VASID>\n</VASID><Sender>\r\n\t<Number>\r\n  +12025550123 \r\n</Number>\r\n</Sender>\r\n<Recipients>\n<To>\n<RFC2822Address>\n alice@example.net\t\n</RFC2822Address>\n</To>\n<Cc/>\n</Recipients>\n<Priority> \n Low\n </Priority>\n`
    expect((await said(deliver({ inside }))).status).toBe('1000')
    const text = await eventually(async () =>
      (await inbox(gateway))
        .map((m) => m.toString('latin1'))
        .find((m) => m.includes('\r\nImportance: Low\r\n')),
    )
    expect(text).toMatch(/^To: alice@example\.net\r$/m)
    expect(text).toMatch(/^Importance: Low\r$/m)
    expect(text).not.toMatch(/^Subject:/m)
    const empty = await said(deliver({ inside: `${sender}<Recipients/>` }))
    expect([empty.http, empty.status]).toEqual([200, '2002'])
  })

  test('QUIRKS 9, 10, 13: what is not well-formed is told with its place; a bare ampersand is read; unknown operations are 4003', async () => {
    for (const broken of [
      deliver().replace('<env:Header>', '<env::Header>'),
      deliver().replace('</Subject>', ''),
      deliver({ inside: `${sender}${to}<Subject>&undefined;</Subject>` }),
      'no XML at all',
      '',
    ]) {
      const answer = await said(broken)
      expect([answer.http, answer.status], broken.slice(0, 60)).toEqual([500, '4004'])
      if (broken !== '') expect(answer.details).toMatch(/line \d+, column \d+/)
    }
    const inside = `${sender}${to}<Subject>Fish & Chips &amp; R&D &#38; AT&T; x</Subject>`
    expect((await said(deliver({ inside: inside.replace('AT&T; x', 'more') }))).status).toBe('1000')
    await mailAbout('Fish & Chips & R&D & more')
    for (const operation of ['CapabilityASReplyReq', 'OptinReq', 'QueryStatusReq']) {
      const answer = await said(deliver().replaceAll('DeliverReq', operation))
      expect([answer.http, answer.status], operation).toEqual([500, '4003'])
      expect(answer.text).toContain('VASPErrorRsp')
    }
  })
})

describe('HTTP', () => {
  test('QUIRKS 21, 25: any SOAPAction or none, fields of other makers', async () => {
    for (const more of [
      {},
      { soapaction: '""' },
      { soapaction: rel6 },
      { soapaction: `"${rel6}#SubmitReq"` },
      { 'x-mblox-carrier-id': '31002', 'x-nokia-mmsc-charging': 'a; b', 'x-operator-id': '7' },
    ])
      expect((await said(deliver(), { ...mm7Type, ...more })).status).toBe('1000')
  })

  test('QUIRKS 22: HTTP/1.0, chunks, Expect: 100-continue, one connection for many requests', async () => {
    const address = new URL(url)
    const talk = async (pieces: readonly string[], until: RegExp): Promise<string> => {
      const socket = connect(Number(address.port), address.hostname)
      let text = ''
      socket.on('data', (chunk) => (text += chunk))
      await once(socket, 'connect')
      for (const piece of pieces) {
        socket.write(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await eventually(() => until.test(text))
      socket.destroy()
      return text
    }
    const head = (line: string, fields: readonly string[]): string =>
      [`POST /mm7 HTTP/${line}`, 'Host: gw', 'Content-Type: text/xml', ...fields, '', ''].join('\r\n')
    const one = deliver()
    expect(await talk([head('1.0', [`Content-Length: ${one.length}`]), one], /StatusCode>1000</)).toMatch(
      /^HTTP\/1\.[01] 200 /,
    )
    const two = deliver()
    const chunks = two.match(/.{1,50}/gs)!.map((c) => `${c.length.toString(16)}\r\n${c}\r\n`)
    await talk([head('1.1', ['Transfer-Encoding: chunked']), ...chunks, '0\r\n\r\n'], /StatusCode>1000</)
    const three = deliver()
    const expecting = head('1.1', [`Content-Length: ${three.length}`, 'Expect: 100-continue'])
    expect(await talk([expecting, three], /StatusCode>1000</)).toMatch(/^HTTP\/1\.1 100 /)
    const several = [deliver(), deliver(), deliver()]
    const text = await talk(
      several.map((s) => head('1.1', [`Content-Length: ${s.length}`]) + s),
      /(StatusCode>1000<[\s\S]*){3}/,
    )
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3)
  })

  test('QUIRKS 26: the answer repeats the TransactionID, whatever stands in it and however long it is', async () => {
    for (const id of ['a@b.example', 'x'.repeat(300), '-_.:/#{}', "&lt;'&quot;&amp;", 'ünïcode'])
      expect((await said(deliver({ id }))).text).toMatch(
        new RegExp(
          `TransactionID[^>]*>${id.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace("'", "('|&apos;)")}<`,
        ),
      )
  })
})

describe('addresses and dates', () => {
  const headerOf = async (inside: string, account?: string): Promise<string> => {
    const subject = `about ${++count}`
    const answer = await said(deliver({ inside: `${inside}<Subject>${subject}</Subject>` }))
    expect(answer.status, inside).toMatch(/^1[01]00$/)
    return (await mailAbout(subject, account)).split('\r\n\r\n')[0]!
  }

  test('QUIRKS 27: bare text, types, missing and doubled elements', async () => {
    const senders: readonly (readonly [string, string])[] = [
      ['<Sender>+12025550123</Sender>', '+12025550123'],
      ['<Sender>alice@outside.example</Sender>', 'alice@outside.example'],
      ['<Sender><Number>+12025550123/TYPE=PLMN</Number></Sender>', '+12025550123'],
      ['<Sender><Number>12025550123</Number></Sender>', '+12025550123'],
      ['<Sender><Number>7777</Number></Sender>', '7777'],
      [
        '<Sender><RFC2822Address>+12025550123@carrier.example</RFC2822Address></Sender>',
        '+12025550123@carrier.example',
      ],
      ['<Sender><SenderAddress><Number>+12025550123</Number></SenderAddress></Sender>', '+12025550123'],
      ['<Sender><Sender><Number>+12025550123</Number></Sender></Sender>', '+12025550123'],
    ]
    for (const [written, from] of senders) {
      const address = from.includes('@') ? from : `${from}@mms.example.net`
      expect(`${await headerOf(`${written}${to}`)}\r\n`, written).toContain(`\r\nFrom: ${address}\r\n`)
    }
    for (const recipients of [
      '<Recipients><To>alice@example.net</To></Recipients>',
      '<Recipients><RFC2822Address>alice@example.net</RFC2822Address></Recipients>',
      '<Recipient><RFC2822Address>alice@example.net</RFC2822Address></Recipient>',
    ])
      expect((await said(deliver({ inside: `${sender}${recipients}` }))).status, recipients).toBe('1000')
    // Neither sender nor recipient.
    expect((await said(deliver({ inside: '<Content href="cid:x"/>' }))).status).toBe('4004')
  })

  test('QUIRKS 28, 29: of a group one is served; an address that is encrypted is not parsed', async () => {
    const group = (more: string) =>
      `${sender}<Recipients><To><RFC2822Address displayOnly="false">alice@example.net</RFC2822Address><RFC2822Address displayOnly="true">bob@example.net</RFC2822Address>${more}</To></Recipients>`
    const coded = '<RFC2822Address addressCoding="encrypted">bob@example.net</RFC2822Address>'
    expect((await said(deliver({ inside: group(coded) }))).status).toBe('1100')
    expect(await headerOf(group(coded))).toMatch(/^To: alice@example\.net, bob@example\.net\r$/m)
    await eventually(async () => (await gateway.engine.spool.stats()).entries === 0)
    expect(await inbox(gateway, 'bob@example.net')).toEqual([])
    const hidden = sender.replace('<Number>', '<Number addressCoding="obfuscated">')
    expect((await said(deliver({ inside: `${hidden}${to}` }))).status).toBe('3002')
  })

  test('QUIRKS 30, 31: times in every form that was seen', async () => {
    for (const [written, date] of [
      ['2024-03-05T10:15:30Z', 'Tue, 5 Mar 2024 10:15:30 +0000'],
      ['2024-03-05T10:15:30.123+02:00', 'Tue, 5 Mar 2024 10:15:30 +0200'],
      ['2024-03-05T10:15:30', 'Tue, 5 Mar 2024 10:15:30 -0000'],
      ['2024-03-05T13:47: 41Z', 'Tue, 5 Mar 2024 13:47:41 +0000'],
      ['Tue, 05 Mar 24 10:15:30 GMT', 'Tue, 5 Mar 2024 10:15:30 +0000'],
      ['Tue Mar 05 2024 10:15:30 GMT+0100 (CET)', 'Tue, 5 Mar 2024 10:15:30 +0100'],
    ] as const)
      expect(await headerOf(`${sender}${to}<TimeStamp>${written}</TimeStamp>`), written).toContain(
        `\nDate: ${date}`,
      )
  })
})
