/** SEARCH of text over real connections: the same answers before the index knows the messages, and after. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let a: RawImap
const alice = 'alice@example.net'
const messages = [
  'From: Bob <bob@example.org>\nSubject: Lunch\nX-Tag: one\n\nSee you at the harbour.\n',
  'From: =?utf-8?q?=C3=89va?= <eva@example.org>\nSubject: =?utf-8?q?Stra=C3=9Fe?=\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nQ2Fmw6kgYW0gSGFmZW4=\n',
  'From: carol@example.org\nTo: bob@example.org\nSubject: nothing\nX-Tag:\n\nharbour, lunch\n',
]
const searches = [
  ['TEXT harbour', '1 3'],
  ['BODY lunch', '3'],
  ['TEXT LUNCH', '1 3'],
  ['NOT TEXT lunch', '2'],
  ['OR FROM bob BODY lunch', '1 3'],
  ['FROM bob SUBJECT lunch', '1'],
  ['TEXT bob NOT FROM bob', '3'],
  ['HEADER X-Tag ""', '1 3'],
  ['HEADER X-Tag ONE', '1'],
  ['2:3 TEXT harbour', '3'],
  ['TEXT caf', '2'],
  ['BODY "af"', '2'],
  ['TEXT nosuchword', ''],
  ['CHARSET UTF-8 FROM {4+}\r\n\u00c9va', '2'],
  ['CHARSET UTF-8 SUBJECT {7+}\r\nSTRA\u00dfE', '2'],
  ['CHARSET UTF-8 SUBJECT STRASSE', ''],
] as const

beforeAll(async () => {
  server = await startImap({ indexed: true })
  for (const each of messages) await server.deliver(alice, 'S', each)
  a = await loggedIn(server.port)
  await a.command('SELECT S')
})
afterAll(async () => {
  a.end()
  await server.close()
})

const found = async (keys: string) => {
  const answer = await a.command(`SEARCH ${keys}`)
  return /\* SEARCH ?([\d ]*)\r\n/.exec(answer)?.[1] ?? answer
}

test('SR-04 to SR-07, IN-02, IN-03: text criteria, alone and combined', async () => {
  for (const state of ['new', 'indexed']) {
    for (const [keys, expected] of searches)
      expect([state, keys, await found(keys)]).toEqual([state, keys, expected])
    await server.indexed()
  }
})

test('SR-17, OB-07: a message that came after the index, one that is gone, and THREADID', async () => {
  await server.indexed()
  await server.deliver(alice, 'S', 'Subject: Re: Lunch\n\nharbour again\n')
  await a.command('NOOP')
  expect(await found('BODY "harbour again"')).toBe('4')
  await a.command('STORE 1 +FLAGS.SILENT (\\Deleted)')
  await a.command('EXPUNGE')
  expect(await found('TEXT harbour')).toBe('2 3')
  const { id: account } = (await server.directory.find(alice))!
  const thread = await server.store.read(account, async (view) => {
    const box = (await view.mailbox('S'))!
    for await (const rows of view.messages(box.id, { threadId: true })) return rows.at(-1)!.threadId
    return ''
  })
  expect(await found(`THREADID ${thread}`)).toBe('3')
  expect(await found('THREADID T999999')).toBe('')
})
