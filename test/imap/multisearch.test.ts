/** ESEARCH over several mailboxes (RFC 7377). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let a: RawImap
const deliver = (box: string, subject: string, flags: readonly string[] = []) =>
  server.deliver('alice@example.net', box, `Subject: ${subject}\n\nx\n`, flags)

beforeAll(async () => {
  server = await startImap()
  for (const box of ['INBOX', 'one', 'two', 'two/a', 'two/a/b', 'a*'])
    for (const subject of ['x', 'y', box]) await deliver(box, subject)
  await deliver('two', 'x', ['\\Seen'])
  a = await loggedIn(server.port)
  await a.command('SUBSCRIBE one')
})
afterAll(() => server.close())

/** Mailbox and what was found, line by line; the tagged answer last. */
const told = async (command: string): Promise<string[]> =>
  (await a.command(command))
    .trimEnd()
    .split('\r\n')
    .map((line) =>
      line
        .replace(/^\* ESEARCH \(TAG "t\d+" MAILBOX (.*) UIDVALIDITY \d+\) UID /, '$1: ')
        .replace(/^t\d+ (\w+).*/, '$1'),
    )

test('MS-01, MS-02, MS-04: one line a mailbox with matches, with tag, name and UIDVALIDITY', async () => {
  expect(await a.command('CAPABILITY')).toContain(' MULTISEARCH')
  expect(await a.command('ESEARCH IN (mailboxes one) SUBJECT x')).toMatch(
    /^\* ESEARCH \(TAG "t4" MAILBOX one UIDVALIDITY \d+\) UID ALL 1\r\nt4 OK/,
  )
  expect(await told('ESEARCH IN (mailboxes "one" subtree "two") unseen')).toEqual([
    'one: ALL 1:3',
    'two: ALL 1:3',
    'two/a: ALL 1:3',
    'two/a/b: ALL 1:3',
    'OK',
  ])
  expect(await told('ESEARCH IN (personal) SUBJECT nothing')).toEqual(['OK'])
  expect(await told('ESEARCH ALL')).toEqual(['BAD'])
  expect(await told('UID ESEARCH IN (personal) ALL')).toEqual(['BAD'])
})

test('MS-03, MS-09: result options are for each mailbox, and only where something matches', async () => {
  expect(await told('ESEARCH IN (mailboxes (one two INBOX)) RETURN (COUNT MIN MAX) SUBJECT two')).toEqual([
    'two: MIN 3 MAX 3 COUNT 1',
    'OK',
  ])
  expect(await told('ESEARCH IN (mailboxes (one two)) RETURN (PARTIAL 2:3) ALL')).toEqual([
    'one: PARTIAL (2:3 2:3)',
    'two: PARTIAL (2:3 2:3)',
    'OK',
  ])
  // MSNs are those of each mailbox, and beyond its end there is nothing (RFC 7377 §2).
  expect(await told('ESEARCH IN (mailboxes (one two)) RETURN () 4:9')).toEqual(['two: ALL 4', 'OK'])
})

test('MS-05, MS-06, MS-07, MS-11: the specifiers', async () => {
  const names = async (source: string) =>
    (await told(`ESEARCH IN (${source}) ALL`)).map((line) => line.split(':')[0])
  expect(await names('inboxes')).toEqual(['INBOX', 'OK'])
  expect(await names('PERSONAL')).toEqual(['INBOX', '"a*"', 'one', 'two', 'two/a', 'two/a/b', 'OK'])
  expect(await names('subscribed')).toEqual(['one', 'OK'])
  expect(await names('subtree-one two')).toEqual(['two', 'two/a', 'OK'])
  expect(await names('subtree (two/a none)')).toEqual(['two/a', 'two/a/b', 'OK'])
  expect(await names('mailboxes "a*"')).toEqual(['"a*"', 'OK'])
  expect(await names('mailboxes inbox mailboxes INBOX subtree INBOX')).toEqual(['INBOX', 'OK'])
  for (const wrong of [
    'selected-delayed',
    'selected',
    'everything',
    'subtree',
    'mailboxes ()',
    'personal (x)',
  ])
    expect(await names(wrong), wrong).toEqual(['BAD'])
})

test('MS-04, MS-08, MS-13, MS-14: the selected mailbox', async () => {
  await deliver('INBOX', 'new')
  const status = await a.command('STATUS INBOX (RECENT)')
  await a.command('SELECT one')
  expect(await told('ESEARCH SUBJECT x')).toEqual(['one: ALL 1', 'OK'])
  expect(await told('ESEARCH IN (selected) RETURN (SAVE COUNT) SUBJECT y')).toEqual(['one: COUNT 1', 'OK'])
  expect(await a.command('FETCH $ (UID)')).toContain('* 2 FETCH (UID 2)')
  expect(await told('ESEARCH IN (selected mailboxes two) RETURN (SAVE) ALL')).toEqual(['BAD'])
  expect(await told('ESEARCH IN (personal) RETURN (SAVE) ALL')).toEqual(['BAD'])
  expect(await told('ESEARCH IN (mailboxes (INBOX two)) $')).toEqual(['OK'])
  a.send('p1 ESEARCH IN (mailboxes one) ALL\r\np2 ESEARCH IN (inboxes) RETURN (COUNT) RECENT\r\n')
  const both = await a.until(/p2 OK.*\r\n/)
  expect(both).toContain('(TAG "p1" MAILBOX one')
  expect(both).toMatch(/\(TAG "p2" MAILBOX INBOX UIDVALIDITY \d+\) UID COUNT 4/)
  expect((await a.command('STATUS INBOX (RECENT)')).split('\r\n')[0]).toBe(status.split('\r\n')[0])
})

test('MS-08, CX-11: UPDATE is for the selected mailbox', async () => {
  a.send('e ESEARCH IN (personal) RETURN (UPDATE COUNT) FLAGGED\r\n')
  expect(await a.until(/e OK.*\r\n/)).not.toContain('ESEARCH (')
  const b = await loggedIn(server.port)
  await b.command('SELECT one')
  await b.command('STORE 2 +FLAGS (\\Flagged)')
  expect(await a.until(/ADDTO.*\r\n/)).toMatch(
    /\* ESEARCH \(TAG "e" MAILBOX one UIDVALIDITY \d+\) UID ADDTO \(0 2\)\r\n$/,
  )
  a.send('e ESEARCH RETURN (UPDATE) ALL\r\n')
  expect(await a.until(/e (OK|BAD).*\r\n/)).toContain('e BAD')
  await a.command('UNSELECT')
  expect(await told('ESEARCH IN (personal) RETURN (UPDATE) ALL')).toEqual(['BAD'])
  expect(await told('ESEARCH IN (personal) CHARSET KOI8-R SUBJECT x')).toEqual(['NO'])
  b.end()
})
