/** What a handset that comes back relies on, one rule at a time (lemonade.md 4). */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { quickPasswords, startImap, type TestImap } from '../support/imap-server.ts'
import { fillInbox } from '../support/large-mailbox.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'
import { tempFolder } from '../support/temp.ts'

const user = 'alice@example.net'
const count = 100_000
const folder = tempFolder()
let server: TestImap

beforeAll(async () => {
  // Logins are many; what a password costs is not what is looked at.
  const options = { folder, derive: quickPasswords }
  const first = await startImap(options)
  await first.deliver(user, 'INBOX', 'From: bob@example.org\nSubject: m\n\nx\n')
  await first.close()
  fillInbox(join(folder, 'lemonade.sqlite'), user, count)
  server = await startImap(options)
  for (let i = 0; i < 10; i += 1) await server.deliver(user, 'Small', `Subject: ${i}\n\nx\n`)
}, 60_000)
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

const code = (answer: string, name: string): string => new RegExp(`\\[${name} (\\d+)`).exec(answer)?.[1] ?? ''

/** One flight of login, ENABLE, SELECT and what else; resolves with the answer to all of it. */
async function flight(
  mailbox: string,
  known = '',
  more: readonly string[] = [],
): Promise<{ imap: RawImap; text: string; up: number; down: number }> {
  const imap = await rawImap(server.port)
  const before = imap.received
  const initial = Buffer.from(`\0${user}\0secret`).toString('base64')
  const lines = [`AUTHENTICATE PLAIN ${initial}`, 'ENABLE QRESYNC', `SELECT ${mailbox}${known}`, ...more]
  const octets = lines.map((line, i) => `${i + 1} ${line}\r\n`).join('')
  imap.send(octets)
  const text = await imap.until(new RegExp(`(^|\\n)${lines.length} (OK|NO|BAD).*\\r\\n`))
  return { imap, text, up: octets.length, down: imap.received - before }
}

const knownOf = (answer: string): string =>
  ` (QRESYNC (${code(answer, 'UIDVALIDITY')} ${code(answer, 'HIGHESTMODSEQ')}))`

test('RC-04, RC-14: a link that is half dead holds nothing: the next login works, from anywhere, and sees the same', async () => {
  const dead = await loggedIn(server.port)
  await dead.command('SELECT Small')
  dead.socket.pause()
  dead.send('x IDLE\r\n')
  const again = await loggedIn(server.port)
  const answer = await again.command('SELECT Small')
  expect(answer).toMatch(/OK \[READ-WRITE\]/)
  expect(await again.command('STORE 1 +FLAGS (\\Seen)')).toMatch(/FETCH .*\r\n.* OK/)
  // The old one ends by its own timer, and was not closed by the new one.
  dead.socket.resume()
  await dead.until(/\* 1 FETCH .*\\Seen.*\r\n/)
  dead.end()
  again.end()
})

test('RC-07: with another UIDVALIDITY, SELECT tells no VANISHED and no FETCH', async () => {
  const { imap, text } = await flight('Small', ' (QRESYNC (1 1 1:5))')
  expect(text).toContain('* 10 EXISTS')
  expect(text).not.toMatch(/VANISHED|FETCH/)
  imap.end()
})

test('RC-08, RC-10: APPENDUID of all messages of one APPEND, COPYUID, STATUS and SELECT: one UIDVALIDITY', async () => {
  const imap = await loggedIn(server.port)
  await imap.command('CREATE Uploads')
  const one = '{14+}\r\nSubject: a\r\n\r\n'
  const answer = await imap.command(`APPEND Uploads ${one} ${one} ${one}`)
  const [, validity = '', uids] = /\[APPENDUID (\d+) (\S+)\]/.exec(answer) ?? []
  expect(uids).toBe('1:3')
  expect(await imap.command('STATUS Uploads (UIDVALIDITY)')).toContain(`UIDVALIDITY ${validity}`)
  await imap.command('SELECT Small')
  expect(await imap.command('UID COPY 1:2 Uploads')).toContain(`[COPYUID ${validity} 1:2 4:5]`)
  expect(code(await imap.command('SELECT Uploads'), 'UIDVALIDITY')).toBe(validity)
  imap.end()
})

test('RC-11: UNSELECT expunges nothing behind other clients', async () => {
  const imap = await loggedIn(server.port)
  await imap.command('SELECT Uploads')
  await imap.command('STORE 1 +FLAGS (\\Deleted)')
  await imap.command('UNSELECT')
  expect(await imap.command('STATUS Uploads (MESSAGES DELETED)')).toContain('MESSAGES 5 DELETED 1')
  imap.end()
})

test('RC-12: HIGHESTMODSEQ of STATUS and LIST is that of SELECT, and moves with flags, arrivals, expunges, annotations', async () => {
  const imap = await loggedIn(server.port)
  let last = 0
  const changes = [
    'NOOP',
    'STORE 2 +FLAGS (\\Seen)',
    'APPEND Uploads {14+}\r\nSubject: a\r\n\r\n',
    'EXPUNGE',
    'SETMETADATA Uploads (/private/comment "x")',
  ]
  for (const change of changes) {
    await imap.command('SELECT Uploads')
    expect(await imap.command(change)).toMatch(/ OK /)
    await imap.command('UNSELECT')
    const status = Number(
      /HIGHESTMODSEQ (\d+)/.exec(await imap.command('STATUS Uploads (HIGHESTMODSEQ)'))?.[1],
    )
    const listed = await imap.command('LIST "" Uploads RETURN (STATUS (HIGHESTMODSEQ))')
    expect(listed, change).toContain(`HIGHESTMODSEQ ${status}`)
    expect(Number(code(await imap.command('SELECT Uploads'), 'HIGHESTMODSEQ')), change).toBe(status)
    expect(status, change).toBeGreaterThan(last)
    last = status
  }
  imap.end()
})

test('RC-13: NOTIFY and live searches are begun anew in the same flight as SELECT', async () => {
  const before = await flight('Small')
  before.imap.end()
  const { imap, text } = await flight('Small', knownOf(before.text), [
    'NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))',
    'UID SEARCH RETURN (UPDATE COUNT) UNSEEN',
  ])
  expect(text).toMatch(/^4 OK/m)
  expect(text).toMatch(/^\* ESEARCH \(TAG "5"\) UID COUNT \d+\r\n5 OK/m)
  await server.deliver(user, 'Small', 'Subject: news\n\n')
  await imap.until(/\* \d+ FETCH \(UID 11 .*\r\n(?:.*\r\n)*?\* ESEARCH \(TAG "5"\) UID ADDTO \(0 11\)\r\n/)
  imap.end()
})

test('4.2: octets of each change, each expunge, each new message with its summary, all in one flight', async () => {
  const start = await flight('INBOX')
  start.imap.end()
  const other = await loggedIn(server.port)
  await other.command('SELECT INBOX')
  const blind = [`UID FETCH ${count + 1}:* (FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)`]
  const cost = async (known: string): Promise<{ down: number; up: number; text: string }> => {
    const { imap, ...rest } = await flight('INBOX', known, blind)
    imap.end()
    return rest
  }
  const known = () => other.command('SELECT INBOX').then(knownOf)
  const nothing = await cost(await known())
  let at = await known()
  await other.command('UID STORE 1000:1049 +FLAGS.SILENT (\\Flagged)')
  const flags = ((await cost(at)).down - nothing.down) / 50
  at = await known()
  for (let i = 0; i < 20; i += 1) await other.command(`UID STORE ${5000 + i * 10} +FLAGS.SILENT (\\Deleted)`)
  await other.command('EXPUNGE')
  const { text, down } = await cost(at)
  const vanished = /\* VANISHED \(EARLIER\) (.*)\r\n/.exec(text)?.[0] ?? ''
  at = await known()
  const body = [
    'From: Bob Baker <bob.baker@example.org>',
    `To: ${user}`,
    'Subject: a subject of usual length, more or less',
    'Date: Mon, 2 Mar 2026 10:00:00 +0100',
    'Message-ID: <0123456789.abcdef@mail.example.org>',
    '',
    'x',
    '',
  ].join('\r\n')
  for (let i = 0; i < 10; i += 1) await other.command(`APPEND INBOX {${body.length}+}\r\n${body}`)
  // The line that SELECT tells of it, and its summary.
  const news = ((await cost(at)).down - nothing.down) / 10
  console.log(
    `reconnect: up ${nothing.up}, down ${nothing.down} with nothing changed; a change ${flags}, 20 expunges ${vanished.length} ` +
      `(${(vanished.length - 26) / 20} each), a new message with its summary ${news}`,
  )
  expect(nothing.up).toBeLessThanOrEqual(135 + 70)
  // About 55 in the figures of 4.2; here numbers have six digits, and most messages a second flag.
  expect(flags).toBeLessThanOrEqual(66)
  expect(vanished.length).toBeLessThanOrEqual(30 + 8 * 20)
  expect(down - nothing.down - vanished.length).toBeLessThanOrEqual(20)
  expect(news).toBeLessThanOrEqual(470)
  other.end()
}, 30_000)

test('RC-19, RC-20: what the server spends on a client that comes back does not grow with the mailbox', async () => {
  const known = new Map<string, string>()
  for (const box of ['INBOX', 'Small']) {
    const { imap, text } = await flight(box)
    known.set(box, knownOf(text))
    imap.end()
  }
  const spent = new Map<string, number[]>([
    ['INBOX', []],
    ['Small', []],
  ])
  // Turn by turn, so that what else the machine does is spent on both.
  for (let round = 0; round < 12; round += 1)
    for (const box of ['INBOX', 'Small']) {
      const before = process.cpuUsage()
      for (let i = 0; i < 25; i += 1) {
        const { imap, text } = await flight(box, known.get(box))
        if (i === 0) expect(text).not.toMatch(/VANISHED|FETCH/)
        imap.end()
      }
      const { user: own, system } = process.cpuUsage(before)
      spent.get(box)!.push((own + system) / 25_000)
    }
  const least = (box: string): number => Math.min(...spent.get(box)!)
  console.log(
    `CPU of a reconnect, client and server: ${least('INBOX').toFixed(2)} ms with ${count} messages, ${least('Small').toFixed(2)} ms with 11`,
  )
  expect(least('INBOX')).toBeLessThan(1.5 * least('Small') + 0.5)
}, 60_000)
