/** What MM7 peers want and answer (QUIRKS 4, 11, 12, 19, 20, 23, 24, 32): profiles of peers, and answers of every kind. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { schemaNamespace } from '../../src/wire/mm7/write.ts'
import { atEnd } from '../support/at-end.ts'
import { gatewayHere } from '../support/gateway.ts'
import { deliverReq, eventually, inbox, smtpClient } from '../support/peers.ts'

const handset = '+12025550123@mms.example.net'
const namespace = schemaNamespace('REL-6-MM7-1-4')
const soap = (body: string): string =>
  `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>${body}</e:Body></e:Envelope>`
const rsp = (status: number, more = '', name = 'SubmitRsp'): string =>
  soap(
    `<${name} xmlns="${namespace}"><Status><StatusCode>${status}</StatusCode><StatusText>as told</StatusText></Status>${more}</${name}>`,
  )

interface Answer {
  readonly http?: number
  readonly type?: string
  readonly body: string
}

/** An MMSC that answers each request as `answer` says now, and a gateway in front of it. */
async function withMmsc(profile: Record<string, unknown> = {}) {
  const state = { answer: { body: rsp(1000, '<MessageID>M-1</MessageID>') } as Answer }
  const received: { headers: IncomingMessage['headers']; body: string; url: string }[] = []
  const server = createServer(async (incoming, response) => {
    let body = ''
    for await (const chunk of incoming) body += chunk
    received.push({ headers: incoming.headers, body, url: incoming.url ?? '' })
    response.writeHead(state.answer.http ?? 200, { 'content-type': state.answer.type ?? 'text/xml' })
    response.end(state.answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/path/to/mm7?x=y`
  const gateway = await gatewayHere({
    peers: {
      mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', host: 'mmsc.example.com', url, ...profile },
    },
    routes: [
      { match: 'number:+', to: 'mm7-submit:mmsc' },
      { match: 'domain:mms.example.net', to: 'by-number' },
      { match: 'domain:example.net', to: 'store' },
    ],
  })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  let sent = 0
  /** Sends a mail to the handset; how its recipient stands once it was tried. */
  const outcome = async (answer: Answer, content = 'Content-Type: text/plain\r\n\r\nhi') => {
    state.answer = answer
    const subject = `s${++sent}`
    await smtp.send(
      'alice@example.net',
      [handset],
      `From: alice@example.net\r\nTo: ${handset}\r\nSubject: ${subject}\r\n${content}`,
    )
    return eventually(async () => {
      for (const { entry, deliveries } of await gateway.engine.spool.list({ open: false, limit: 100 })) {
        const recipient = deliveries[0]?.recipients[0]
        const octets = Buffer.from(await gateway.engine.spool.octets(entry.queueId)).toString()
        if (octets.includes(`Subject: ${subject}\r\n`) && recipient && recipient.state !== 'pending')
          return recipient
      }
      return undefined
    })
  }
  return { gateway, received, outcome }
}

test('QUIRKS 4: prefixes as the peer wants them, of requests and of answers', async () => {
  const { gateway, received, outcome } = await withMmsc({ soapPrefix: 'SOAP-ENV', bodyPrefix: 'mm7' })
  await outcome({ body: rsp(1000) })
  const { body, headers } = received[0]!
  expect(body).toContain('<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">')
  expect(body).toContain('SOAP-ENV:mustUnderstand="1"')
  expect(body).toContain(`<mm7:SubmitReq xmlns:mm7="${namespace}"><mm7:MM7Version>`)
  expect(body).toMatch(/<\/mm7:SubmitReq><\/SOAP-ENV:Body><\/SOAP-ENV:Envelope>/)
  expect(readMm7(String(headers['content-type']), Buffer.from(body)).operation).toBe('SubmitReq')
  const content = deliverReq({ transactionId: 'D-1' })
  const answer = await request(gateway.addresses.mm7!, {
    method: 'POST',
    headers: { 'content-type': content.contentType },
    body: Buffer.concat(content.body),
  })
  expect(await answer.body.text()).toMatch(/<SOAP-ENV:Body><mm7:DeliverRsp .*<mm7:StatusCode>1000</)
  const fault = await request(gateway.addresses.mm7!, {
    method: 'POST',
    headers: { 'content-type': content.contentType },
    body: Buffer.concat(content.body).toString().replaceAll('DeliverReq', 'OptinReq'),
  })
  expect(await fault.body.text()).toMatch(
    /<SOAP-ENV:Fault><faultcode>SOAP-ENV:Client<.*<detail><mm7:VASPErrorRsp .*<mm7:StatusCode>4003<.*<\/SOAP-ENV:Envelope>$/,
  )
})

describe('answers', () => {
  test('QUIRKS 11, 12, 24, 32: whatever says what became of it, and whatever does not', async () => {
    const { outcome } = await withMmsc()
    const fault = (detail: string, code = 'env:Client') =>
      soap(`<e:Fault><faultcode>${code}</faultcode><faultstring>x</faultstring>${detail}</e:Fault>`)
    const status = (code: number): string => `<Status><StatusCode>${code}</StatusCode></Status>`
    const answers: readonly (readonly [Answer, string, string?])[] = [
      // A MessageID where none belongs, and none where it does.
      [{ body: rsp(1000, '<MessageID>A</MessageID>', 'DeliverRsp') }, 'relayed'],
      [{ body: rsp(1000) }, 'relayed'],
      // Errors inside of HTTP 200, and of others.
      [{ body: rsp(2002) }, 'failed', '5.1.1'],
      [{ http: 500, body: rsp(1000) }, 'relayed'],
      [{ http: 400, body: rsp(3000) }, 'deferred', '4.3.0'],
      // Codes that no standard has: by their first digit.
      [{ body: rsp(2571) }, 'failed', '5.5.0'],
      [{ body: rsp(5000) }, 'deferred', '4.3.0'],
      [{ body: rsp(1001) }, 'relayed'],
      // Error elements under every name, in the body and in the detail, children with a prefix.
      [
        { http: 500, body: soap(`<RSErrorRsp xmlns="${namespace}">${status(4007)}</RSErrorRsp>`) },
        'failed',
        '5.7.1',
      ],
      [
        { http: 500, body: fault(`<detail><VaspErrorRsp>${status(2004)}</VaspErrorRsp></detail>`) },
        'failed',
        '5.6.1',
      ],
      [
        {
          http: 500,
          body: fault(
            `<e:detail><m:MM7VASPErrorRsp xmlns:m="urn:x"><m:Status><m:StatusCode>4006</m:StatusCode></m:Status></m:MM7VASPErrorRsp></e:detail>`,
          ),
        },
        'deferred',
        '4.3.2',
      ],
      // No detail: the code alone, with a prefix or without.
      [{ http: 500, body: fault('', 'Server') }, 'deferred', '4.3.0'],
      [{ http: 500, body: fault('', 'Client') }, 'failed', '5.5.2'],
      // No MM7 at all.
      [
        { http: 404, type: 'text/html', body: '<html><body>service not found</body></html>' },
        'failed',
        '5.5.0',
      ],
      [{ http: 500, type: 'text/html', body: '<p>oops' }, 'deferred', '4.3.0'],
      [{ http: 422, body: '{}' }, 'failed', '5.5.0'],
      // Nothing is no yes, unless the peer is known for it.
      [{ body: '' }, 'deferred', '4.3.0'],
    ]
    for (const [answer, state, code] of answers) {
      const recipient = await outcome(answer)
      expect(recipient.state, JSON.stringify(answer)).toBe(state)
      if (code !== undefined) expect(recipient.status?.code, JSON.stringify(answer)).toBe(code)
    }
  })

  test('QUIRKS 24: of a peer that answers nothing, 200 is the yes; 500 is not', async () => {
    const { outcome } = await withMmsc({ emptyAnswerAccepts: true })
    expect((await outcome({ body: '' })).state).toBe('relayed')
    expect((await outcome({ http: 500, body: '' })).state).toBe('deferred')
    expect((await outcome({ body: rsp(2002) })).state).toBe('failed')
  })
})

test('QUIRKS 19, 20: SMIL in 7 bits; names and charsets under capitals, SMIL under the name of XML', async () => {
  const { gateway, received, outcome } = await withMmsc()
  const gif = Buffer.from('GIF89a'.padEnd(60, 'x')).toString('base64')
  await outcome(
    { body: rsp(1000) },
    [
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; Boundary=b',
      '',
      '--b',
      'Content-Type: text/plain; Charset=ISO-8859-1',
      'Content-Transfer-Encoding: 8BIT',
      '',
      'hi',
      '--b',
      'Content-Type: image/gif; Name="a b.gif"',
      'Content-Transfer-Encoding: BASE64',
      '',
      gif,
      '--b--',
    ].join('\r\n'),
  )
  const { body } = received[0]!
  expect(body).toMatch(
    /Content-Type: multipart\/related; type="application\/smil";\s+start="[^"]+";\s+boundary="[^"]+"\r\n/,
  )
  const smil = /Content-Type: application\/smil[\s\S]*?\r\n\r\n/.exec(body)![0]
  expect(smil).not.toMatch(/Content-Transfer-Encoding: (?!7bit)/)
  expect(body).toContain('Content-Location: a_b.gif')
  // The other way: a presentation as text/xml is one, and is dressed as one.
  const content = deliverReq({
    transactionId: 'D-2',
    subject: 'xml',
    parts: [
      {
        type: 'text/xml',
        id: 'p',
        octets: Buffer.from('<?xml version="1.0"?>\n<smil><body><par><img src="i"/></par></body></smil>'),
      },
      { type: 'image/gif; Name=pic.gif', id: 'i', octets: Buffer.from(gif, 'base64') },
    ],
  })
  await request(gateway.addresses.mm7!, {
    method: 'POST',
    headers: { 'content-type': content.contentType },
    body: Buffer.concat(content.body),
  })
  const mail = await eventually(async () =>
    (await inbox(gateway)).map((m) => m.toString('latin1')).find((m) => m.includes('Subject: xml')),
  )
  expect(mail).toMatch(/^Content-Type: application\/smil/m)
  expect(mail).toMatch(/^Content-Type: image\/gif; name=pic\.gif\r$/m)
})

describe('QUIRKS 23: logins', () => {
  test('in and out by Bearer, in by the path, out by whatever the URL holds', async () => {
    const { gateway, received, outcome } = await withMmsc({
      login: { user: 'x', password: 'out-token', scheme: 'bearer' },
    })
    await outcome({ body: rsp(1000) })
    expect(received[0]).toMatchObject({
      url: '/path/to/mm7?x=y',
      headers: { authorization: 'Bearer out-token' },
    })
    await gateway.close()
    const doors = await gatewayHere({
      peers: {
        token: { interface: 'mm7', role: 'rs', auth: { scheme: 'bearer', user: 'x', password: 'in-token' } },
        path: { interface: 'mm7', role: 'rs', auth: { scheme: 'url', user: 'me', password: 'p w=1' } },
      },
    })
    let n = 0
    const knock = async (way: string, authorization?: string): Promise<number> => {
      const content = deliverReq({ transactionId: `K-${n++}` })
      const response = await request(`${doors.addresses.mm7!}${way}`, {
        method: 'POST',
        headers: { 'content-type': content.contentType, ...(authorization ? { authorization } : {}) },
        body: Buffer.concat(content.body),
      })
      await response.body.dump()
      return response.statusCode
    }
    expect(await knock('', 'Bearer in-token')).toBe(200)
    expect(await knock('/me=p%20w=1')).toBe(200)
    for (const [way, authorization] of [
      ['', undefined],
      ['', 'Bearer in-toke'],
      ['', 'Bearer '],
      ['', `Basic ${Buffer.from(':in-token').toString('base64')}`],
      ['', `Basic ${Buffer.from('me:p w=1').toString('base64')}`],
    ] as const)
      expect(await knock(way, authorization), authorization).toBe(401)
    for (const way of ['/me=wrong', '/me', '/', '/me=p%20w=1/more', '/%', '/in-token'])
      expect([400, 403, 404], way).toContain(await knock(way))
  })
})
