/** SORT, THREAD and ESORT over real connections (RFC 5256, 5957, 5267 §3). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let a: RawImap
const mail = (fields: readonly string[]): string => `${fields.join('\n')}\n\nbody\n`
const messages = [
  [
    'From: "Zoe" <bob@example.org>',
    'To: x@example.org',
    'Subject: b',
    'Date: Tue, 2 Jan 2024 10:00:00 +0100',
    'Message-ID: <1@x>',
  ],
  [
    'From: =?utf-8?q?=C3=89va?= <zed@example.org>',
    'Subject: Re: a',
    'Date: Tue, 2 Jan 2024 08:59:00 +0000',
    'Message-ID: <2@x>',
    'References: <0@x>',
  ],
  [
    'From: alice@example.org',
    'Cc: c@example.org',
    'Subject: [list] Fwd: B',
    'Date: Mon, 1 Jan 2024 00:00:00 +0000',
    'Message-ID: <3@x>',
    'References: <1@x>',
  ],
  ['Subject: a', 'Date: Wed, 3 Jan 2024 00:00:00 +0000', 'Message-ID: <4@x>', 'In-Reply-To: <0@x>'],
  ['From: x <>', 'Subject: AW: b', 'Date: yesterday', 'Message-ID: <5@x>'],
].map(mail)

beforeAll(async () => {
  server = await startImap({ now: () => Date.UTC(2024, 0, 1, 12) })
  for (const each of messages) await server.deliver('alice@example.net', 'S', each)
  a = await loggedIn(server.port)
  await a.command('SELECT S')
})
afterAll(() => server.close())

const told = async (command: string): Promise<string> => {
  const text = await a.command(command)
  return text.replace(/^t\d+ (\w+).*\r\n$/m, '$1').replaceAll('\r\n', '|')
}

test('SO-01, SO-02, SO-03, SO-04, SO-05, SO-06, SO-07, SO-08: each key, REVERSE, ties', async () => {
  expect(await told('CAPABILITY')).toMatch(
    / SORT SORT=DISPLAY THREAD=ORDEREDSUBJECT THREAD=REFERENCES ESORT /,
  )
  expect(await told('SORT (DATE) UTF-8 ALL')).toBe('* SORT 3 5 2 1 4|OK')
  expect(await told('SORT (REVERSE DATE) us-ascii ALL')).toBe('* SORT 4 1 2 5 3|OK')
  expect(await told('sort (arrival) "utf-8" all')).toBe('* SORT 1 2 3 4 5|OK')
  expect(await told('SORT (REVERSE ARRIVAL) UTF-8 ALL')).toBe('* SORT 1 2 3 4 5|OK')
  expect(await told('SORT (SUBJECT) UTF-8 ALL')).toBe('* SORT 2 4 5 1 3|OK')
  expect(await told('SORT (SUBJECT REVERSE DATE) UTF-8 ALL')).toBe('* SORT 4 2 5 1 3|OK')
  expect(await told('SORT (REVERSE SUBJECT DATE) UTF-8 ALL')).toBe('* SORT 3 1 5 2 4|OK')
  expect(await told('SORT (FROM) UTF-8 ALL')).toBe('* SORT 4 5 3 1 2|OK')
  expect(await told('SORT (DISPLAYFROM) UTF-8 1:3')).toBe('* SORT 3 2 1|OK')
  expect(await told('SORT (REVERSE CC TO SIZE) UTF-8 1:3')).toBe('* SORT 3 2 1|OK')
  expect(await told('SORT (DATE) UTF-8 SUBJECT nothing')).toBe('* SORT|OK')
  expect(await told('UID SORT (DATE) UTF-8 2:3 UID 3:*')).toBe('* SORT 3|OK')
})

test('SO-09, SO-15, ES-17, DE-07: charset, keys and algorithms that are not known', async () => {
  expect(await a.command('SORT (DATE) KOI8-R ALL')).toContain('NO [BADCHARSET (US-ASCII UTF-8)]')
  expect(await a.command('THREAD REFERENCES X-NONE ALL')).toContain('NO [BADCHARSET')
  for (const wrong of [
    'SORT () UTF-8 ALL',
    'SORT (DATES) UTF-8 ALL',
    'SORT (REVERSE) UTF-8 ALL',
    'SORT (REVERSE REVERSE DATE) UTF-8 ALL',
    'SORT (DATE) ALL',
    'SORT DATE UTF-8 ALL',
    'UID SORT RETURN (COUNT) UTF-8 ALL',
    'THREAD REFS UTF-8 ALL',
    'THREAD RETURN (COUNT) REFERENCES UTF-8 ALL',
    'THREAD REFERENCES ALL',
  ])
    expect(await a.command(wrong), wrong).toMatch(/^t\d+ BAD/)
})

test('SO-11, SO-12, SO-13, SO-14: THREAD by subject and by references, of the messages found', async () => {
  expect(await told('THREAD ORDEREDSUBJECT UTF-8 ALL')).toBe('* THREAD (3 1)(5)(2 4)|OK')
  expect(await told('THREAD REFERENCES UTF-8 ALL')).toBe('* THREAD (5)((2)(4))(1 3)|OK')
  expect(await told('UID THREAD REFERENCES UTF-8 NOT 4')).toBe('* THREAD (5)(2)(1 3)|OK')
  expect(await told('THREAD REFERENCES UTF-8 SUBJECT nothing')).toBe('* THREAD|OK')
})

test('CX-01, CX-02, CX-03, CX-04, CX-05, CX-06: SORT RETURN', async () => {
  const esearch = async (command: string) => (await told(command)).replace(/\(TAG "t\d+"\)/, 'T')
  expect(await esearch('SORT RETURN (MIN MAX COUNT ALL) (DATE) UTF-8 ALL')).toBe(
    '* ESEARCH T MIN 3 MAX 4 COUNT 5 ALL 3,5,2,1,4|OK',
  )
  expect(await esearch('SORT RETURN () (REVERSE SUBJECT DATE) UTF-8 2:5')).toBe('* ESEARCH T ALL 3,5,2,4|OK')
  expect(await esearch('SORT RETURN () (ARRIVAL) UTF-8 2:5')).toBe('* ESEARCH T ALL 2:5|OK')
  expect(await esearch('SORT RETURN (CONTEXT) (ARRIVAL) UTF-8 2:5')).toBe('* ESEARCH T ALL 2:5|OK')
  expect(await esearch('SORT RETURN (MIN ALL COUNT) (DATE) UTF-8 SUBJECT none')).toBe(
    '* ESEARCH T COUNT 0|OK',
  )
  expect(await esearch('UID SORT RETURN (COUNT) (DATE) UTF-8 ALL')).toBe('* ESEARCH T UID COUNT 5|OK')
})

test('CX-22, CX-23, CX-24, CX-25, DE-16: windows of a result', async () => {
  const esearch = async (command: string) => (await told(command)).replace(/\(TAG "t\d+"\)/, 'T')
  expect(await esearch('SORT RETURN (PARTIAL 2:3) (DATE) UTF-8 ALL')).toBe('* ESEARCH T PARTIAL (2:3 5,2)|OK')
  expect(await esearch('UID SORT RETURN (PARTIAL 9:4) (DATE) UTF-8 ALL')).toBe(
    '* ESEARCH T UID PARTIAL (4:9 1,4)|OK',
  )
  expect(await esearch('SEARCH RETURN (PARTIAL 6:9) ALL')).toBe('* ESEARCH T PARTIAL (6:9 NIL)|OK')
  expect(await esearch('SEARCH RETURN (PARTIAL 2:9 COUNT) 2:4')).toBe(
    '* ESEARCH T COUNT 3 PARTIAL (2:9 3:4)|OK',
  )
  for (const wrong of ['*:5', '5', '0:5', '1:5 PARTIAL 6:7', '1:5 ALL'])
    expect(await a.command(`SEARCH RETURN (PARTIAL ${wrong}) ALL`), wrong).toMatch(/^t\d+ BAD/)
})

test('ES-17, QR-22: SORT saves its result, and tells the highest mod-sequence', async () => {
  await a.command('SORT RETURN (SAVE) (DATE) UTF-8 2:3')
  expect(await told('FETCH $ (UID)')).toBe('* 2 FETCH (UID 2)|* 3 FETCH (UID 3)|OK')
  await a.command('SORT RETURN (SAVE) (DATE) KOI8-R 1')
  expect(await told('SEARCH $')).toBe('* SEARCH|OK')
  expect(await told('SORT (DATE) UTF-8 1:2 MODSEQ 1')).toMatch(
    /^\* OK \[HIGHESTMODSEQ \d+\] Highest\|\* SORT 2 1 \(MODSEQ \d+\)\|OK$/,
  )
  expect(await told('SORT (DATE) UTF-8 SUBJECT none MODSEQ 1')).toBe('* SORT|OK')
  expect(await told('SORT RETURN (MAX) (DATE) UTF-8 ALL MODSEQ 1')).toMatch(/ MAX 4 MODSEQ \d+\|OK$/)
})

test('SO-10, UR-01, UR-03: no EXPUNGE during SORT and THREAD; in the UID forms only without MSNs', async () => {
  await server.deliver('alice@example.net', 'E', messages[0]!)
  const b = await loggedIn(server.port)
  const c = await loggedIn(server.port)
  await b.command('SELECT E')
  for (const [command, allowed] of [
    ['SORT (DATE) UTF-8 ALL', false],
    ['THREAD REFERENCES UTF-8 ALL', false],
    ['UID SORT (DATE) UTF-8 ALL', true],
    ['UID THREAD REFERENCES UTF-8 1', false],
    ['UID SORT (DATE) UTF-8 1', false],
  ] as const) {
    await server.deliver('alice@example.net', 'E', messages[1]!)
    await c.command('SELECT E')
    await c.command('NOOP')
    await b.command('NOOP')
    await c.command('STORE 2 +FLAGS.SILENT (\\Deleted)')
    await c.command('EXPUNGE')
    expect(/EXPUNGE\r\n/.test(await b.command(command)), command).toBe(allowed)
    expect(/EXPUNGE\r\n/.test(await b.command('NOOP'))).toBe(!allowed)
  }
  b.end()
  c.end()
})

test('SO-02 to SO-08, CX-18: stored keys and the keys of a live context give one order', async () => {
  const account = (await server.directory.find('alice@example.net'))!.id
  const pick = <T>(list: readonly T[], i: number): T => list[(i * 7919) % list.length]!
  const subjects = [
    'b',
    'Re: b',
    '',
    '=?utf-8?q?=C3=84pfel?=',
    'Äpfel',
    'äpfel zwei',
    'ﬀ',
    '𝒳',
    '\uE000x',
    'Z',
    '[l] fwd: a',
    'B ',
  ]
  const names = [
    'bob@x',
    '"Zoë" <a@x>',
    'Éva <é@x>',
    '<>',
    'joe',
    'g: ;',
    'g: a@b, c@d;',
    '"" <q@y>',
    '=?utf-8?q?=F0?= <p@q>',
    '"a\\"b" <"x y"@z>',
  ]
  const dates = [
    'Tue, 2 Jan 2024 10:00:00 +0100',
    'Tue, 2 Jan 2024 09:00:00 GMT',
    'never',
    'Mon, 1 Jan 2024 00:00:00 -0500',
  ]
  const mails = Array.from({ length: 260 }, (_, i) =>
    Buffer.from(
      `From: ${pick(names, i)}\r\nTo: ${pick(names, i + 3)}\r\nCc: ${pick(names, i + 5)}\r\nSubject: ${pick(subjects, i)}\r\nDate: ${pick(dates, i)}\r\n\r\n${'x'.repeat(i % 5)}`,
    ),
  )
  await server.store.write(account, [{ op: 'create', name: 'Keys' }])
  const mailbox = (await server.store.read(account, (view) => view.mailbox('Keys')))!.id
  await server.store.write(account, [
    {
      op: 'append',
      mailbox,
      messages: mails.map((octets, i) => ({
        octets: [octets],
        digest: digestMessage(octets),
        internalDate: Date.UTC(2024, 0, 1, i % 24),
        flags: [],
      })),
    },
  ])
  const b = await loggedIn(server.port)
  await b.command('SELECT Keys')
  for (const key of ['ARRIVAL', 'CC', 'DATE', 'FROM', 'SIZE', 'SUBJECT', 'TO', 'DISPLAYFROM', 'DISPLAYTO'])
    for (const reverse of ['', 'REVERSE ']) {
      const stored = /ALL ([\d:,]+)/.exec(
        await b.command(`UID SORT RETURN (ALL) (${reverse}${key} SIZE) UTF-8 ALL`),
      )![1]
      const live = /ALL ([\d:,]+)/.exec(
        await b.command(`UID SORT RETURN (ALL UPDATE) (${reverse}${key} SIZE) UTF-8 ALL`),
      )![1]
      expect(live, key).toBe(stored)
    }
  b.end()
})
