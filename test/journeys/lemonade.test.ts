/** The walk-throughs of RFC 5550 §8.4, corrected as lemonade.md 1.6 and 1.7 have them: forward without download. */
import { expect, test } from 'vitest'
import { decodeBody, scanMessage } from '../../src/wire/mime/scan.ts'
import { eventually } from '../support/peers.ts'
import { type RawImap, rawImap } from '../support/raw-imap.ts'
import { code, plain, type SubmitClient, submissionGateway, submitClient } from '../support/submission.ts'

const alice = 'alice@example.net'
const picture = Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * 31) % 256))
const base64 = picture.toString('base64').replace(/.{76}/g, '$&\r\n')
const received = [
  'From: carol@example.com',
  'To: alice@example.net',
  'Subject: a picture',
  'Date: Fri, 21 Nov 1997 09:55:06 -0600',
  'Message-ID: <picture@example.com>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=orig',
  '',
  '--orig',
  'Content-Type: text/plain',
  '',
  'Look!',
  '--orig',
  'Content-Type: image/jpeg; name=lemon.jpg',
  'Content-Disposition: attachment; filename=lemon.jpg',
  'Content-Transfer-Encoding: base64',
  '',
  base64,
  '--orig--',
  '',
].join('\r\n')
const part2 = `Content-Type: image/jpeg; name=lemon.jpg\r\nContent-Disposition: attachment; filename=lemon.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64}`

/** Everything that a phone sends, on both connections. */
interface Phone {
  readonly imap: RawImap
  sent(): number
}

async function world() {
  const { gateway, taken } = await submissionGateway()
  const mx = await import('../support/peers.ts').then(({ smtpClient }) =>
    smtpClient(gateway.addresses.smtp ?? ''),
  )
  expect(await mx.send('carol@example.com', [alice], received)).toMatch(/^250/)
  const imap = await rawImap(Number(gateway.addresses.imap?.split(':')[1]))
  const selected = async (): Promise<string> => imap.command('SELECT INBOX')
  await imap.command(`LOGIN ${alice} secret`)
  await imap.command('CREATE Sent')
  const validity = await eventually(async () => {
    const answer = await selected()
    return /^\* 1 EXISTS/m.test(answer) && /UIDVALIDITY (\d+)/.exec(answer)?.[1]
  })
  await imap.command('ENABLE CONDSTORE')
  let octets = 0
  const phone: Phone = {
    imap: {
      ...imap,
      socket: imap.socket,
      received: 0,
      command(text) {
        octets += text.length + 4
        return imap.command(text)
      },
    },
    sent: () => octets,
  }
  return { gateway, taken, phone, validity, raw: imap }
}

const submit = async (client: SubmitClient, lines: string, replies: number): Promise<string[]> =>
  (await client.repliesTo(replies, lines)).map(code)

test('LP-39, LP-40, LP-41, LP-42, LP-38, LP-36, LP-17, LP-19: walk-through A: CATENATE into Sent, then one BURL', async () => {
  const { gateway, taken, phone, validity } = await world()
  const { imap } = phone
  const structure = await imap.command('UID FETCH 1 (BODYSTRUCTURE)')
  expect(structure).toMatch(/"IMAGE" "JPEG"/i)

  const head = [
    `From: ${alice}`,
    'To: bob@example.org',
    'Bcc: secret@example.org',
    'Subject: Fwd: a picture',
    'Date: Sat, 22 Nov 1997 10:00:00 -0600',
    'Message-ID: <fwd@phone>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=fwd',
    '',
    '--fwd',
    'Content-Type: text/plain; format=flowed; delsp=yes',
    '',
    'See  below, ',
    'please.',
    '--fwd',
    '',
  ].join('\r\n')
  const tail = '\r\n--fwd--\r\n'
  const source = `/INBOX;UIDVALIDITY=${validity}/;UID=1/;SECTION=2`
  const before = phone.sent()
  // One round trip, two, three.
  const appended = await imap.command(
    `APPEND Sent (\\Seen \\Draft $SubmitPending) CATENATE (TEXT {${head.length}+}\r\n${head} URL "${source}.MIME" URL "${source}" TEXT {${tail.length}+}\r\n${tail})`,
  )
  const [, sentValidity, uid] = /APPENDUID (\d+) (\d+)/.exec(appended) ?? []
  expect(appended).toMatch(/OK \[APPENDUID/)
  const rump = `imap://alice%40example.net@mail.example.net/Sent;UIDVALIDITY=${sentValidity}/;UID=${uid};EXPIRE=2099-10-28T23:59:59Z;URLAUTH=submit+alice%40example.net`
  const [, url = ''] = /GENURLAUTH "([^"]+)"/.exec(await imap.command(`GENURLAUTH "${rump}" INTERNAL`)) ?? []
  expect(url).toMatch(/:internal:[0-9a-f]{32,}$/)
  const client = await submitClient(gateway, { tls: true, user: alice })
  const group = `MAIL FROM:<${alice}>\r\nRCPT TO:<bob@example.org>\r\nBURL ${url} LAST\r\n`
  expect(await submit(client, group, 3)).toEqual(['250 2.1.0', '250 2.1.5', '250 2.6.0'])
  // The attachment was not sent by the phone.
  expect(phone.sent() - before + group.length).toBeLessThan(2000)

  const { data } = await eventually(() => taken.find((mail) => mail.data.includes('<fwd@phone>')))
  const whole = `${head}${part2}${tail}`
  expect(data.slice(data.indexOf('From:'))).toBe(whole.replace('Bcc: secret@example.org\r\n', ''))
  expect(data).not.toMatch(/secret/)
  const root = scanMessage(Buffer.from(data, 'latin1'))
  expect(Buffer.from(decodeBody(Buffer.from(data, 'latin1'), root.parts[1]!)).equals(picture)).toBe(true)
  // The copy in Sent keeps Bcc, and is what was put together.
  await imap.command('EXAMINE Sent')
  expect(await imap.command(`UID FETCH ${uid} (BODY.PEEK[])`)).toContain(whole)

  // What the client marks stays.
  await imap.command('SELECT Sent')
  expect(await imap.command(`UID STORE ${uid} +FLAGS.SILENT ($Submitted)`)).toMatch(/OK/)
  expect(await imap.command(`UID STORE ${uid} -FLAGS.SILENT ($SubmitPending \\Draft)`)).toMatch(/OK/)
  expect(await imap.command('UID SEARCH KEYWORD $Submitted UNKEYWORD $SubmitPending')).toMatch(
    new RegExp(`SEARCH ${uid}\\b`),
  )
  await imap.command('SELECT INBOX')
  expect(await imap.command('UID STORE 1 +FLAGS.SILENT ($Forwarded)')).toMatch(
    /FETCH \(UID 1 MODSEQ \(\d+\)\)/,
  )
  expect(await imap.command('UID SEARCH KEYWORD $Forwarded')).toMatch(/SEARCH 1\b/)

  // LP-42: once the key is another, the same BURL gives nothing, and nothing is queued.
  const count = taken.length
  await imap.command('RESETKEY Sent')
  const again = await submit(client, group, 3)
  expect(again[2]).toMatch(/^554 5\.(6\.6|7\.0)$/)
  expect(taken.length).toBe(count)
  imap.end()
})

test('LP-43, LP-44, LP-45, LP-31, DE-15: walk-through B: BDAT and BURL in one group', async () => {
  const { gateway, taken, phone, validity } = await world()
  const { imap } = phone
  const rump = (section: string): string =>
    `imap://alice%40example.net@mail.example.net/INBOX;UIDVALIDITY=${validity}/;UID=1/;SECTION=${section};EXPIRE=2099-10-28T23:59:59Z;URLAUTH=submit+alice%40example.net`
  const answer = await imap.command(`GENURLAUTH "${rump('2.MIME')}" INTERNAL "${rump('2')}" INTERNAL`)
  const [, header = '', body = ''] = /^\* GENURLAUTH "([^"]+)" "([^"]+)"\r\n/m.exec(answer) ?? []
  expect(header).toContain(rump('2.MIME'))
  expect(body).toContain(rump('2'))

  const client = await submitClient(gateway, { tls: true })
  expect(await client.command('EHLO phone')).toMatch(/^250[ -]BURL\r?$/m)
  expect(code(await client.command(`AUTH PLAIN ${plain(alice)}`))).toBe('235 2.7.0')
  expect(await client.command('EHLO phone')).toMatch(/^250[ -]BURL imap\r?$/m)
  const first = `From: ${alice}\r\nTo: bob@example.org\r\nSubject: Fwd: B\r\nDate: Sat, 22 Nov 1997 10:00:00 -0600\r\nMessage-ID: <fwd-b@phone>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=fwd\r\n\r\n--fwd\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n--fwd\r\n`
  const last = '\r\n--fwd--\r\n'
  const group = (second: string): string =>
    `MAIL FROM:<${alice}> BODY=BINARYMIME\r\nRCPT TO:<bob@example.org>\r\nBDAT ${first.length}\r\n${first}BURL ${header}\r\nBURL ${second}\r\nBDAT ${last.length} LAST\r\n${last}`
  const sent = await client.repliesTo(6, group(body))
  expect(sent.map(code)).toEqual([
    '250 2.1.0',
    '250 2.1.5',
    '250 2.0.0',
    '250 2.5.0',
    '250 2.5.0',
    '250 2.6.0',
  ])
  const { data } = await eventually(() => taken.find((mail) => mail.data.includes('<fwd-b@phone>')))
  expect(data.slice(data.indexOf('From:'))).toBe(`${first}${part2}${last}`)

  // One character of the token is another: nothing is sent, and the last piece is read all the same.
  const spoilt = `${body.slice(0, -1)}${body.endsWith('0') ? '1' : '0'}`
  const failed = (await client.repliesTo(6, group(spoilt))).map(code)
  expect(failed.slice(0, 4)).toEqual(['250 2.1.0', '250 2.1.5', '250 2.0.0', '250 2.5.0'])
  expect(failed[4]).toMatch(/^554 5\.(6\.6|7\.0)$/)
  expect(failed[5]).toMatch(/^5/)
  expect(await client.codes('NOOP')).toEqual(['250 2.0.0'])
  expect(taken.filter((mail) => mail.data.includes('<fwd-b@phone>'))).toHaveLength(1)
  imap.end()
})

test('the report about what was forwarded comes to the mailbox of who forwarded it', async () => {
  const { gateway, phone } = await world()
  const client = await submitClient(gateway, { user: alice })
  const answer = await client.send(
    alice,
    ['bob@example.org'],
    `From: ${alice}\r\nSubject: to be bounced\r\n\r\nx`,
    ' HOLDFOR=1000',
  )
  const [, id = ''] = /Queued as (\S+)/.exec(answer) ?? []
  await gateway.operations.bounce(id, 'for the test')
  await eventually(async () => /^\* 2 EXISTS/m.test(await phone.imap.command('EXAMINE INBOX')))
  expect(await phone.imap.command('FETCH 2 (BODY.PEEK[])')).toMatch(/Subject: to be bounced/)
  phone.imap.end()
})
