/** Rules that could be broken in the code and no test of theirs noticed: each test here fails for one such change. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let box = ''
let count = 0
const open: RawImap[] = []
const client = async (...commands: string[]): Promise<RawImap> => {
  const imap = await loggedIn(server.port)
  open.push(imap)
  for (const each of commands) expect(await imap.command(each), each).toMatch(/ OK .*\r\n$/)
  return imap
}

beforeAll(async () => {
  server = await startImap()
})
beforeEach(async () => {
  box = `Box${++count}`
  for (let i = 1; i <= 6; i++) await server.deliver('alice@example.net', box, `Subject: m${i}\n\nm${i}\n`)
})
afterEach(() => {
  for (const each of open.splice(0)) each.end()
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

test('MB-01: INBOX has no case for NOTIFY and LSUB either, and "inboxes" is another name there', async () => {
  const imap = await client('CREATE inboxes', 'SUBSCRIBE inboxes', 'SUBSCRIBE inBox')
  expect(await imap.command('LSUB "" "*"')).toBe(
    `* LSUB () "/" INBOX\r\n* LSUB () "/" inboxes\r\nt${5} OK LSUB completed\r\n`,
  )
  await imap.command('NOTIFY SET (mailboxes (inbOX inboxes) (MessageNew MessageExpunge))')
  await server.deliver('alice@example.net', 'inboxes', 'Subject: x\n\nx\n')
  expect(await imap.until(/\* STATUS .*\r\n/)).toContain('* STATUS inboxes (')
  await server.deliver('alice@example.net', 'INBOX', 'Subject: x\n\nx\n')
  expect(await imap.until(/\* STATUS .*\r\n/)).toContain('* STATUS INBOX (')
})

test('U8-08, U8-02, R2-03: a name is told in UTF-8 to those who enabled it, in modified UTF-7 to others', async () => {
  const old = await client('CREATE "&BB8EPgRIBEIEMA-"')
  for (const name of ['UTF8=ACCEPT', 'IMAP4rev2']) {
    const imap = await client(`ENABLE ${name}`)
    const wire = Buffer.from('"Пошта"').toString('latin1')
    const ask = (text: string): Promise<string> => {
      imap.send(Buffer.from(`k ${text}\r\n`, 'latin1'))
      return imap.until(/k (?:OK|NO|BAD) .*\r\n/)
    }
    expect(await imap.command('LIST "" "*"')).toContain(`"/" ${wire}\r\n`)
    expect(await ask(`STATUS ${wire} (MESSAGES)`)).toContain(`* STATUS ${wire} (MESSAGES 0)\r\n`)
    expect(await ask(`SELECT ${wire}`)).toContain(' OK [READ-WRITE]')
  }
  expect(await old.command('LIST "" "*"')).toMatch(/"\/" "?&BB8EPgRIBEIEMA-"?\r\n/)
})

test('QR-13: MODIFIED names sequence numbers to STORE and UIDs to UID STORE, and the others are changed', async () => {
  const a = await client(
    'ENABLE CONDSTORE',
    `SELECT ${box}`,
    'UID STORE 1:2 +FLAGS.SILENT (\\Deleted)',
    'EXPUNGE',
  )
  const b = await client(`SELECT ${box}`)
  const modSeq = (await a.command('FETCH 1:* (MODSEQ)'))
    .match(/MODSEQ \((\d+)\)/g)!
    .map((m) => Number(/\d+/.exec(m)![0]))
  const known = Math.max(...modSeq)
  await b.command('UID STORE 4 +FLAGS (\\Answered)')
  await a.command('NOOP')
  const stored = await a.command(`STORE 1:3 (UNCHANGEDSINCE ${known}) +FLAGS (\\Answered)`)
  expect(stored).toMatch(/\r\nt\d+ OK \[MODIFIED 2\] .*\r\n$/)
  expect(stored.match(/^\* \d+ FETCH/gm)).toEqual(['* 1 FETCH', '* 3 FETCH'])
  expect(stored).toMatch(/\* 1 FETCH \(UID 3 FLAGS \([^)]*\\Answered\) MODSEQ \(\d+\)\)/)
  await b.command('UID STORE 4,6 +FLAGS (\\Answered \\Seen)')
  await a.command('NOOP')
  const byUid = await a.command(`UID STORE 4:6 (UNCHANGEDSINCE ${known}) +FLAGS (\\Seen)`)
  expect(byUid).toMatch(/ OK \[MODIFIED 4,6\] .*\r\n$/)
})

test('QR-35, QR-37: QRESYNC with as many UIDs as numbers, ascending both; anything else is BAD', async () => {
  const imap = await client('ENABLE QRESYNC')
  const validity = /UIDVALIDITY (\d+)/.exec(await imap.command(`STATUS ${box} (UIDVALIDITY)`))![1]
  for (const [match, answer] of [
    ['(1:3 1:3)', 'OK'],
    ['(1,3 2,5)', 'OK'],
    ['(1:3 1:2)', 'BAD'],
    ['(1 1:2)', 'BAD'],
    ['(3,1 1,3)', 'BAD'],
    ['(1:2 5,5)', 'BAD'],
    ['(1:* 1:3)', 'BAD'],
  ])
    expect(await imap.command(`SELECT ${box} (QRESYNC (${validity} 1 1:6 ${match}))`), match).toMatch(
      new RegExp(`t\\d+ ${answer} `),
    )
})
