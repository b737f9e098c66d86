/** ID, SASL-IR, UNSELECT, IDLE, LANGUAGE, FILTERS, METADATA, QUOTA, PREVIEW: what is left of their rules. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap
const open: RawImap[] = []
const client = async (user = 'alice'): Promise<RawImap> => {
  const one = await loggedIn(server.port, `${user}@example.net`)
  open.push(one)
  return one
}
const before = async (): Promise<RawImap> => {
  const one = await rawImap(server.port)
  open.push(one)
  return one
}

beforeAll(async () => {
  server = await startImap({
    accounts: ['alice', 'bob', 'carol'].map((name) => ({
      address: `${name}@example.net`,
      password: 'secret',
    })),
  })
  for (const subject of ['one', 'Re: =?utf-8?B?w4ljaG8=?=', '=?iso-8859-1?Q?=E9cho?='])
    await server.deliver(
      'alice@example.net',
      'INBOX',
      `From: bob@example.org\nSubject: ${subject}\n\nSecret plan\n`,
    )
})
afterAll(() => server.close())
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  imap = await client()
  await imap.command('SELECT INBOX')
})

test('ID-01 to ID-03: ID is answered in every state and changes nothing', async () => {
  const early = await before()
  const what = 'ID ("name" "x" "version" NIL "os-version" "")'
  expect(await early.command('ID NIL')).toMatch(/^\* ID (NIL|\(.*\))\r\nt1 OK/)
  expect(await early.command(what)).toMatch(/^\* ID (NIL|\(.*\))\r\nt2 OK/)
  const capabilities = (await imap.command('CAPABILITY')).split('\r\n')[0]
  for (const name of ['Outlook', 'Apple Mail', 'Thunderbird'])
    expect(await imap.command(`ID ("name" "${name}")`)).toMatch(/^\* ID .*\r\nt\d+ OK/)
  expect((await imap.command('CAPABILITY')).split('\r\n')[0]).toBe(capabilities)
  expect(await imap.command('ID ()')).toMatch(/t\d+ OK/)
  const pairs = (n: number): string => Array.from({ length: n }, (_, i) => `"f${i}" "v"`).join(' ')
  expect(await imap.command(`ID (${pairs(30)})`)).toMatch(/t\d+ OK/)
  expect(await imap.command(`ID ("${'f'.repeat(30)}" "${'v'.repeat(1024)}")`)).toMatch(/t\d+ OK/)
  for (const bad of [
    'ID',
    'ID (NIL "x")',
    'ID ("name")',
    'ID ("name" "x" "version")',
    `ID (${pairs(31)})`,
    `ID ("${'f'.repeat(31)}" "x")`,
    `ID ("name" "${'v'.repeat(1025)}")`,
    'ID ("name" "x" "NAME" "y")',
    'ID ("name" "x"',
  ])
    expect(await imap.command(bad), bad.slice(0, 40)).toMatch(/^t\d+ BAD/)
})

test('ID-04: what a client says of itself is logged after login only, cut short and without controls', async () => {
  const early = await before()
  server.told.length = 0
  await early.command('ID ("name" "early bird")')
  expect(server.told.join()).not.toContain('early bird')
  const name = 'a\x1b[31m\tb\x7f'
  await imap.command(`ID ("name" {${name.length}+}\r\n${name} "vendor" "${'v'.repeat(1000)}")`)
  expect(server.told).toHaveLength(1)
  expect(server.told[0]).toContain('name=a?[31m?b?')
  expect(server.told[0]!.length).toBeLessThan(600)
})

test('IR-04, IR-06, IR-07: an initial response is base64, and as long as an access token needs', async () => {
  const good = Buffer.from('\0alice@example.net\0secret').toString('base64')
  for (const bad of [
    `${good.slice(0, 8)}=${good.slice(9)}`,
    `${good.slice(0, -1)}`,
    `${good.slice(0, 6)}-${good.slice(7)}`,
    `${good.slice(0, 6)} ${good.slice(6)}`,
    `"${good}"`,
    `{${good.length}+}\r\n${good}`,
    '',
  ]) {
    const one = await before()
    expect(await one.command(`AUTHENTICATE PLAIN ${bad}`), bad).toMatch(/^t1 BAD/)
    expect(await one.command(`AUTHENTICATE PLAIN ${good}`), bad).toMatch(/^t2 OK/)
  }
  // As long as a response may be: it is judged, and not the line that it stands in.
  const long = Buffer.from(`\0alice@example.net\0${'x'.repeat(16_384 - 19)}`).toString('base64')
  expect(await (await before()).command(`AUTHENTICATE PLAIN ${long}`)).toMatch(
    /^t1 NO \[AUTHENTICATIONFAILED\]/,
  )
  const asked = await before()
  asked.send(`x AUTHENTICATE PLAIN\r\n${long}\r\n`)
  expect(await asked.until(/x (OK|NO|BAD).*\r\n/)).toMatch(/^\+ \r\nx NO \[AUTHENTICATIONFAILED\]/)
})

test('UN-08: UNSELECT expunges nothing, says nothing of CLOSED, and needs a mailbox', async () => {
  await imap.command('CREATE Left')
  await imap.command('APPEND Left (\\Deleted) {14+}\r\nSubject: old\r\n')
  await imap.command('SELECT Left')
  expect(await imap.command('UNSELECT x')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('UNSELECT')).toMatch(/^t\d+ OK UNSELECT completed\r\n$/)
  expect(await imap.command('UNSELECT')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('FETCH 1 (FLAGS)')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('STATUS Left (MESSAGES)')).toContain('MESSAGES 1')
  await imap.command('DELETE Left')
})

test('IL-09: sessions in IDLE have no timers of their own, and one delivery wakes them all', async () => {
  const idle = async (): Promise<void> => {
    const one = await client('bob')
    await one.command('SELECT INBOX')
    one.send('i IDLE\r\n')
    await one.until(/\+ .*\r\n/)
  }
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  await idle()
  const few = timers()
  for (let i = 0; i < 40; i++) await idle()
  expect(timers() - few).toBeLessThan(5)
  await server.deliver('bob@example.net', 'INBOX', 'Subject: wake\n\nup\n')
  for (const one of open.slice(-41)) expect(await one.until(/EXISTS\r\n/)).toMatch(/^\* 1 EXISTS\r\n/)
})

test('IN-07, IN-08, IN-13, IN-14, IN-17: encodings are undone before strings are compared; languages are negotiated', async () => {
  const find = async (key: string): Promise<string> => {
    imap.send(Buffer.from(`s SEARCH CHARSET UTF-8 ${key}\r\n`))
    return imap.until(/s (OK|NO|BAD).*\r\n/)
  }
  const echo = `{${Buffer.byteLength('Écho')}+}\r\nÉcho`
  expect(await find(`SUBJECT ${echo}`)).toContain('* SEARCH 2 3\r\n')
  expect(await find('SUBJECT "utf-8"')).toMatch(/^\* SEARCH\r\n/)
  // "Re: Écho" and "écho" have one base subject, so that their order is that of arrival.
  expect(await imap.command('SORT (REVERSE SUBJECT) UTF-8 ALL')).toContain('* SORT 1 2 3\r\n')
  expect(await imap.command('THREAD ORDEREDSUBJECT UTF-8 ALL')).toMatch(/\(2 3\)/)

  const early = await before()
  expect(await early.command('LANGUAGE')).toMatch(/^\* LANGUAGE \(EN i-default\)\r\nt1 OK/i)
  for (const [asked, told] of [
    ['FR-CA EN', 'EN'],
    ['en-GB-oed', 'EN'],
    ['DEFAULT', 'i-default'],
  ])
    expect(await early.command(`LANGUAGE ${asked}`)).toMatch(
      new RegExp(`^\\* LANGUAGE \\(${told}\\)\r\nt\\d+ OK`),
    )
  expect(await early.command('LANGUAGE KLINGON DE')).toMatch(/^t\d+ NO/)
  for (const bad of [
    'LANGUAGE ""',
    'LANGUAGE a_b',
    `LANGUAGE ${'EN '.repeat(60)}EN`,
    `LANGUAGE {9000+}\r\n${'x'.repeat(9000)}`,
  ]) {
    const one = await before()
    expect(await one.command(bad), bad.slice(0, 30)).toMatch(/t1 (BAD|NO)|\* BYE/)
  }
  expect(await imap.command('LANGUAGE EN')).toMatch(/^\* LANGUAGE \(EN\)\r\n/)
})

test('FI-07, FI-09, FI-12, FI-13: charsets beside filters, descriptions as they are, a limit', async () => {
  await imap.command('SETMETADATA "" (/private/filters/values/f "SUBJECT one")')
  expect(await imap.command('SEARCH CHARSET KOI8-R FILTER f')).toMatch(/^t\d+ BAD \[BADCHARSET/)
  expect(await imap.command('SEARCH CHARSET KOI8-R NOT (FILTER f)')).toMatch(/^t\d+ BAD \[BADCHARSET/)
  expect(await imap.command('SORT (DATE) KOI8-R FILTER f')).toMatch(/^t\d+ BAD \[BADCHARSET/)
  expect(await imap.command('SEARCH CHARSET KOI8-R SUBJECT x')).toMatch(/^t\d+ NO \[BADCHARSET/)
  for (const charset of ['UTF-8', 'us-ascii'])
    expect(await imap.command(`SEARCH CHARSET ${charset} FILTER f`)).toContain('* SEARCH 1\r\n')
  const text = Buffer.from('\u{e0001}\u{e0064}\u{e0065}Wichtige Größen').toString('latin1')
  const put = `SETMETADATA "" (/private/filters/descriptions/f {${text.length}+}\r\n${text})\r\n`
  imap.send(Buffer.from(`d ${put}`, 'latin1'))
  await imap.until(/d OK.*\r\n/)
  expect(await imap.command('GETMETADATA "" /private/filters/descriptions/f')).toContain(text)
  const early = await before()
  expect(await early.command('AUTHENTICATE ANONYMOUS Zm9v')).toMatch(/^t1 NO/)
  expect(await early.command('CAPABILITY')).not.toContain('ANONYMOUS')

  const carol = await client('carol')
  let refused = ''
  for (let from = 0; from < 1100 && refused === ''; from += 100) {
    const filters = Array.from({ length: 100 }, (_, i) => `/private/filters/values/f${from + i} "ALL"`)
    const answer = await carol.command(`SETMETADATA "" (${filters.join(' ')})`)
    if (!answer.includes(' OK ')) refused = answer
  }
  expect(refused).toMatch(/NO \[METADATA TOOMANY\]/)
})

test('MD-16: those who enabled METADATA hear of the changes of others by name, and nobody else does', async () => {
  const hearing = await client()
  await hearing.command('ENABLE METADATA')
  const deaf = await client()
  await imap.command('SETMETADATA INBOX (/shared/comment "hidden")')
  const told = await hearing.command('NOOP')
  expect(told).toMatch(/^\* METADATA INBOX \(?\/shared\/comment\)?\r\nt\d+ OK/)
  expect(told).not.toContain('hidden')
  expect(await deaf.command('NOOP')).toMatch(/^t\d+ OK/)
  expect(await imap.command('NOOP')).toMatch(/^t\d+ OK/)
  const server = await client()
  await server.command('ENABLE METADATA-SERVER')
  await imap.command('SETMETADATA INBOX (/shared/comment NIL)')
  await imap.command('SETMETADATA "" (/shared/comment "all")')
  expect(await server.command('NOOP')).toMatch(/^\* METADATA "" \(?\/shared\/comment\)?\r\nt\d+ OK/)
})

test('PV-07, QU-08: previews and figures of another account are not to be had', async () => {
  const bob = await client('bob')
  expect(await imap.command('FETCH 1 (PREVIEW)')).toContain('Secret plan')
  const id = /EMAILID \((\w+)\)/.exec(await imap.command('FETCH 1 (EMAILID)'))![1]
  await bob.command('SELECT INBOX')
  expect(await bob.command(`SEARCH EMAILID ${id}`)).toMatch(/^\* SEARCH\r\n/)
  expect(await bob.command('FETCH 1:* (PREVIEW)')).not.toContain('Secret plan')
  const alice = (await server.directory.find('alice@example.net'))!.id
  await server.store.write(alice, [{ op: 'quota', octets: 1_000_000, messages: 100 }])
  expect(await imap.command('GETQUOTA alice@example.net')).toMatch(/^\* QUOTA /)
  expect(await bob.command('GETQUOTA alice@example.net')).toMatch(/^t\d+ NO/)
  expect(await bob.command('GETQUOTA ""')).toMatch(/^t\d+ NO/)
  expect(await bob.command('GETQUOTAROOT INBOX')).not.toMatch(/alice/)
  for (const command of ['GETQUOTA alice@example.net', 'GETQUOTAROOT INBOX'])
    expect(await (await before()).command(command)).toMatch(/^t1 BAD/)
})
