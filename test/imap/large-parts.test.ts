/** Large parts flow from the disk to the client: encoded, decoded, by URL, and at its pace (FE-27, BI-01, UA-38). */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { base64Lines } from '../../src/wire/mime/base64-lines.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn } from '../support/raw-imap.ts'

const MiB = 1_048_576
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void
function live(): number {
  for (let i = 0; i < 3; i += 1) gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

let server: TestImap
const sha = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex')
let picture: string
let prose: string
let url = ''

beforeAll(async () => {
  server = await startImap()
  const octets = randomBytes(8 * MiB)
  picture = sha(octets)
  const line = 'Gr=C3=BC=C3=9Fe =\r\nan alle, und noch mehr W=C3=B6rter\r\n'
  const repeat = 80_000
  prose = sha(Buffer.from('Gr\u00fc\u00dfe an alle, und noch mehr W\u00f6rter\r\n'.repeat(repeat)))
  await server.deliver(
    'alice@example.net',
    'INBOX',
    Buffer.concat([
      Buffer.from(
        'Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n',
      ),
      base64Lines(octets),
      Buffer.from(
        '\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n',
      ),
      Buffer.from(line.repeat(repeat)),
      Buffer.from('\r\n--b--\r\n'),
    ]),
  )
  const imap = await loggedIn(server.port)
  const made = await imap.command(
    'GENURLAUTH "imap://alice%40example.net@mail.example.net/INBOX/;UID=1/;SECTION=1;URLAUTH=user+alice%40example.net" INTERNAL',
  )
  url = / "(imap:[^"]*)"\r\n/.exec(made)![1]!
  imap.end()
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

test.each([
  ['FETCH 1 BINARY.PEEK[1]', 'picture', 8 * MiB],
  ['FETCH 1 BINARY.PEEK[2]', 'prose', 0],
  ['URLFETCH ("URL" BINARY)', 'picture', 8 * MiB],
  ['FETCH 1 BODY.PEEK[1]', 'encoded', 0],
])('BI-01, BI-02, UA-38, SC-39: %s to a client that does not read costs no memory, and is whole', async (command, what, size) => {
  const imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
  const before = live()
  const came: Buffer[] = []
  imap.socket.on('data', (octets: Buffer) => came.push(octets))
  imap.socket.pause()
  imap.send(`a ${command.replace('URL"', `${url}"`).replace('("URL', `("${url}`)}\r\nb NOOP\r\n`)
  // Until the server has filled the pipe and waits.
  const other = await loggedIn(server.port)
  for (let i = 0; i < 60; i++) {
    await other.command('NOOP')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  other.end()
  expect(live() - before).toBeLessThan(6 * MiB)
  imap.socket.resume()
  while (!Buffer.concat(came.slice(-30)).toString('latin1').endsWith('b OK NOOP completed\r\n'))
    await once(imap.socket, 'data')
  const said = Buffer.concat(came)
  const start = said.indexOf('}\r\n') + 3
  const length = Number(/\{(\d+)\}/.exec(said.toString('latin1', 0, start))![1])
  const octets = said.subarray(start, start + length)
  if (what === 'picture') expect(sha(octets)).toBe(picture)
  if (what === 'prose') expect(sha(octets)).toBe(prose)
  if (what === 'encoded') expect(sha(Buffer.from(octets.toString('latin1'), 'base64'))).toBe(picture)
  if (size > 0) expect(length).toBe(size)
  if (what === 'picture') expect(said.toString('latin1', 0, start)).toContain('~{')
  imap.end()
})

test('BI-03, BI-06: sizes, and windows of a large part', async () => {
  const imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
  expect(await imap.command('FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[])')).toContain(`BINARY.SIZE[1] ${8 * MiB} `)
  expect(await imap.command('FETCH 1 BINARY.PEEK[2]<3199990.13>')).toMatch(/BINARY\[2\]<3199990> \{10\}\r\n/)
  expect(await imap.command('FETCH 1 BINARY.PEEK[2]<90000000.13>')).toContain('BINARY[2]<90000000> ""')
  const one = await imap.command('FETCH 1 BINARY.PEEK[1]<1000000.50>')
  const two = await imap.command('FETCH 1 BINARY.PEEK[1]<1000025.25>')
  const octets = (text: string) => text.slice(text.indexOf('}\r\n') + 3, text.lastIndexOf(')\r\n'))
  expect(octets(one).slice(25)).toBe(octets(two))
  imap.end()
})
