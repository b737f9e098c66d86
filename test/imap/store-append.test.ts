/** STORE, COPY, APPEND, CHECK (RFC 3501 §6.4, §6.3.11), and what others are told of them. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let box = ''
let count = 0
const open: RawImap[] = []
const client = async (...commands: string[]): Promise<RawImap> => {
  const imap = await loggedIn(server.port)
  open.push(imap)
  for (const each of commands) await imap.command(each)
  return imap
}
const octets = (text: string) => `{${Buffer.byteLength(text, 'latin1')}+}\r\n${text}`

beforeAll(async () => {
  server = await startImap({ limits: { messageOctets: 200_000 } })
})
afterAll(() => server.close())
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  box = `Store${++count}`
  for (let i = 1; i <= 4; i++)
    await server.deliver('alice@example.net', box, `From: bob@example.org\nSubject: m${i}\n\nm${i}\n`)
})

test("AP-01, AP-02, UR-17, UR-18: STORE sets, adds and removes; \\Recent is not the client's", async () => {
  const a = await client(`SELECT ${box}`)
  expect(await a.command('STORE 1 FLAGS (\\Seen)')).toBe(
    '* 1 FETCH (FLAGS (\\Recent \\Seen))\r\nt3 OK STORE completed\r\n',
  )
  expect(await a.command('STORE 1 FLAGS \\Flagged \\Draft')).toContain(
    '* 1 FETCH (FLAGS (\\Recent \\Flagged \\Draft))',
  )
  expect(await a.command('STORE 1 +FLAGS (\\Seen \\Flagged)')).toMatch(/\\Recent [^)]*\\Seen/)
  expect(await a.command('STORE 1 -FLAGS (\\Seen \\Answered)')).toContain('(\\Recent \\Flagged \\Draft)')
  expect(await a.command('STORE 1 FLAGS ()')).toContain('FLAGS (\\Recent))')
  expect(await a.command('STORE 1 +FLAGS (\\Recent)')).toMatch(/^t\d+ BAD/)
  const uid = await client(`SELECT ${box}`)
  expect(await uid.command('UID STORE 2 +FLAGS (\\Seen)')).toMatch(
    /^\* 2 FETCH \(UID 2 FLAGS \(\\Seen\)\)\r\n/,
  )
  expect(await uid.command('UID FETCH 3 (FLAGS)')).toMatch(/^\* 3 FETCH \(UID 3 FLAGS \(\)\)\r\n/)
  expect(await uid.command('UID FETCH 3 (FLAGS UID)')).toMatch(
    /^\* 3 FETCH \((FLAGS \(\) UID 3|UID 3 FLAGS \(\))\)\r\n/,
  )
  expect(await a.command('NOOP')).toMatch(/^\* 2 FETCH \(UID 2 FLAGS \(\\Recent \\Seen\)\)\r\n/)
})

test('AP-04: a flag that cannot be kept is not claimed to be', async () => {
  const a = await client(`SELECT ${box}`)
  // The table of keywords fills up: 4096 may be the limit of a mailbox, 256 of a message.
  const many = (from: number) => Array.from({ length: 50 }, (_, i) => `k${from + i}`).join(' ')
  let last = ''
  for (let i = 0; i < 6 && !/NO|BAD/.test(last); i++)
    last = await a.command(`STORE ${(i % 4) + 1} +FLAGS (${many(i * 50)})`)
  const kept = await a.command('FETCH 1:4 (FLAGS)')
  const told = new Set([...kept.matchAll(/\bk\d+\b/g)].map((m) => m[0]))
  const other = await client(`SELECT ${box}`)
  for (const keyword of ['k0', 'k199', 'k299']) {
    const found = await other.command(`SEARCH KEYWORD ${keyword}`)
    expect(/SEARCH \d/.test(found), keyword).toBe(told.has(keyword))
  }
})

test('AP-05, AP-06, AP-07, AP-08: COPY takes flags and dates along, all or nothing, and makes no mailbox', async () => {
  const a = await client('CREATE Into', `SELECT ${box}`)
  await a.command('STORE 2 +FLAGS.SILENT (\\Flagged kw)')
  const dated = await a.command(
    `APPEND ${box} (\\Seen) "17-Jul-1996 02:44:25 -0700" ${octets('Subject: d\r\n\r\nd')}`,
  )
  expect(dated).toContain('APPENDUID')
  expect(await a.command('COPY 2,5 Into')).toMatch(/^t\d+ OK \[COPYUID \d+ 2,5 1,2\]/)
  const into = await client('SELECT Into')
  const copied = await into.command('FETCH 1:2 (FLAGS INTERNALDATE)')
  expect(copied).toMatch(/\* 1 FETCH \(FLAGS \(\\Recent \\Flagged kw\)/)
  expect(copied).toMatch(/\* 2 FETCH \(FLAGS \(\\Recent \\Seen\) INTERNALDATE "17-Jul-1996 02:44:25 -0700"\)/)
  expect(await a.command('FETCH 2 (FLAGS)')).toContain('\\Flagged kw')
  expect(await a.command('COPY 1 nosuch')).toMatch(/NO \[TRYCREATE\]/)
  expect(await a.command('COPY 1 "a*b/%"')).toMatch(/^t\d+ NO (?!\[TRYCREATE\])/)
  expect(await a.command('LIST "" nosuch')).not.toContain('* LIST')
  expect(await a.command(`COPY 1:2 ${box}`)).toMatch(/^\* 7 EXISTS\r\n(\* \d RECENT\r\n)?t\d+ OK \[COPYUID/)
  for (const set of ['99', '99:120']) expect(await a.command(`UID COPY ${set} Into`)).toMatch(/^t\d+ OK COPY/)
  expect(await into.command('NOOP')).not.toContain('EXISTS')
  // Over quota in the middle: none is copied.
  const account = (await server.directory.find('alice@example.net'))!.id
  await server.store.write(account, [{ op: 'quota', octets: undefined, messages: 0 }])
  expect(await a.command('COPY 1:3 Into')).toContain('NO [OVERQUOTA]')
  await server.store.write(account, [{ op: 'quota', octets: undefined, messages: undefined }])
  expect(await a.command('STATUS Into (MESSAGES)')).toContain('MESSAGES 2')
})

test('AP-09, AP-10: flags, date and its zone are kept as they were given', async () => {
  const a = await client(`SELECT ${box}`)
  const dates = ['17-Jul-1996 02:44:25 -0700', ' 1-Jan-2024 00:00:00 +0000', '31-Dec-2023 23:59:59 +1345']
  for (const date of dates)
    expect(await a.command(`APPEND ${box} (\\Seen) "${date}" ${octets('Subject: d\r\n\r\nd')}`)).toMatch(
      /OK \[/,
    )
  const fetched = await a.command('FETCH 5:7 (INTERNALDATE FLAGS)')
  for (const date of dates) expect(fetched).toContain(`INTERNALDATE "${date}" FLAGS (\\Recent \\Seen)`)
  const before = Date.now()
  await a.command(`APPEND ${box} () ${octets('Subject: n\r\n\r\nn')}`)
  await a.command(`APPEND ${box} ${octets('Subject: n\r\n\r\nn')}`)
  const now = await a.command('FETCH 8:9 (INTERNALDATE FLAGS)')
  expect(now.match(/FLAGS \(\\Recent\)\)/g)).toHaveLength(2)
  for (const [, date] of now.matchAll(/INTERNALDATE "([^"]*)"/g))
    expect(Math.abs(Date.parse(date!.replace(/-/g, ' ').replace(' +', ' +')) - before)).toBeLessThan(5000)
  for (const wrong of ['(\\Recent)', '(\\Nonsense', '"32-Jan-2024 00:00:00 +0000"', '"1-Jan-2024 00:00:00"'])
    expect(await a.command(`APPEND ${box} ${wrong} ${octets('x')}`)).toMatch(/BAD/)
})

test('AP-11, AP-12, AP-13, R2-09: where there is no target, on failure half-way, and in the selected mailbox', async () => {
  const a = await client(`SELECT ${box}`)
  a.send(`n APPEND nosuch {5}\r\n`)
  expect(await a.until(/(^|\n)(\+|n) .*\r\n/)).toMatch(/n NO \[TRYCREATE\]/)
  expect(await a.command(`APPEND nosuch ${octets('x\r\n')}`)).toMatch(/NO \[TRYCREATE\]/)
  expect(await a.command(`APPEND "x//y" ${octets('x\r\n')}`)).toMatch(/t\d+ NO (?!\[TRYCREATE)/)
  // The second of three is too large: none is stored, and the next command is found.
  expect(
    await a.command(
      `APPEND ${box} ${octets('Subject: 1\r\n\r\n')} ${octets('x'.repeat(200_001))} ${octets('Subject: 3\r\n\r\n')}`,
    ),
  ).toMatch(/NO \[TOOBIG\]/)
  // A connection that breaks within the literal leaves nothing behind.
  const half = await client()
  half.send(`h APPEND ${box} {100}\r\n`)
  await half.until(/\+ .*\r\n/)
  half.send('Subject: half')
  half.end()
  expect(await a.command('NOOP')).toMatch(/^t\d+ OK/)
  expect(await a.command(`STATUS ${box} (MESSAGES)`)).toContain('MESSAGES 4')
  expect(await a.command(`APPEND ${box} ${octets('Subject: 5\r\n\r\n')}`)).toMatch(/^\* 5 EXISTS\r\n/)
  expect(await a.command(`APPEND ${box} ~{3+}\r\nx\0y`)).toMatch(/^\* 6 EXISTS\r\n/)
  expect(await a.command('CAPABILITY')).toContain(' BINARY')
})

test('AP-14, AP-16, BI-12: octets of a body come back as they went in, whatever their line ends', async () => {
  const a = await client(`SELECT ${box}`)
  const all = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1)).toString('latin1')
  const bodies = [
    `Subject: x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${all}`,
    'Subject: bare\nX: y\n\nline\nline\r\rmore\n',
    'no header at all',
    '\r\n',
    `Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n${all.slice(0, 200)}`,
  ]
  for (const [i, body] of bodies.entries()) {
    // A literal8 without NUL need not be changed.
    a.send(Buffer.from(`p${i} APPEND ${box} ${i === 4 ? '~' : ''}{${body.length}+}\r\n${body}\r\n`, 'latin1'))
    expect(await a.until(new RegExp(`p${i} .*\r\n`))).toContain('OK [APPENDUID')
  }
  for (const [i, body] of bodies.entries()) {
    const answer = await a.command(`FETCH ${i + 5} (RFC822.SIZE BODY.PEEK[])`)
    expect(answer).toContain(`RFC822.SIZE ${body.length} BODY[] {${body.length}}\r\n${body})`)
  }
})

test('AP-18: CHECK is a NOOP, in a mailbox only', async () => {
  const a = await client()
  expect(await a.command('CHECK')).toMatch(/^t\d+ BAD/)
  await a.command(`SELECT ${box}`)
  await server.deliver('alice@example.net', box, 'Subject: n\n\nn\n')
  expect(await a.command('CHECK')).toMatch(/^\* 5 EXISTS\r\n\* \d RECENT\r\nt\d+ OK/)
})

test('UR-09: a silent STORE does not hide what others changed', async () => {
  for (const aware of [[], ['ENABLE CONDSTORE']]) {
    const a = await client(...aware, `SELECT ${box}`)
    const b = await client(`SELECT ${box}`)
    await b.command('STORE 1 +FLAGS (\\Flagged)')
    const answer = await a.command('STORE 1:2 +FLAGS.SILENT (\\Seen)')
    expect(answer).toMatch(/\* 1 FETCH \([^\r]*FLAGS \([^)]*\\Flagged/)
    expect(answer).not.toMatch(/\* 2 FETCH \([^\r]*FLAGS/)
    if (aware.length > 0) expect(answer).toMatch(/\* 2 FETCH \(UID 2 MODSEQ \(\d+\)\)/)
    // Changed by others and taken back again: the client knows nothing that is wrong.
    await b.command('STORE 3 +FLAGS (\\Answered)')
    await a.command('NOOP')
    await b.command('STORE 3 -FLAGS (\\Answered)')
    const again = await a.command('STORE 3 +FLAGS.SILENT (\\Draft)')
    const told = again + (await a.command('NOOP'))
    expect(told).toMatch(/\* 3 FETCH \([^\r]*FLAGS \((?![^)]*\\Answered)/)
    await b.command('STORE 1:4 FLAGS ()')
    await a.command('NOOP')
  }
})

test('UR-10, UR-11, SR-18: numbers stay until EXPUNGE was told, and what is gone is said to be', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  await b.command('STORE 2:3 +FLAGS.SILENT (\\Deleted)')
  await b.command('EXPUNGE')
  expect(await a.command('FETCH 4 (UID)')).toMatch(/^\* 4 FETCH \(UID 4\)\r\nt\d+ OK FETCH/)
  const fetched = await a.command('FETCH 2:4 (UID)')
  expect(fetched).toMatch(/^\* 4 FETCH \(UID 4\)\r\nt\d+ OK \[EXPUNGEISSUED\]/)
  expect(await a.command('FETCH 2 (BODY.PEEK[])')).toMatch(/^t\d+ (NO|OK) \[EXPUNGEISSUED\]/)
  expect(await a.command('STORE 2:3 +FLAGS (\\Seen)')).toMatch(/^t\d+ NO \[EXPUNGEISSUED\]/)
  expect(await a.command('STORE 2:4 +FLAGS.SILENT (\\Seen)')).toMatch(/^t\d+ OK/)
  expect(await a.command('FETCH 4 (FLAGS)')).toContain('\\Seen')
  // No MSN can be of use to a client that was not told, but it knows them, and so is told why they are missing.
  expect(await a.command('SEARCH 1:4')).toMatch(/^\* SEARCH 1 4\r\nt\d+ OK \[EXPUNGEISSUED\]/)
  expect(await a.command('NOOP')).toBe('* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nt10 OK NOOP completed\r\n')
  expect(await a.command('SEARCH 1:4')).toMatch(/^\* SEARCH 1 2\r\nt\d+ OK SEARCH/)
})
