/** SEARCH by flags and numbers is answered from indexes: the same answer as from the messages, at the cost of what is found. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

const flags = ['\\Seen', '\\Deleted', '\\Flagged', '\\Answered', '\\Draft', '$Forwarded', 'other'] as const
const count = 120
let server: TestImap
let imap: RawImap
let other: RawImap

beforeAll(async () => {
  server = await startImap()
  for (let i = 1; i <= count; i++)
    await server.deliver(
      'alice@example.net',
      'INBOX',
      `Subject: ${i % 3 ? 'red' : 'blue'}\n\n${'x'.repeat(i)}\n`,
      flags.filter((_, at) => (i * 2654435761) % 2 ** (at + 8) < 2 ** (at + 7)),
    )
  imap = await loggedIn(server.port)
  other = await loggedIn(server.port)
  await other.command('SELECT INBOX')
  // Gaps, and messages that are in a view and gone from the store.
  await other.command('UID STORE 5:9,40,77:80 +FLAGS.SILENT (\\Deleted)')
  await other.command('UID EXPUNGE 5:9,40,77:80')
  await imap.command('SELECT INBOX')
  await imap.command('UID SEARCH RETURN (SAVE) UID 20:60,90:*')
  await other.command('UID STORE 30:32,100 +FLAGS.SILENT (\\Deleted)')
  await other.command('UID EXPUNGE 30:32,100')
})
afterAll(async () => {
  imap.end()
  other.end()
  expect(server.logged).toEqual([])
  await server.close()
})

interface Shown {
  readonly msn: number
  readonly uid: number
  readonly flags: readonly string[]
}
type Key = { readonly text: string; readonly holds: (m: Shown, all: readonly Shown[]) => boolean }

const names: readonly (readonly [string, string])[] = [
  ['SEEN', '\\Seen'],
  ['DELETED', '\\Deleted'],
  ['FLAGGED', '\\Flagged'],
  ['ANSWERED', '\\Answered'],
  ['DRAFT', '\\Draft'],
  ['KEYWORD $forwarded', '$Forwarded'],
  ['KEYWORD OTHER', 'other'],
  ['KEYWORD nowhere', 'nowhere'],
]
const flagKey = fc.tuple(fc.constantFrom(...names), fc.boolean()).map(
  ([[name, flag], un]): Key => ({
    text: `${un ? 'UN' : ''}${name}`,
    holds: (m) => m.flags.includes(flag) !== un,
  }),
)
const range = fc.tuple(fc.integer({ min: 1, max: count + 5 }), fc.integer({ min: 1, max: count + 5 }))
const between = (n: number, a: number, b: number): boolean => n >= Math.min(a, b) && n <= Math.max(a, b)
const plain = fc.oneof(
  { weight: 6, arbitrary: flagKey },
  range.map(([a, b]): Key => ({ text: `UID ${a}:${b}`, holds: (m) => between(m.uid, a, b) })),
  range.map(([a, b]): Key => ({ text: `${a}:${b}`, holds: (m) => between(m.msn, a, b) })),
  fc.constantFrom<Key>(
    { text: 'ALL', holds: () => true },
    { text: '$', holds: (m) => between(m.uid, 20, 60) || m.uid >= 90 },
    { text: 'NEW', holds: (m) => m.flags.includes('\\Recent') && !m.flags.includes('\\Seen') },
    { text: 'OLD', holds: (m) => !m.flags.includes('\\Recent') },
    { text: 'RECENT', holds: (m) => m.flags.includes('\\Recent') },
    // No index knows these.
    { text: 'SUBJECT blue', holds: (m) => m.uid % 3 === 0 },
    { text: 'LARGER 80', holds: (m) => m.uid > 80 - 'Subject: red\r\n\r\n\r\n'.length - (m.uid % 3 ? 0 : 1) },
  ),
)
const key = fc.letrec<{ key: Key }>((tie) => ({
  key: fc.oneof(
    { depthSize: 'small' },
    plain,
    tie('key').map((k): Key => ({ text: `NOT ${k.text}`, holds: (m, all) => !k.holds(m, all) })),
    fc.tuple(tie('key'), tie('key')).map(
      ([a, b]): Key => ({
        text: `OR ${a.text} ${b.text}`,
        holds: (m, all) => a.holds(m, all) || b.holds(m, all),
      }),
    ),
    fc.array(tie('key'), { minLength: 1, maxLength: 4 }).map(
      (keys): Key => ({
        text: `(${keys.map((k) => k.text).join(' ')})`,
        holds: (m, all) => keys.every((k) => k.holds(m, all)),
      }),
    ),
  ),
})).key

const shown = async (): Promise<Shown[]> =>
  [
    ...(await imap.command('FETCH 1:* (UID FLAGS)')).matchAll(
      /\* (\d+) FETCH \(UID (\d+) FLAGS \((.*?)\)\)/g,
    ),
  ].map(([, msn, uid, list]) => ({ msn: Number(msn), uid: Number(uid), flags: list!.split(' ') }))

test('SR-01, SR-13, SR-17: law: criteria of flags and numbers, in any combination, find what FETCH shows', async () => {
  const messages = await shown()
  // The four that are gone are in the view still, and nobody is shown them.
  expect(messages.length).toBe(count - 10 - 4)
  await fc.assert(
    fc.asyncProperty(key, async ({ text, holds }) => {
      const found = messages.filter((m) => holds(m, messages))
      const numbers = found.map((m) => ` ${m.msn}`).join('')
      expect(await imap.command(`SEARCH ${text}`), text).toMatch(
        new RegExp(`^\\* SEARCH${numbers}\\r\\nt\\d+ OK`),
      )
    }),
    { numRuns: 150 },
  )
})
