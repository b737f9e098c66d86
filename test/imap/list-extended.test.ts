/** LIST-EXTENDED, CHILDREN, LIST-STATUS, SPECIAL-USE, NAMESPACE by rule (RFC 5258, 3348, 5819, 6154, 2342). */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap
let users = 0

/** What LIST tells: attributes by name, and the extended data behind it. */
const listed = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/^\* LIST \(([^)]*)\) "\/" (\S+)(.*)\r$/gm)].map(([, attributes, name, data]) => [
      name!,
      attributes!.split(' ').filter(Boolean).sort().join(' ') + data,
    ]),
  )
const list = async (text: string): Promise<Record<string, string>> => {
  const answer = await imap.command(`LIST ${text}`)
  expect(answer, text).toMatch(/(^|\n)t\d+ OK/)
  const all = listed(answer)
  expect(answer.match(/^\* LIST/gm)?.length ?? 0, 'one line per name').toBe(Object.keys(all).length)
  return all
}

beforeAll(async () => {
  server = await startImap()
  await server.directory.put('zoe@example.net', 'secret')
})
afterAll(() => server.close())
beforeEach(async () => {
  imap?.end()
  const user = `u${++users}@example.net`
  await server.directory.put(user, 'secret')
  imap = await loggedIn(server.port, user)
  for (const each of [
    'CREATE Fruit/Apple/Red',
    'CREATE Fruit/Pear',
    'CREATE Tofu',
    'SUBSCRIBE Fruit/Pear',
    'SUBSCRIBE Tofu',
    'SUBSCRIBE Gone/Away',
  ])
    expect(await imap.command(each), each).toMatch(/t\d+ OK/)
})

test('LX-01, LX-12: SUBSCRIBED selects what is subscribed, whether it exists or not', async () => {
  expect(await list('(SUBSCRIBED) "" "*"')).toEqual({
    'Fruit/Pear': '\\HasNoChildren \\Subscribed',
    Tofu: '\\HasNoChildren \\Subscribed',
    'Gone/Away': '\\HasNoChildren \\NonExistent \\Subscribed',
  })
  expect(await list('(SUBSCRIBED) "" "%"')).toEqual({ Tofu: '\\HasNoChildren \\Subscribed' })
})

test('LX-02, LX-03, LX-10, LX-17: RETURN (SUBSCRIBED CHILDREN) of what exists; plain LIST tells nothing new', async () => {
  const extended = await list('"" "*" RETURN (SUBSCRIBED CHILDREN)')
  expect(extended).toMatchObject({
    INBOX: '\\HasNoChildren',
    Fruit: expect.stringMatching(/^\\HasChildren( \\No(Select|nExistent))?/i),
    'Fruit/Apple/Red': '\\HasNoChildren',
    'Fruit/Pear': '\\HasNoChildren \\Subscribed',
    Tofu: '\\HasNoChildren \\Subscribed',
  })
  expect(extended).not.toHaveProperty('Gone/Away')
  for (const [name, attributes] of Object.entries(extended))
    expect(attributes.match(/\\Has(No)?Children/g), name).toHaveLength(1)
  const plain = await list('"" "*"')
  expect(Object.values(plain).join()).not.toMatch(/Subscribed|NonExistent|CHILDINFO/)
  expect(Object.keys(plain).sort()).toEqual(Object.keys(extended).sort())
  await imap.command('CREATE Out (USE (\\Sent))')
  expect(await list('(SPECIAL-USE) "" "*"')).toEqual({ Out: '\\HasNoChildren \\Sent' })
  expect((await list('"" "%" RETURN (SPECIAL-USE)')).Out).toBe('\\HasNoChildren \\Sent')
  expect(await list('(SPECIAL-USE) "" "T*"')).toEqual({})
})

test('LX-04, LX-05: several patterns are one list, each name once; the empty pattern is nothing', async () => {
  expect(Object.keys(await list('"" ("INBOX" "Fruit/%" "F*" "")')).sort()).toEqual(
    ['Fruit', 'Fruit/Apple', 'Fruit/Apple/Red', 'Fruit/Pear', 'INBOX'].sort(),
  )
  for (const empty of ['() "" ""', '"" "" RETURN ()', '"" ("")', '(SUBSCRIBED) "" ""'])
    expect(await imap.command(`LIST ${empty}`), empty).toMatch(/^t\d+ OK/)
  expect(await imap.command('LIST "" ""')).toMatch(/^\* LIST \(\\Noselect\) "\/" ""\r\n/i)
  expect(await list('"Fruit/" ("Pe%" "App%")')).toEqual({
    'Fruit/Pear': '\\HasNoChildren',
    'Fruit/Apple': expect.any(String),
  })
})

test('LX-06, LX-11, LX-13, LX-22, R2-08: options that are unknown or alone are BAD, said twice they are said once', async () => {
  for (const bad of [
    '(RECURSIVEMATCH) "" "*"',
    '(REMOTE RECURSIVEMATCH) "" "*"',
    '(FROB) "" "*"',
    '"" "*" RETURN (FROB)',
    '"" "*" RETURN (MYRIGHTS)',
    '"" "*" RETURN (METADATA (/shared/comment))',
    '"" "*" RETURN',
    '"" ()',
  ])
    expect(await imap.command(`LIST ${bad}`), bad).toMatch(/^t\d+ BAD/)
  imap.end()
  imap = await loggedIn(server.port, `u${users}@example.net`)
  expect(await list('(SUBSCRIBED SUBSCRIBED REMOTE) "" "*" RETURN (CHILDREN CHILDREN)')).toEqual(
    await list('(SUBSCRIBED) "" "*"'),
  )
  expect(await list('(REMOTE) "" "T%"')).toEqual({ Tofu: '\\HasNoChildren' })
  expect(await imap.command('CAPABILITY')).not.toMatch(/LIST-METADATA|LIST-MYRIGHTS/)
})

test('LX-07 to LX-10: CHILDINFO of those that are listed for what is below them', async () => {
  await imap.command('UNSUBSCRIBE Gone/Away')
  await imap.command('CREATE Fruit')
  const child = ' ("CHILDINFO" ("SUBSCRIBED"))'
  expect(await list('(SUBSCRIBED RECURSIVEMATCH) "" "%"')).toEqual({
    Fruit: `\\HasChildren${child}`,
    Tofu: '\\HasNoChildren \\Subscribed',
  })
  await imap.command('SUBSCRIBE Fruit')
  await imap.command('SUBSCRIBE Gone/Away')
  expect(await list('(SUBSCRIBED RECURSIVEMATCH) "" "%"')).toEqual({
    Fruit: `\\HasChildren \\Subscribed${child}`,
    Tofu: '\\HasNoChildren \\Subscribed',
    Gone: expect.stringMatching(/\\NonExistent \("CHILDINFO" \("SUBSCRIBED"\)\)$/),
  })
  await imap.command('UNSUBSCRIBE Fruit/Pear')
  expect((await list('(RECURSIVEMATCH SUBSCRIBED) "" "%"')).Fruit).toBe('\\HasChildren \\Subscribed')
  // What is listed itself needs no word of its parent's (LX-09).
  await imap.command('SUBSCRIBE Fruit/Apple/Red')
  await imap.command('UNSUBSCRIBE Fruit')
  expect(Object.keys(await list('(SUBSCRIBED RECURSIVEMATCH) "" "*"')).sort()).toEqual(
    ['Fruit/Apple/Red', 'Gone/Away', 'Tofu'].sort(),
  )
  expect(JSON.stringify(await list('(SUBSCRIBED) "" "%" RETURN (CHILDREN)'))).not.toContain('CHILDINFO')
})

test('LX-14 to LX-16, MV-04: STATUS for each that can be selected and is listed for itself', async () => {
  const items = '(MESSAGES UNSEEN SIZE HIGHESTMODSEQ MAILBOXID)'
  await imap.command('APPEND Fruit/Pear {14+}\r\nSubject: new\r\n')
  const answer = await imap.command(`LIST "" "*" RETURN (STATUS ${items})`)
  expect(answer).toMatch(
    /\* LIST \(\\HasNoChildren\) "\/" Fruit\/Pear\r\n\* STATUS Fruit\/Pear \(MESSAGES 1 UNSEEN 1 SIZE 14 HIGHESTMODSEQ \d+ MAILBOXID \(\w+\)\)\r\n/,
  )
  for (const line of answer.matchAll(/\* LIST \(([^)]*)\) "\/" (\S+)\r\n(\* STATUS (\S+))?/g))
    if (/\\NoSelect|\\NonExistent/i.test(line[1]!)) expect(line[3], line[2]).toBeUndefined()
    else expect(line[4]).toBe(line[2])
  const recursive = await imap.command('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (STATUS (MESSAGES))')
  expect(recursive).toMatch(/LIST.* Fruit \("CHILDINFO"/)
  expect([...recursive.matchAll(/\* STATUS (\S+)/g)].map((m) => m[1])).toEqual(['Tofu'])
  expect(await imap.command('LIST "" "*" RETURN (STATUS (FROB))')).toMatch(/^t\d+ BAD/)
  // A name that only holds others receives nothing.
  await imap.command('SELECT Fruit/Pear')
  expect(await imap.command('MOVE 1 Gone')).toMatch(/^t\d+ NO \[TRYCREATE\]/)
  expect(await imap.command('UNSELECT')).toContain('OK')
  await imap.command('EXAMINE Fruit/Pear')
  expect(await imap.command('MOVE 1 Tofu')).toMatch(/^t\d+ NO/)
  expect(await imap.command('STATUS Fruit/Pear (MESSAGES)')).toContain('MESSAGES 1')
})

test('LX-20, LT-07, LT-09, EB-04, U8-05, IN-01, IN-15: what is advertised, and what is not', async () => {
  const names = (await imap.command('CAPABILITY')).split('\r\n')[0]!.split(' ').slice(2)
  expect(names).toEqual(
    expect.arrayContaining([
      'SPECIAL-USE',
      'CREATE-SPECIAL-USE',
      'LIST-EXTENDED',
      'LIST-STATUS',
      'LITERAL+',
      'I18NLEVEL=2',
      'LANGUAGE',
      'UTF8=ACCEPT',
    ]),
  )
  for (const absent of ['LITERAL-', 'I18NLEVEL=1', 'UTF8=ONLY', 'LOGIN-REFERRALS', 'MAILBOX-REFERRALS'])
    expect(names).not.toContain(absent)
  expect(new Set(names).size).toBe(names.length)
  expect(await imap.command('LANGUAGE')).toMatch(/^\* LANGUAGE \((?=.*EN).*\)\r\n/)
})

test('NS-01 to NS-05, IN-16: one personal namespace, whose prefix is used as it is; nobody else is seen', async () => {
  expect(await imap.command('NAMESPACE')).toMatch(/^\* NAMESPACE \(\("" "\/"\)\) NIL NIL\r\nt\d+ OK/)
  expect(await imap.command('NAMESPACE x')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('CREATE Mine/Deep')).toContain('OK')
  expect(await list('"" Mine/%')).toHaveProperty('Mine/Deep')
  const zoe = await loggedIn(server.port, 'zoe@example.net')
  await zoe.command('CREATE Secret')
  zoe.end()
  for (const pattern of ['"Other Users/%"', '"*"', '"user/%"', '"zoe*"', '"~zoe/%"', '"#user/*"'])
    expect(JSON.stringify(await list(`"" ${pattern}`)), pattern).not.toMatch(/zoe|Secret/i)
  await imap.command('ENABLE UTF8=ACCEPT')
  await imap.command('SELECT INBOX')
  expect(await imap.command('NAMESPACE')).toContain('* NAMESPACE (("" "/")) NIL NIL\r\n')
})
