/** METADATA, FILTERS, QUOTA, PREVIEW, OBJECTID, special use and comparators, beyond the printed examples. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap
const mail = (subject: string, from = 'bob@example.org', body = 'hello') =>
  `From: ${from}\nSubject: ${subject}\nMessage-ID: <${subject.replace(/\W/g, '')}@x>\n\n${body}\n`

beforeAll(async () => {
  server = await startImap({
    accounts: ['alice', 'bob', 'carol'].map((name) => ({
      address: `${name}@example.net`,
      password: 'secret',
    })),
  })
  for (const [subject, from] of [
    ['straße', 'boss@example.org'],
    ['STRASSE', 'bob@example.org'],
    ['Écho', 'boss@example.org'],
    ['e\u0301cho', 'carl@example.org'],
  ])
    await server.deliver(
      'alice@example.net',
      'INBOX',
      mail(`=?utf-8?B?${Buffer.from(subject!).toString('base64')}?=`, from),
    )
})
afterAll(() => server.close())
beforeEach(async () => {
  imap?.end()
  imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
})

const literal = (octets: string): string =>
  `{${Buffer.byteLength(octets)}+}\r\n${Buffer.from(octets).toString('latin1')}`
const search = async (text: string): Promise<string> => {
  imap.send(Buffer.from(`s SEARCH CHARSET UTF-8 ${text}\r\n`, 'latin1'))
  return /^\* SEARCH([^\r]*)/.exec(await imap.until(/s (OK|NO|BAD).*\r\n/))?.[1]?.trim() ?? 'refused'
}

test('IN-02, IN-03, IN-09 to IN-12, I18NLEVEL=2: the comparator decides what SEARCH finds', async () => {
  expect(await search(`SUBJECT ${literal('écho')}`)).toBe('3 4')
  expect(await search(`SUBJECT ${literal('strasse')}`)).toBe('2')
  expect(await search(`SUBJECT ${literal('STRAßE')}`)).toBe('1')
  expect(await imap.command('COMPARATOR i;octet')).toMatch(/^\* COMPARATOR i;octet\r\nt\d+ OK/)
  expect(await search(`SUBJECT ${literal('écho')}`)).toBe('')
  expect(await search(`SUBJECT ${literal('Écho')}`)).toBe('3')
  expect(await imap.command('COMPARATOR "i;ascii-*"')).toContain('* COMPARATOR i;ascii-casemap')
  expect(await search(`SUBJECT ${literal('strasse')}`)).toBe('2')
  expect(await search(`SUBJECT ${literal('écho')}`)).toBe('')
  expect(await imap.command('SORT (SUBJECT) UTF-8 ALL')).toContain('* SORT 4 2 1 3')
  expect(await imap.command('COMPARATOR default')).toContain('i;unicode-casemap')
  expect(await imap.command('COMPARATOR "x;*"')).toContain('NO [BADCOMPARATOR]')
  expect(await imap.command('LANGUAGE DE')).toMatch(/^t\d+ NO/)
})

test('FI-01 to FI-06, FI-08, FI-10, SC-12: a filter is its criterion, and nothing more', async () => {
  const set = (name: string, value: string) => imap.command(`SETMETADATA "" (${name} ${value})`)
  expect(await set('/private/filters/values/vip', '"FROM boss"')).toContain('OK')
  expect(await set('/shared/filters/values/vip', '"FROM carl"')).toContain('OK')
  expect(await search('FILTER VIP')).toBe('1 3')
  expect(await set('/private/filters/values/a', '"NOT FILTER vip"')).toContain('OK')
  expect(await set('/private/filters/values/b', '"OR FILTER a FROM boss"')).toContain('OK')
  expect(await search('FILTER b')).toBe('1 2 3 4')
  expect(await set('/private/filters/values/vip', 'NIL')).toContain('OK')
  expect(await search('FILTER vip')).toBe('4')
  expect(await imap.command('SEARCH FILTER nosuch')).toContain('NO [UNDEFINED-FILTER nosuch]')
  expect(await set('/private/filters/values/loop', '"FILTER loop"')).toContain('OK')
  expect(await imap.command('SEARCH FILTER loop')).toContain('NO [UNDEFINED-FILTER loop]')
  for (const bad of ['"OR SMALLER"', '"ALL) (ALL"', `${literal('ALL\r\nx LOGOUT')}`, '"SUBJECT {1}"'])
    expect(await set('/private/filters/values/x', bad)).toMatch(/NO \[CANNOT\]/)
  expect(await imap.command('SEARCH FILTER a/b')).toContain('BAD')
})

test('MD-01 to MD-14, MD-17, LX-19, LX-21: entries, limits, refusals, special use both ways', async () => {
  expect(await imap.command('SETMETADATA INBOX (/private/x ~{3+}\r\na\0b /private/y "")')).toContain('OK')
  expect(await imap.command('GETMETADATA INBOX (/private/x /Private/Y)')).toContain(
    '/private/x ~{3}\r\na\0b /private/y "")',
  )
  expect(await imap.command('GETMETADATA (MAXSIZE 2) INBOX /private/x')).toContain('[METADATA LONGENTRIES 3]')
  expect(await imap.command('GETMETADATA INBOX (DEPTH infinity) /private')).toContain('/private/x')
  for (const bad of ['/private/a*', '/private//a', '/private/a/', '/other/a', 'private', '/private/%'])
    expect(await imap.command(`GETMETADATA INBOX "${bad}"`)).toContain('BAD')
  expect(await imap.command('SETMETADATA "" (/shared/admin "x")')).toContain('NO')
  expect(await imap.command(`SETMETADATA INBOX (/private/big {70000+}\r\n${'x'.repeat(70_000)})`)).toContain(
    'NO [METADATA MAXSIZE',
  )
  expect(await imap.command('SETMETADATA Nowhere (/private/x "1")')).toContain('NO [NONEXISTENT]')
  const bob = await loggedIn(server.port, 'bob@example.net')
  expect(await bob.command('GETMETADATA INBOX /private/x')).toContain('/private/x NIL')
  bob.end()
  expect(await imap.command('CREATE Out (USE (\\Sent))')).toContain('OK')
  expect(await imap.command('CREATE Out2 (USE (\\Sent))')).toContain('NO [USEATTR]')
  expect(await imap.command('CREATE Out3 (USE (\\Nonsense))')).toContain('NO [USEATTR]')
  expect(await imap.command('CREATE Out4 (FROB (x))')).toContain('BAD')
  expect(await imap.command('LIST (SPECIAL-USE) "" "*"')).toMatch(
    /^\* LIST \(\\HasNoChildren \\Sent\) "\/" Out\r\nt/,
  )
  expect(await imap.command('GETMETADATA Out /private/specialuse')).toContain(
    '/private/specialuse "\\\\Sent"',
  )
  expect(await imap.command('SETMETADATA INBOX (/private/specialuse "\\\\Nope")')).toContain('NO [USEATTR]')
  await imap.command('CREATE Drafts')
  expect(await imap.command('SETMETADATA Drafts (/private/specialuse "\\\\Sent \\\\Drafts")')).toContain('OK')
  expect(await imap.command('LIST (SPECIAL-USE) "" "*"')).toContain('\\Drafts')
  expect(await imap.command('GETMETADATA Out /private/specialuse')).toContain('NIL')
})

test('QU-01 to QU-07, AP-15, MV-09: limits, what is used, and what is over', async () => {
  const carol = await loggedIn(server.port, 'carol@example.net')
  expect(await carol.command('GETQUOTAROOT INBOX')).toMatch(/^\* QUOTAROOT INBOX\r\nt\d+ OK/)
  const id = (await server.directory.find('carol@example.net'))!.id
  await server.store.write(id, [{ op: 'quota', octets: 2048, messages: 3 }])
  await carol.command(`APPEND INBOX {1000+}\r\n${'Subject: x\r\n\r\n'.padEnd(1000, 'x')}`)
  expect(await carol.command('GETQUOTAROOT Nowhere')).toContain(
    '* QUOTA carol@example.net (STORAGE 1 2 MESSAGE 1 3)',
  )
  expect(await carol.command(`APPEND INBOX {1500+}\r\n${'Subject: x\r\n\r\n'.padEnd(1500, 'x')}`)).toContain(
    'NO [OVERQUOTA]',
  )
  await carol.command('SELECT INBOX')
  await carol.command('CREATE Other')
  expect(await carol.command('COPY 1 Other')).toContain('OK')
  expect(await carol.command('COPY 1 Other')).toContain('NO [OVERQUOTA]')
  expect(await carol.command('MOVE 1 Other')).toContain('OK')
  expect(await carol.command('SETQUOTA carol@example.net (STORAGE 5)')).toContain('NO')
  expect(await carol.command('GETQUOTA alice@example.net')).toContain('NO [NONEXISTENT]')
  expect(await carol.command('STATUS Other (DELETED DELETED-STORAGE SIZE)')).toContain(
    'DELETED 0 DELETED-STORAGE 0 SIZE 2000',
  )
  carol.end()
})

test('OB-01 to OB-08, PV-01 to PV-05: ids and previews', async () => {
  await server.deliver('alice@example.net', 'Ids', mail('one'))
  const selected = await imap.command('SELECT Ids')
  const id = /MAILBOXID \((F\w+)\)/.exec(selected)![1]
  expect(await imap.command('STATUS Ids (MAILBOXID)')).toContain(`MAILBOXID (${id})`)
  const fetched = await imap.command('FETCH 1 (EMAILID THREADID PREVIEW (LAZY))')
  expect(fetched).toMatch(/EMAILID \(M\d+\) THREADID \(T\d+\) PREVIEW "hello"/)
  const [, email, thread] = /EMAILID \((M\d+)\) THREADID \((T\d+)\)/.exec(fetched)!
  await imap.command('CREATE Ids2')
  await imap.command('COPY 1 Ids2')
  await imap.command('RENAME Ids2 Ids3')
  await imap.command('SELECT Ids3')
  expect(await imap.command('FETCH 1 (EMAILID THREADID)')).toContain(
    `EMAILID (${email}) THREADID (${thread})`,
  )
  expect(await imap.command(`SEARCH EMAILID ${email}`)).toContain('* SEARCH 1')
  expect(await imap.command(`SEARCH THREADID ${thread}`)).toContain('* SEARCH 1')
  expect(await imap.command(`SEARCH THREADID ${thread!.toLowerCase()}`)).toMatch(/^\* SEARCH\r\n/)
  expect(await imap.command('FETCH 1 PREVIEW (EAGER)')).toContain('BAD')
  expect(await imap.command('FETCH 1 (EMAILID BODY[])')).toContain(`EMAILID (${email}) BODY[]`)
  expect(await imap.command('FETCH 1 FLAGS')).toContain('\\Seen')
})
