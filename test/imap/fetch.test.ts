/** FETCH, ENVELOPE and BODYSTRUCTURE (RFC 3501 §6.4.5, §7.4.2) on the wire. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap
let box = ''
let count = 0
const open: RawImap[] = []
const deliver = (octets: Uint8Array | string, flags: readonly string[] = []) =>
  server.deliver('alice@example.net', box, octets, flags)
const client = async (...commands: string[]): Promise<RawImap> => {
  const made = await loggedIn(server.port)
  open.push(made)
  for (const each of commands) await made.command(each)
  return made
}

beforeAll(async () => {
  server = await startImap()
})
afterAll(async () => {
  for (const each of open) each.end()
  await server.close()
})
beforeEach(() => {
  box = `Fetch${++count}`
})

const fifty = `${'0123456789'.repeat(4)}01234567\r\n`
const mail = `From: bob@example.org\r\nTo: a@example.net\r\nX-Long: one\r\n two\r\nSubject: s\r\n\r\n${fifty}`

test('FE-02, FE-03, FE-04: numbers beyond the last are refused, UIDs that are not there are not missed', async () => {
  for (let i = 0; i < 5; i++) await deliver(mail)
  imap = await client(`SELECT ${box}`)
  await imap.command('STORE 2,5 +FLAGS.SILENT (\\Deleted)')
  await imap.command('EXPUNGE')
  for (const set of ['4', '1:4', '4:9']) expect(await imap.command(`FETCH ${set} FLAGS`)).toMatch(/^t\d+ BAD/)
  expect(await imap.command('STORE 9 +FLAGS (\\Seen)')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('COPY 9 INBOX')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('UID FETCH 99999 FLAGS')).toMatch(/^t\d+ OK/)
  expect(await imap.command('UID FETCH 2 FLAGS')).toMatch(/^t\d+ OK/)
  expect(await imap.command('UID FETCH 2:3,99999 (UID)')).toMatch(/^\* 2 FETCH \(UID 3\)\r\nt\d+ OK/)
  for (const set of ['99999:*', '*:99999', '*'])
    expect(await imap.command(`UID FETCH ${set} (UID)`)).toMatch(/^\* 3 FETCH \(UID 4\)\r\nt\d+ OK/)
  const empty = await client('CREATE Void', 'SELECT Void')
  expect(await empty.command('UID FETCH 1:* FLAGS')).toMatch(/^t\d+ OK/)
  expect(await empty.command('UID FETCH * FLAGS')).toMatch(/^t\d+ OK/)
  expect(await empty.command('FETCH * FLAGS')).toMatch(/^t\d+ BAD/)
  expect(await empty.command('FETCH 1 FLAGS')).toMatch(/^t\d+ BAD/)
})

test('FE-05, FE-06: macros stand alone, and items are answered in the form in which they were asked for', async () => {
  await deliver(mail)
  imap = await client(`SELECT ${box}`)
  for (const items of ['(ALL)', '(FAST UID)', '(FULL)', 'ALL UID', '()', '(FLAGS  UID)', 'FLAGS UID'])
    expect(await imap.command(`FETCH 1 ${items}`)).toMatch(/^t\d+ BAD/)
  const names = (text: string) => [...text.matchAll(/(?:\(| )([A-Z][A-Z0-9.]+) (?=[("\d])/g)].map((m) => m[1])
  expect(names(await imap.command('FETCH 1 FAST'))).toEqual(
    expect.arrayContaining(['FLAGS', 'INTERNALDATE', 'RFC822.SIZE']),
  )
  const all = await imap.command('FETCH 1 ALL')
  expect(all).toContain(' ENVELOPE (')
  expect(all).not.toContain(' BODY')
  const full = await imap.command('fetch 1 full')
  expect(full).toContain(' ENVELOPE (')
  expect(full).toContain(' BODY ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 50 1)')
  expect(full).not.toContain('BODYSTRUCTURE')
  for (const [asked, answered] of [
    ['BODY.PEEK[1]', 'BODY[1] {50}'],
    ['BODY[1]', 'BODY[1] {50}'],
    ['body.peek[header.fields (to)]', 'BODY[HEADER.FIELDS (to)] {'],
    ['RFC822.HEADER', 'RFC822.HEADER {'],
    ['RFC822.TEXT', 'RFC822.TEXT {50}'],
    ['RFC822', 'RFC822 {'],
    ['RFC822.SIZE', `RFC822.SIZE ${mail.length}`],
  ])
    expect(await imap.command(`FETCH 1 ${asked}`)).toContain(` FETCH (${answered}`)
})

test('FE-20, FE-21, FE-22: partials say where they begin, and are cut from what was chosen', async () => {
  await deliver(mail)
  imap = await client(`SELECT ${box}`)
  const fetch = (items: string) => imap.command(`FETCH 1 ${items}`)
  expect(await fetch('BODY.PEEK[TEXT]<0.100>')).toContain(`(BODY[TEXT]<0> {50}\r\n${fifty})`)
  expect(await fetch('BODY.PEEK[TEXT]<60.10>')).toContain('(BODY[TEXT]<60> "")')
  expect(await fetch('BODY.PEEK[TEXT]<50.10>')).toContain('(BODY[TEXT]<50> "")')
  expect(await fetch('BODY.PEEK[]<6.3>')).toContain('(BODY[]<6> {3}\r\nbob)')
  for (const window of ['<0.0>', '<5>', '<-1.5>', '<0.4294967296>', '<1.1'])
    expect(await fetch(`BODY.PEEK[]${window}`)).toMatch(/^t\d+ BAD/)
  const chosen = 'To: a@example.net\r\nX-Long: one\r\n two\r\n\r\n'
  expect(await fetch('BODY.PEEK[HEADER.FIELDS (X-Long To)]<4.30>')).toContain(
    `(BODY[HEADER.FIELDS (X-Long To)]<4> {30}\r\n${chosen.slice(4, 34)})`,
  )
  for (const item of ['BODY.PEEK[]', 'BODY.PEEK[TEXT]', 'RFC822', 'BODY.PEEK[HEADER]'])
    expect(await fetch(item)).not.toMatch(/FETCH \([^{]*</)
})

test('FE-23, FE-24: what sets \\Seen, what does not, and the flags come with it', async () => {
  const silent = [
    'BODY.PEEK[]',
    'RFC822.HEADER',
    'ENVELOPE',
    'BODYSTRUCTURE',
    'BODY',
    'BINARY.PEEK[1]',
    'BINARY.SIZE[1]',
    'RFC822.SIZE',
    'PREVIEW',
  ]
  const loud = ['BODY[]', 'BODY[HEADER]', 'BODY[TEXT]<0.1>', 'RFC822', 'RFC822.TEXT', 'BINARY[1]']
  for (let i = 0; i <= loud.length; i++) await deliver(mail)
  const other = await client(`EXAMINE ${box}`)
  imap = await client(`SELECT ${box}`)
  for (const item of silent) expect(await imap.command(`FETCH 1 ${item}`), item).not.toContain('\\Seen')
  expect(await imap.command('FETCH 1 FLAGS')).not.toContain('\\Seen')
  for (const [i, item] of loud.entries()) {
    const answer = await imap.command(`FETCH ${i + 2} ${item}`)
    expect(answer, item).toMatch(/ FLAGS \([^)]*\\Seen[^)]*\)\)\r\nt\d+ OK/)
    expect(answer.match(/ FETCH \(/g)).toHaveLength(1)
    expect(await imap.command(`FETCH ${i + 2} ${item}`)).not.toContain('FLAGS')
  }
  await imap.command('STORE 2 -FLAGS.SILENT (\\Seen)')
  await other.command('NOOP')
  expect(await other.command('FETCH 2 BODY[]')).not.toContain('\\Seen')
  const aware = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  expect(await aware.command('FETCH 1 BODY[1]')).toMatch(
    /FLAGS \(\\Seen\) UID 1 MODSEQ \(\d+\)\)|UID 1 [^\r]*MODSEQ/,
  )
})

test('FE-27: a message that cannot be read does not keep the others back, and the answer is NO', async () => {
  const boxes = await startImap()
  try {
    for (let i = 0; i < 3; i++) await boxes.deliver('alice@example.net', 'INBOX', mail)
    const { store } = boxes
    const readBlob = store.readBlob.bind(store)
    const account = (await boxes.directory.find('alice@example.net'))!.id
    let broken = -1
    await store.read(account, async (view) => {
      const inbox = (await view.mailbox('INBOX'))!
      for await (const batch of view.messages(inbox.id, {})) broken = batch[1]!.blob
    })
    // As a damaged disk would have it: the engine fails for those octets and no others.
    Object.assign(store, {
      readBlob: (blob: number, range?: { start: number; end: number }) =>
        blob === broken ? Promise.reject(new Error('checksum')) : readBlob(blob, range),
    })
    const reader = await loggedIn(boxes.port)
    await reader.command('SELECT INBOX')
    const answer = await reader.command('FETCH 1:3 (UID BODY.PEEK[])')
    expect(answer).toMatch(/\* 1 FETCH \(UID 1 BODY\[\] \{/)
    expect(answer).toMatch(/\* 3 FETCH \(UID 3 BODY\[\] \{/)
    expect(answer).not.toMatch(/\* 2 FETCH \([^)]*BODY/)
    expect(answer).toMatch(/t\d+ NO /)
    expect(await reader.command('FETCH 2 (FLAGS)')).toMatch(/OK FETCH/)
    reader.end()
  } finally {
    await boxes.close()
  }
})

test('FE-28: a client that does not read holds nobody up', async () => {
  await deliver(`${mail}${'x'.repeat(78)}\r\n`.concat(`${'y'.repeat(78)}\r\n`.repeat(40_000)))
  const slow = await client(`SELECT ${box}`)
  slow.socket.pause()
  const before = process.memoryUsage().rss
  for (let i = 0; i < 40; i++) slow.send(`s${i} FETCH 1 BODY.PEEK[]\r\n`)
  const quick = await client(`SELECT ${box}`)
  const started = Date.now()
  for (let i = 0; i < 20; i++) expect(await quick.command('FETCH 1 (FLAGS ENVELOPE)')).toContain('OK')
  expect(Date.now() - started).toBeLessThan(3000)
  // 40 answers of 3 MB were asked for: they are not heaped up in memory.
  expect(process.memoryUsage().rss - before).toBeLessThan(90_000_000)
  slow.end()
})

test('EN-09, EN-10, EN-11, EN-13: quoted local parts, folds, doubled fields, and what is no address', async () => {
  await deliver(
    'From: "a b"@example.org\nFrom: second@example.org\nTo: <<>>, @@, ;, "unclosed\nCc: <a@b\nSubject: one\n  two\n\tthree\nSubject: other\nMessage-ID: <id@x>\nDate: (c) nonsense\n\nx\n',
  )
  imap = await client(`SELECT ${box}`)
  const answer = await imap.command('FETCH 1 ENVELOPE')
  expect(answer).toContain('("(c) nonsense" "one  two\tthree" ((NIL NIL "a b" "example.org"))')
  expect(answer).toContain('NIL "<id@x>"))')
  expect(answer).not.toContain('second')
  // Every address has four places.
  expect(
    answer.match(/\((?:NIL|"[^"]*") (?:NIL|"[^"]*") (?:NIL|"[^"]*") (?:NIL|"[^"]*")\)/g)!.length,
  ).toBeGreaterThan(3)
  expect(await imap.command('SEARCH SUBJECT one FROM "a b" NOT SUBJECT nothing')).toContain('* SEARCH 1')
  await imap.command('UNSELECT')
})

test('BS-15: boundaries that begin alike, blanks behind them, an end that never comes, the same one within', async () => {
  const parts = (boundary: string, body: string) =>
    `Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n${body}`
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    [
      parts(
        'a',
        `--a\r\n${parts('aa', '--aa\r\n\r\ninner\r\n--aa--\r\n')}\r\n--a  \t\r\n\r\nsecond\r\n--a--\r\nafter`,
      ),
      ['1.1', '2'],
      'inner|second',
    ],
    [parts('open', '--open\r\n\r\nfirst\r\n--open\r\n\r\nlast\r\n'), ['1', '2'], 'first|last\r\n'],
    [parts('same', `--same\r\n${parts('same', '--same\r\n\r\nx\r\n--same--\r\n')}`), ['2'], 'x'],
    [parts('t ', '--t\r\n\r\none\r\n--t--\r\n'), ['1'], 'one'],
  ]
  for (const [octets] of cases) await deliver(Buffer.from(octets))
  imap = await client(`SELECT ${box}`)
  for (const [i, [, numbers, texts]] of cases.entries())
    for (const [n, part] of numbers.entries()) {
      const text = texts.split('|')[n]!
      const answer = await imap.command(`FETCH ${i + 1} (BODY.PEEK[${part}] BODYSTRUCTURE)`)
      expect(answer, `${i} ${part}`).toContain(`BODY[${part}] {${text.length}}\r\n${text}`)
      expect(answer).toContain(`"7BIT" ${text.length} 1 `)
    }
})

test('BS-16: a hundred levels are shown, what is deeper is one opaque part', async () => {
  let nested = 'Subject: innermost\r\n\r\ndeep\r\n'
  for (let i = 0; i < 150; i++) nested = `Content-Type: message/rfc822\r\n\r\n${nested}`
  await deliver(Buffer.from(nested))
  let parts = 'Content-Type: text/plain\r\n\r\ndeep'
  for (let i = 150; i > 0; i--)
    parts = `Content-Type: multipart/mixed; boundary=b${i}x\r\n\r\n--b${i}x\r\n${parts}\r\n--b${i}x--\r\n`
  await deliver(Buffer.from(parts))
  await deliver(Buffer.from(nested.repeat(1).replaceAll('message/rfc822', 'multipart/mixed; boundary=x')))
  imap = await client(`SELECT ${box}`)
  const enclosed = await imap.command('FETCH 1 BODYSTRUCTURE')
  expect(enclosed.match(/"MESSAGE" "RFC822"/g)).toHaveLength(100)
  expect(enclosed.match(/"APPLICATION" "OCTET-STREAM"/g)).toHaveLength(1)
  const mixed = await imap.command('FETCH 2 BODYSTRUCTURE')
  expect(mixed.match(/ "MIXED" /g)).toHaveLength(100)
  expect(mixed.match(/"APPLICATION" "OCTET-STREAM"/g)).toHaveLength(1)
  const levels = Array(100).fill('1').join('.')
  expect(await imap.command(`FETCH 2 BODY.PEEK[${levels}.MIME]`)).toContain('boundary=b101x')
  expect(await imap.command('FETCH 3 (BODYSTRUCTURE)')).toMatch(/t\d+ OK/)
})

test('BS-17, BS-18: answers stay as they are, over a restart too; Content-ID and Description as written', async () => {
  const asked = 'FETCH 1 (ENVELOPE BODYSTRUCTURE BODY RFC822.SIZE INTERNALDATE BODY.PEEK[])'
  const folder = mkdtempSync(join(tmpdir(), 'lemonade-stable-'))
  const answers: string[] = []
  for (const time of [0, 1]) {
    const run = await startImap({ folder, ...(time === 0 ? {} : { accounts: [] }) })
    if (time === 0)
      await run.deliver(
        'alice@example.net',
        'INBOX',
        'From: bob@example.org\nContent-Type: text/plain\nContent-ID: <part@x>\nContent-Description: =?utf-8?Q?d=C3=A9?= "q"\n\nhello\n',
      )
    const reader = await loggedIn(run.port)
    await reader.command('SELECT INBOX')
    for (const _ of [1, 2]) answers.push((await reader.command(asked)).replace(/t\d+ OK.*/, ''))
    reader.end()
    await run.close()
  }
  rmSync(folder, { recursive: true, force: true })
  expect(answers[0]).toContain('"<part@x>" "=?utf-8?Q?d=C3=A9?= \\"q\\"" "7BIT"')
  expect(new Set(answers).size).toBe(1)
})
