/** Any octets as a message: what FETCH says of them is IMAP's grammar, and a strict client reads it (SC-43, SC-09). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ImapClient } from '../support/imap-client.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'

let server: TestImap
beforeAll(async () => {
  server = await startImap()
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

const seed = Number(process.env.MESSAGE_SEED ?? Date.now() % 1_000_000)
let state = seed
const random = (below: number): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
  return state % below
}
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!

const pieces = [
  'From: ',
  'To: ',
  'Subject: ',
  'Date: ',
  'Content-Type: ',
  'Content-Transfer-Encoding: ',
  'MIME-Version: 1.0',
  'Content-Disposition: attachment; filename=',
  'Content-ID: <',
  'In-Reply-To: ',
  'References: ',
  'Message-ID: ',
  'multipart/mixed; boundary=b',
  'multipart/',
  'message/rfc822',
  'text/plain; charset=utf-8',
  'image/png; name*0*=',
  '--b',
  '--b--',
  '\r\n',
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  ':',
  ';',
  '=',
  '"',
  '\\',
  '\\"',
  '(',
  ')',
  '((',
  '<',
  '>',
  '@',
  ',',
  '{3}',
  '{3+}',
  '[',
  ']',
  '*',
  '%',
  '\0',
  '\xff',
  '\xc3\xbc',
  '\u0085',
  'NIL',
  'a@b.example',
  '=?utf-8?q?=0D=0A=22?=',
  '=?utf-8?b?DQoq?=',
  "utf-8''%0d%0a%22",
  'base64',
  'x',
  'undisclosed:;',
  'group: a@b, c;',
]
const message = (): string => {
  let text = ''
  for (let i = random(60); i >= 0; i -= 1) text += pick(pieces)
  return text
}

test(`SC-43, SC-09: 400 messages of nonsense, seed ${seed}`, async () => {
  const client = await ImapClient.connect(server.port)
  await client.next()
  const run = async (text: string) => {
    const { tagged, untagged } = await client.command(text)
    expect(tagged.status, text.slice(0, 100)).toBe('OK')
    return untagged
  }
  await run('LOGIN alice@example.net secret')
  for (let i = 0; i < 400; i += 1)
    await server.deliver('alice@example.net', 'INBOX', Buffer.from(message(), 'latin1'))
  await run('SELECT INBOX')
  for (const items of [
    'ENVELOPE',
    'BODYSTRUCTURE',
    'BODY',
    'PREVIEW',
    'BODY.PEEK[1]',
    'BODY.PEEK[HEADER.FIELDS (SUBJECT)]',
    'BODY.PEEK[1.MIME]',
  ]) {
    const told = await run(`FETCH 1:* (UID ${items})`)
    expect(
      told.filter(({ values }) => values[1]?.kind === 'atom' && values[1].text === 'FETCH').length,
      items,
    ).toBe(400)
  }
  await run('SORT (SUBJECT FROM TO DATE) UTF-8 ALL')
  await run('THREAD REFERENCES UTF-8 ALL')
})
