/** URLAUTH, URLAUTH=BINARY and the access identifiers of RFC 5593 on real connections (RFC 4467, 5524; UA-01 to UA-45). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'
import { tempFolder } from '../support/temp.ts'

const folder = tempFolder()
let server: TestImap
let now = Date.UTC(2026, 5, 1, 12)
const open: RawImap[] = []
const users = ['alice', 'bob', 'submit', 'player', 'leaver']
const limits = { preAuthMs: 1e12, idleMs: 1e12 }

const as = async (user: string): Promise<RawImap> => {
  const imap = await loggedIn(server.port, `${user}@example.net`)
  open.push(imap)
  return imap
}

const mixed = [
  'From: Alice <alice@example.net>',
  'Subject: parts',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Gr=C3=BC=C3=9Fe',
  '--b',
  'Content-Type: image/png; name="(a) \\"b\\".png"',
  'Content-Transfer-Encoding: base64',
  '',
  'AAECAwQFBgcICQ==',
  '--b',
  'Content-Type: image/png',
  'Content-Transfer-Encoding: x-blurdybloop',
  '',
  'abc',
  '--b',
  'Content-Type: message/rfc822',
  '',
  'Subject: inner',
  'Content-Type: text/plain',
  'Content-Transfer-Encoding: base64',
  '',
  'aGVsbG8=',
  '--b',
  'Content-Type: text/plain',
  '',
  '',
  '--b--',
  '',
].join('\r\n')

let imap: RawImap
let uid = 0
beforeAll(async () => {
  server = await startImap({
    folder,
    accounts: users.map((user) => ({ address: `${user}@example.net`, password: 'secret' })),
    now: () => now,
    limits,
    urlauth: {
      applications: {
        submit: ['submit@example.net'],
        stream: ['player@example.net'],
        archive: ['Player@Example.Net'],
      },
      open: 'expiring',
      hosts: ['imap.example.net'],
    },
  })
  for (const user of ['alice', 'bob', 'leaver'])
    uid = await server.deliver(`${user}@example.net`, 'INBOX', mixed)
  imap = await as('alice')
})
afterAll(async () => {
  for (const each of open) each.end()
  expect(server.logged).toEqual([])
  await server.close()
})

const rump = (tail: string, access = 'submit+alice', user = 'alice', mailbox = 'INBOX') =>
  `imap://${user}%40example.net@mail.example.net/${mailbox}/;UID=${uid}${tail};URLAUTH=${access}`

/** The authorized URL, as GENURLAUTH gives it. */
async function made(url: string, by = imap): Promise<string> {
  const answer = await by.command(`GENURLAUTH "${url}" INTERNAL`)
  const found = /^\* GENURLAUTH "(.*)"\r\nt\d+ OK/.exec(answer)?.[1]
  if (!found) throw new Error(answer)
  return found
}
const fetched = async (by: RawImap, url: string): Promise<string> => {
  const answer = await by.command(`URLFETCH "${url}"`)
  const head = `* URLFETCH "${url}" `
  expect(answer.startsWith(head)).toBe(true)
  expect(answer).toMatch(/\r\nt\d+ OK URLFETCH completed\r\n$/)
  return answer.slice(head.length).replace(/\r\nt\d+ OK.*\r\n$/, '')
}
const literal = (octets: string) => `{${Buffer.byteLength(octets, 'latin1')}}\r\n${octets}`

test('UA-01, UA-02, UA-03, UA-20: made, in order, and used by the submission server alone', async () => {
  expect(await imap.command('CAPABILITY')).toMatch(/ URLAUTH .*URLAUTH=BINARY/)
  const [one, two] = [rump('/;SECTION=1;EXPIRE=2026-06-02T00:00:00Z'), rump('/;SECTION=2')]
  const answer = await imap.command(`GENURLAUTH "${one}" INTERNAL "${two}" internal`)
  const urls = /^\* GENURLAUTH "(.*)" "(.*)"\r\nt\d+ OK/.exec(answer)!.slice(1)
  expect(urls[0]).toMatch(/:internal:[0-9a-f]{32,}$/)
  expect(urls.map((url) => url.replace(/:internal:[0-9a-f]+$/, ''))).toEqual([one, two])
  const submit = await as('submit')
  expect(await fetched(submit, urls[0]!)).toBe(literal('Gr=C3=BC=C3=9Fe'))
  expect(await fetched(submit, urls[1]!)).toBe(literal('AAECAwQFBgcICQ=='))
  // The user behind "submit+" is the submission server's to compare; nobody else may fetch, not even alice.
  for (const user of ['bob', 'player', 'alice']) expect(await fetched(await as(user), urls[0]!)).toBe('NIL')
})

test('UA-02, UA-05, UA-06, UA-09, UA-10, UA-13, UA-16, SC-19: refused with BAD, and nothing is made', async () => {
  const good = rump('')
  const wrong = [
    `imap://mail.example.net/INBOX/;UID=${uid};URLAUTH=anonymous`,
    `imap://alice%40example.net@mail.example.net/INBOX/;UID=${uid}`,
    'imap://alice%40example.net@mail.example.net/INBOX;URLAUTH=submit+alice',
    'imap://alice%40example.net@mail.example.net/;URLAUTH=submit+alice',
    good.replace('mail.example.net/', 'mail.example.org/'),
    good.replace('mail.example.net/', 'mail.example.net:25/'),
    rump('', 'submit+bob', 'bob'),
    rump('', 'submit+alice', 'nobody'),
    rump('', 'submit+alice', 'alice', 'Missing'),
    rump(';EXPIRE=tomorrow'),
    rump('', 'submit'),
    rump('', 'stream+alice'),
    rump('', 'unheard'),
    rump('', 'anonymous'),
    rump(';EXPIRE=2026-06-09T00:00:00Z', 'authuser'),
    'http://example.net/',
    `/INBOX/;UID=${uid};URLAUTH=submit+alice`,
    await made(good),
  ]
  for (const url of wrong) {
    const answer = await imap.command(`GENURLAUTH "${good}" INTERNAL "${url}" INTERNAL`)
    expect(answer, url).toMatch(/^t\d+ BAD [^\r]*\r\n$/)
    expect(answer).not.toContain('imap:')
  }
  expect(await imap.command(`GENURLAUTH "${good}" XSAMPLE`)).toContain('BAD')
  expect(await imap.command(`GENURLAUTH "${good}"`)).toContain('BAD')
  // Our name, by any of its names and ports.
  for (const host of ['MAIL.example.net', 'imap.example.net', `mail.example.net:${server.port}`])
    await made(good.replace('mail.example.net', host))
})

test('UA-08, UA-18, UA-28, SC-16, UA-34, UA-35: what leads to nothing is NIL, each for itself, and the command OK', async () => {
  const submit = await as('submit')
  const good = await made(rump('/;SECTION=1'))
  const nothing = [
    await made(rump('').replace(`UID=${uid}`, 'UID=999')),
    await made(rump('/;SECTION=9')),
    await made(rump('').replace('INBOX', 'INBOX;UIDVALIDITY=7')),
    await made(rump(';EXPIRE=2026-06-01T11:59:59Z')),
    good.replace('/;SECTION=1', '/;SECTION=2'),
    good.replace('mail.', 'imap.'),
    good.replace('alice%40', 'bob%40'),
    good.replace('INBOX', 'inbox'),
    `${good}0`,
    good.slice(0, -1),
    good.replace(':internal:', ':xsample:'),
    good.replace(/:internal:.*/, ''),
    'imap://mail.example.net/',
    'INBOX',
    `imap://mail.example.net/IN%00BOX/;UID=1`,
  ]
  const list = [...nothing, good].map((url) => `"${url}"`).join(' ')
  expect(await submit.command(`URLFETCH ${list}`)).toMatch(/t\d+ OK/)
  for (const url of nothing) expect(await fetched(submit, url), url).toBe('NIL')
  const answer = await submit.command(`URLFETCH "${nothing[0]}" "${good}"`)
  expect(answer).toBe(
    `* URLFETCH "${nothing[0]}" NIL\r\n* URLFETCH "${good}" ${literal('Gr=C3=BC=C3=9Fe')}\r\n${/t\d+ OK .*\r\n$/.exec(answer)![0]}`,
  )
})

test('UA-21, UA-14, SC-30: user, authuser, anonymous', async () => {
  const bob = await as('bob')
  const forBob = await made(rump('/;SECTION=2', 'user+Bob%40example.net'))
  expect(await fetched(bob, forBob)).toBe(literal('AAECAwQFBgcICQ=='))
  expect(await fetched(imap, forBob)).toBe('NIL')
  for (const access of ['authuser', 'anonymous']) {
    const url = await made(rump('/;SECTION=2;EXPIRE=2026-06-01T13:00:00Z', access))
    expect(await fetched(bob, url)).toContain('AAECAwQFBgcICQ==')
  }
})

test('UA-22: stream and another application, each by who acts for it', async () => {
  const [player, submit] = [await as('player'), await as('submit')]
  for (const access of ['stream', 'archive']) {
    const url = await made(rump('/;SECTION=2', access))
    expect(await fetched(player, url)).toContain('AAECAwQFBgcICQ==')
    expect(await fetched(submit, url)).toBe('NIL')
  }
})

test('UA-13, SC-25: good up to the second of EXPIRE, by our clock', async () => {
  const submit = await as('submit')
  const url = await made(rump('/;SECTION=1;EXPIRE=2026-06-01T12:00:05.5Z'))
  const before = now
  now = Date.UTC(2026, 5, 1, 12, 0, 5) + 900
  expect(await fetched(submit, url)).toContain('Gr=C3')
  now += 100
  expect(await fetched(submit, url)).toBe('NIL')
  now = before
})

test('UA-23, SC-20: an owner who is no more', async () => {
  const leaver = await as('leaver')
  const submit = await as('submit')
  const url = await made(rump('/;SECTION=1', 'submit+leaver', 'leaver'), leaver)
  expect(await fetched(submit, url)).toContain('Gr=C3')
  await server.directory.remove('leaver@example.net')
  expect(await fetched(submit, url)).toBe('NIL')
  // Somebody else who gets the address has another mailbox and another key.
  await server.directory.put('leaver@example.net', 'secret')
  await server.deliver('leaver@example.net', 'INBOX', mixed)
  expect(await fetched(submit, url)).toBe('NIL')
})

test('UA-30, UA-31, UA-32, UA-33: RESETKEY of a mailbox, of all; other sessions hear of it', async () => {
  const [submit, other, idler] = [await as('submit'), await as('alice'), await as('alice')]
  await imap.command('CREATE Keys')
  await server.deliver('alice@example.net', 'Keys', mixed)
  const inbox = await made(rump('/;SECTION=1'))
  const keys = await made(rump('/;SECTION=1', 'submit+alice', 'alice', 'Keys').replace(`UID=${uid}`, 'UID=1'))
  expect(await other.command('SELECT INBOX')).toContain('* OK [URLMECH INTERNAL]')
  expect(await (await as('bob')).command('SELECT INBOX')).not.toContain('URLMECH')
  expect(await idler.command('EXAMINE INBOX')).toContain('* OK [URLMECH INTERNAL]')
  idler.send('i IDLE\r\n')
  await idler.until(/\+ .*\r\n/)
  await imap.command('SELECT INBOX')
  expect(await imap.command('RESETKEY INBOX')).toMatch(/^t\d+ OK \[URLMECH INTERNAL\]/)
  await idler.until(/^\* OK \[URLMECH INTERNAL\].*\r\n/)
  // It waits for nothing; a session that does nothing is told as well.
  await other.until(/^\* OK \[URLMECH INTERNAL\].*\r\n/)
  expect(await fetched(submit, inbox)).toBe('NIL')
  expect(await fetched(submit, keys)).toContain('Gr=C3')
  expect(await imap.command('RESETKEY INBOX INTERNAL')).toContain('OK [URLMECH INTERNAL]')
  expect(await imap.command('RESETKEY INBOX XSAMPLE')).toMatch(/NO|BAD/)
  expect(await imap.command('RESETKEY Missing')).toContain('NO')
  const again = await made(rump('/;SECTION=1'))
  expect(await fetched(submit, again)).toContain('Gr=C3')
  expect(await imap.command('RESETKEY')).toMatch(/^t\d+ OK /)
  expect(await fetched(submit, again)).toBe('NIL')
  expect(await fetched(submit, keys)).toBe('NIL')
  // UA-34: another mailbox under the old name.
  const last = await made(rump('/;SECTION=1', 'submit+alice', 'alice', 'Keys').replace(`UID=${uid}`, 'UID=1'))
  await imap.command('DELETE Keys')
  await server.deliver('alice@example.net', 'Keys', mixed)
  expect(await fetched(submit, last)).toBe('NIL')
})

test('UA-27: nothing is selected, nothing is marked', async () => {
  const submit = await as('submit')
  expect(await fetched(submit, await made(rump('')))).toBe(literal(mixed))
  const own = await as('alice')
  await own.command('SELECT INBOX')
  const url = await made(rump('', 'user+alice%40example.net'))
  const answer = await own.command(`URLFETCH "${url}"`)
  expect(answer).toContain(mixed)
  expect(answer).not.toContain('FETCH (')
  expect(await own.command(`UID FETCH ${uid} (FLAGS)`)).not.toContain('\\Seen')
})

test('UA-19, UA-36, UA-44: empty parts, ranges, and URLs as literals', async () => {
  const submit = await as('submit')
  expect(await fetched(submit, await made(rump('/;SECTION=5')))).toBe('""')
  const part = await made(rump('/;SECTION=2/;PARTIAL=2.5'))
  expect(await fetched(submit, part)).toBe(literal('ECAwQ'))
  expect(await fetched(submit, await made(rump('/;SECTION=2/;PARTIAL=12')))).toBe(literal('CQ=='))
  expect(await submit.command(`URLFETCH {${part.length}+}\r\n${part}`)).toContain(`"${part}" {5}`)
  const generated = rump('')
  expect(await imap.command(`GENURLAUTH {${generated.length}+}\r\n${generated} INTERNAL`)).toContain('OK')
  // UA-45: up to 4096 octets; what is longer leads to nothing.
  expect(await submit.command(`URLFETCH "imap://${'a'.repeat(5000)}/"`)).toMatch(/" NIL\r\nt\d+ OK/)
  // What is no URL at all comes back as it was sent, and as nothing else.
  expect(await submit.command('URLFETCH {8+}\r\na\r\n* BYE')).toMatch(
    /^\* URLFETCH \{8\}\r\na\r\n\* BYE NIL\r\nt\d+ OK/,
  )
})

test('UA-37, UA-39, UA-41: BINARY and BODYPARTSTRUCTURE tell of the octets that come', async () => {
  const player = await as('player')
  const url = await made(rump('/;SECTION=2', 'stream'))
  const name = '("NAME" "(a) \\"b\\".png")'
  const decoded = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).toString('latin1')
  expect(await player.command(`URLFETCH ("${url}" BODYPARTSTRUCTURE BINARY)`)).toContain(
    `* URLFETCH "${url}" (BODYPARTSTRUCTURE ("IMAGE" "PNG" ${name} NIL NIL "BINARY" 10 NIL NIL NIL NIL)) (BINARY ~{10}\r\n${decoded})\r\n`,
  )
  expect(await player.command(`URLFETCH ("${url}" BODYPARTSTRUCTURE)`)).toContain(
    `* URLFETCH "${url}" (BODYPARTSTRUCTURE ("IMAGE" "PNG" ${name} NIL NIL "BASE64" 16 NIL NIL NIL NIL))\r\n`,
  )
  expect(await player.command(`URLFETCH ("${url}" BODY BODYPARTSTRUCTURE)`)).toContain(
    `"BASE64" 16 NIL NIL NIL NIL)) (BODY {16}\r\nAAECAwQFBgcICQ==)\r\n`,
  )
  const text = await made(rump('/;SECTION=1', 'stream'))
  expect(await player.command(`URLFETCH ("${text}" BINARY BODYPARTSTRUCTURE)`)).toContain(
    `(BODYPARTSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "8BIT" 7 1 NIL NIL NIL NIL)) (BINARY {7}\r\nGr\xc3\xbc\xc3\x9fe)`,
  )
  const range = await made(rump('/;SECTION=2/;PARTIAL=1.3', 'stream'))
  expect(await player.command(`URLFETCH ("${range}" BINARY)`)).toContain('(BINARY {3}\r\n\x01\x02\x03)')
})

test('UA-38, UA-40, UA-42, UA-43: the other cases of the extended form', async () => {
  const player = await as('player')
  const url = await made(rump('/;SECTION=2', 'stream'))
  expect(await player.command(`URLFETCH ("${url}")`)).toContain(`"${url}" {16}\r\nAAECAwQFBgcICQ==\r\n`)
  for (const items of ['BODY BINARY', 'BODY BODY', 'BODYPARTSTRUCTURE BODYPARTSTRUCTURE', 'FROB'])
    expect(await player.command(`URLFETCH ("${url}" ${items})`)).toMatch(/^t\d+ BAD/)
  const odd = await made(rump('/;SECTION=3', 'stream'))
  expect(await player.command(`URLFETCH ("${odd}" BODYPARTSTRUCTURE BINARY)`)).toContain(
    '(BODYPARTSTRUCTURE ("IMAGE" "PNG" NIL NIL NIL "X-BLURDYBLOOP" 3 NIL NIL NIL NIL)) (BINARY NIL)\r\n',
  )
  const gone = await made(rump('/;SECTION=200', 'stream'))
  expect(await player.command(`URLFETCH ("${gone}" BODYPARTSTRUCTURE BODY)`)).toContain(`"${gone}" NIL\r\n`)
  const structure = async (tail: string, item = 'BODY') => {
    const at = await made(rump(tail, 'stream'))
    const answer = await player.command(`URLFETCH ("${at}" BODYPARTSTRUCTURE ${item})`)
    return /\(BODYPARTSTRUCTURE (.*?)\) \(B/s.exec(answer)?.[1]
  }
  expect(await structure('')).toMatch(
    new RegExp(`^\\("MESSAGE" "RFC822" NIL NIL NIL "7BIT" ${mixed.length} \\(.*\\) 33 NIL`),
  )
  expect(await structure('/;SECTION=HEADER')).toMatch(/^\("TEXT" "RFC822-HEADERS" .* "7BIT" \d+ 5 NIL/)
  expect(await structure('/;SECTION=2.MIME')).toMatch(/^\("TEXT" "RFC822-HEADERS"/)
  expect(await structure('/;SECTION=HEADER.FIELDS%20(SUBJECT)')).toMatch(/"7BIT" 18 2 NIL/)
  expect(await structure('/;SECTION=TEXT')).toMatch(/^\(\("TEXT" "PLAIN".*"MIXED"/)
  expect(await structure('/;SECTION=4')).toMatch(/^\("MESSAGE" "RFC822" .* \("TEXT" "PLAIN" .*"BASE64" 8 1/)
  expect(await structure('/;SECTION=4.1', 'BINARY')).toMatch(/^\("TEXT" "PLAIN" .*"7BIT" 5 1/)
  expect(await structure('/;SECTION=4.TEXT', 'BINARY')).toMatch(/^\("TEXT" "PLAIN" .*"7BIT" 5 1/)
})

test('UA-11: keys outlive a restart', async () => {
  const url = await made(rump('/;SECTION=1', 'user+alice%40example.net'))
  for (const each of open.splice(0)) each.end()
  await server.close()
  server = await startImap({ folder, accounts: [], now: () => now, limits })
  imap = await as('alice')
  expect(await fetched(imap, url)).toContain('Gr=C3')
  // Nobody acts for an application unless the operator says so.
  const submit = await as('submit')
  expect(await fetched(submit, await made(rump('/;SECTION=1')))).toBe('NIL')
})

test('UA-26: URLs that are no good cost the more time the more of them are tried', async () => {
  const bob = await as('bob')
  const time = async (): Promise<number> => {
    const start = performance.now()
    await fetched(bob, 'imap://mail.example.net/')
    return performance.now() - start
  }
  for (let i = 0; i < 22; i += 1) await time()
  expect(await time()).toBeGreaterThan(300)
  expect(await imap.command('NOOP')).toContain('OK')
})
