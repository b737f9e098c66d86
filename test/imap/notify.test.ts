/** NOTIFY (RFC 5465). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
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
const deliver = (name = box, subject = 'hi', flags: readonly string[] = []) =>
  server.deliver('alice@example.net', name, `From: bob@example.org\nSubject: ${subject}\n\nhi\n`, flags)
/** What comes unasked within a while. */
const unasked = async (imap: RawImap, ms = 80): Promise<string> => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return imap.taken()
}
const messages = '(MessageNew MessageExpunge)'
const all = '(MessageNew MessageExpunge FlagChange)'

beforeAll(async () => {
  server = await startImap({
    accounts: ['alice', 'carol'].map((name) => ({ address: `${name}@example.net`, password: 'secret' })),
  })
})
afterAll(() => server.close())
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  box = `Box${++count}`
  for (let i = 1; i <= 3; i++) await deliver()
})

describe('syntax and refusals (RFC 5465 §3.1, §5, §8)', () => {
  test('NO-07, NO-08, NO-11, NO-12, NO-42, DE-02: what is BAD', async () => {
    const a = await client()
    for (const wrong of [
      'NOTIFY',
      'NOTIFY SET',
      'NOTIFY SET ()',
      'NOTIFY SET (personal)',
      'NOTIFY SET (personal ())',
      'NOTIFY SET (personal (MessageNew MessageExpunge)',
      'NOTIFY SET STATUS',
      'NOTIFY SET (subtree Lists MessageNew)',
      'NOTIFY SET (subtree (MessageNew MessageExpunge))',
      'NOTIFY SET (everything (MailboxName))',
      'NOTIFY SET (personal (MessageNew))',
      'NOTIFY SET (selected (MessageExpunge))',
      'NOTIFY SET (personal (FlagChange))',
      'NOTIFY SET (personal (MessageNew FlagChange))',
      'NOTIFY SET (selected (MessageNew MessageExpunge MailboxName))',
      `NOTIFY SET (selected ${messages}) (selected-delayed ${messages})`,
      'NOTIFY SET (personal (MessageNew (UID) MessageExpunge))',
      'NOTIFY SET (selected (MessageNew () MessageExpunge))',
      'NOTIFY SET (selected (MessageNew (NOSUCHITEM) MessageExpunge))',
      'NOTIFY NONE x',
    ])
      expect(await a.command(wrong), wrong).toMatch(/^t\d+ BAD/)
  })

  test('NO-09, NO-10: events that nobody knows, and settings unchanged', async () => {
    const a = await client(`SELECT ${box}`, `NOTIFY SET (selected ${messages})`)
    for (const wrong of [
      '(personal (MailboxNome))',
      `(selected (AnnotationChange))`,
      '(personal (Mailbox-X MessageNew))',
    ])
      expect(await a.command(`NOTIFY SET ${wrong}`), wrong).toMatch(
        /^t\d+ NO \[BADEVENT \(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange\)\]/,
      )
    await deliver()
    await a.until(/EXISTS\r\n/)
  })

  test('NO-13, NO-15, NO-17, NO-43: every filter, in any case, NONE, and names that are not there', async () => {
    await client(
      'notify set status (SELECTED-delayed (messagenew messageexpunge)) (inboxes (mailboxname)) (Personal none)',
      `NOTIFY SET (subscribed (SubscriptionChange)) (subtree a ${messages}) (subtree (a "b c") NONE) (mailboxes "a*" ${all}) (mailboxes (x y) ${all})`,
      'NOTIFY NONE',
    )
  })
})

describe('the selected mailbox (RFC 5465 §5.1 to §5.3, §6.1)', () => {
  test('NO-24, NO-27, NO-25: EXISTS, FETCH with the items, flags and expunges, between commands', async () => {
    const a = await client(
      `SELECT ${box}`,
      'NOTIFY SET (selected (MessageNew (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))',
    )
    const b = await client(`SELECT ${box}`)
    await deliver(box, 'news')
    expect(await a.until(/\)\r\n$/)).toBe(
      '* 4 EXISTS\r\n* 4 RECENT\r\n* 4 FETCH (UID 4 FLAGS (\\Recent) BODY[HEADER.FIELDS (SUBJECT)] {17}\r\nSubject: news\r\n\r\n)\r\n',
    )
    await b.command('STORE 2 +FLAGS (\\Deleted)')
    expect(await a.until(/FETCH.*\r\n/)).toBe('* 2 FETCH (UID 2 FLAGS (\\Recent \\Deleted))\r\n')
    await b.command('EXPUNGE')
    expect(await a.until(/EXPUNGE\r\n/)).toBe('* 2 EXPUNGE\r\n')
  })

  test('NO-24, NO-27: without items EXISTS alone; with CONDSTORE flags have their MODSEQ; QRESYNC: VANISHED', async () => {
    const a = await client('ENABLE QRESYNC', `SELECT ${box}`, `NOTIFY SET (selected ${all})`)
    const b = await client(`SELECT ${box}`)
    await deliver()
    expect(await unasked(a)).toBe('* 4 EXISTS\r\n* 4 RECENT\r\n')
    await b.command('STORE 1 +FLAGS (\\Deleted)')
    expect(await a.until(/FETCH.*\r\n/)).toMatch(
      /^\* 1 FETCH \(UID 1 FLAGS \(\\Recent \\Deleted\) MODSEQ \(\d+\)\)\r\n$/,
    )
    await b.command('EXPUNGE')
    expect(await unasked(a)).toBe('* VANISHED 1\r\n')
  })

  test('NO-26, QR-49: selected-delayed holds expunges back until a command allows them', async () => {
    const a = await client('ENABLE QRESYNC', `SELECT ${box}`, `NOTIFY SET (selected-delayed ${all})`)
    const b = await client(`SELECT ${box}`)
    await b.command('STORE 1 +FLAGS.SILENT (\\Deleted)')
    await b.command('EXPUNGE')
    await deliver()
    const told = await unasked(a)
    expect(told).toContain('* 4 EXISTS\r\n')
    expect(told).toMatch(/\* OK \[HIGHESTMODSEQ \d+\]/)
    expect(told).not.toContain('VANISHED')
    expect(await a.command('FETCH 2 (UID)')).toContain('* 2 FETCH (UID 2)')
    expect(await a.command('UID FETCH 2 (UID)')).toContain('* VANISHED 1\r\n')
    await b.command('STORE 1 +FLAGS.SILENT (\\Deleted)')
    await b.command('EXPUNGE')
    a.send('i IDLE\r\n')
    expect(await a.until(/VANISHED.*\r\n/)).toContain('* VANISHED 2\r\n')
  })

  test('NO-40: expunges wait for the end of a command with MSNs, and no longer', async () => {
    const a = await client(`SELECT ${box}`, `NOTIFY SET (selected ${all})`)
    const b = await client(`SELECT ${box}`)
    await b.command('STORE 1 +FLAGS.SILENT (\\Deleted)')
    // The literal is awaited: nothing may be told that changes what the command means (UR-02).
    a.send('s SEARCH BODY {2}\r\n')
    await a.until(/\+ .*\r\n/)
    await b.command('EXPUNGE')
    expect(await unasked(a)).not.toContain('EXPUNGE')
    a.send('hi\r\n')
    expect(await a.until(/EXPUNGE\r\n/)).toMatch(/^\* SEARCH [\d ]+\r\ns OK.*\r\n\* 1 EXPUNGE\r\n$/)
  })

  test('NO-02, NO-04, NO-05: NONE and no group for it keep everything back but results', async () => {
    for (const setting of [
      'NOTIFY NONE',
      'NOTIFY SET (mailboxes Elsewhere (MailboxName))',
      'NOTIFY SET (selected NONE)',
    ]) {
      box = `Box${++count}`
      for (let i = 1; i <= 3; i++) await deliver()
      const a = await client(`SELECT ${box}`)
      const b = await client(`SELECT ${box}`)
      await a.command(setting)
      await deliver()
      await b.command('NOOP')
      await b.command('STORE 1 +FLAGS (\\Flagged)')
      await b.command('STORE 2 +FLAGS.SILENT (\\Deleted)')
      await b.command('EXPUNGE')
      expect(await unasked(a), setting).toBe('')
      expect(await a.command('NOOP')).toMatch(/^t\d+ OK NOOP completed\r\n$/)
      a.send('i IDLE\r\n')
      await a.until(/\+ idling\r\n/)
      await deliver()
      expect(await unasked(a)).toBe('')
      a.send('DONE\r\n')
      expect(await a.until(/i OK.*\r\n/)).toBe('i OK IDLE completed\r\n')
      expect(await a.command('UID FETCH 1:3 (UID)')).toMatch(
        /^\* 1 FETCH \(UID 1\)\r\n\* 3 FETCH \(UID 3\)\r\nt\d+ OK/,
      )
      // What it does itself, it is told.
      expect(await a.command('STORE 3 +FLAGS (\\Deleted)')).toContain('* 3 FETCH (FLAGS (')
      expect(await a.command('EXPUNGE')).toMatch(/^\* 3 EXPUNGE\r\nt\d+ OK/)
      // And everything when it asks again (NO-01).
      expect(await a.command(`NOTIFY SET (selected ${all})`)).toMatch(
        /^\* 2 EXPUNGE\r\n\* 3 EXISTS\r\n\* \d+ RECENT\r\n\* 1 FETCH \(UID 1 FLAGS \([^)]*\\Flagged\)\)\r\nt\d+ OK NOTIFY/,
      )
    }
  })

  test('NO-01: flags that were not asked for are told when they are', async () => {
    const a = await client(`SELECT ${box}`, `NOTIFY SET (selected ${messages})`)
    const b = await client(`SELECT ${box}`)
    await b.command('STORE 2 +FLAGS (\\Flagged)')
    await deliver()
    expect(await unasked(a)).toBe('* 4 EXISTS\r\n* 4 RECENT\r\n')
    expect(await a.command(`NOTIFY SET (selected ${all})`)).toContain(
      '* 2 FETCH (UID 2 FLAGS (\\Recent \\Flagged))\r\n',
    )
  })

  test('NO-03, NO-38: it lasts over SELECT and sleeps while nothing is selected', async () => {
    const a = await client(`NOTIFY SET (selected ${all})`)
    await deliver()
    expect(await unasked(a)).toBe('')
    await a.command(`SELECT ${box}`)
    await deliver()
    await a.until(/5 EXISTS\r\n/)
    await a.command('UNSELECT')
    await deliver()
    expect(await unasked(a)).not.toContain('EXISTS')
    await a.command(`SELECT ${box}`)
    await deliver()
    await a.until(/7 EXISTS\r\n/)
    expect(await a.command('UNAUTHENTICATE')).toMatch(/ OK /)
    await a.command('LOGIN alice@example.net secret')
    await a.command(`SELECT ${box}`)
    await deliver()
    expect(await unasked(a)).toBe('')
  })

  test('NO-23: an own APPEND is counted, and not fetched', async () => {
    const a = await client(`SELECT ${box}`, 'NOTIFY SET (selected (MessageNew (UID) MessageExpunge))')
    const append = (tag: string) => `${tag} APPEND ${box} {6+}\r\nA: b\r\n\r\n`
    a.send(append('x'))
    const own = await a.until(/x OK.*\r\n/)
    expect(own).toContain('* 4 EXISTS')
    expect(own).not.toContain('FETCH')
    expect(await a.command(`COPY 1 ${box}`)).not.toContain('FETCH (')
    await deliver()
    await a.until(/\* 6 FETCH \(UID 6\)\r\n/)
  })

  test('NO-44: an item that sets \\Seen is fetched as asked', async () => {
    const a = await client(`SELECT ${box}`, 'NOTIFY SET (selected (MessageNew (BODY[TEXT]) MessageExpunge))')
    await deliver()
    expect(await a.until(/FETCH[\s\S]*\)\r\n/)).toContain('FLAGS (\\Recent \\Seen)')
  })

  test('DE-01, CX-26: EXISTS, then one FETCH with all items, then ADDTO', async () => {
    const a = await client(
      `SELECT ${box}`,
      'NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))',
    )
    a.send('c UID SEARCH RETURN (COUNT UPDATE (RFC822.SIZE FLAGS)) UNSEEN\r\n')
    await a.until(/c OK.*\r\n/)
    await deliver()
    expect(await a.until(/ADDTO.*\r\n/)).toMatch(
      /^\* 4 EXISTS\r\n\* 4 RECENT\r\n\* 4 FETCH \(UID 4 FLAGS \(\\Recent\) RFC822.SIZE \d+\)\r\n\* ESEARCH \(TAG "c"\) UID ADDTO \(0 4\)\r\n$/,
    )
  })
})

describe('other mailboxes (RFC 5465 §5.1 to §5.3)', () => {
  test('NO-28, NO-29, NO-30: STATUS with what the event asks for', async () => {
    const a = await client(`NOTIFY SET (mailboxes ${box} ${all})`)
    const b = await client(`SELECT ${box}`)
    await deliver()
    expect(await a.until(/STATUS.*\r\n/)).toBe(`* STATUS ${box} (UIDNEXT 5 MESSAGES 4)\r\n`)
    await b.command('STORE 1 +FLAGS (\\Seen)')
    expect(await a.until(/STATUS.*\r\n/)).toBe(`* STATUS ${box} (UNSEEN 3)\r\n`)
    await b.command('STORE 1 +FLAGS (\\Deleted)')
    expect(await unasked(a)).toBe('')
    await b.command('EXPUNGE')
    expect(await a.until(/STATUS.*\r\n/)).toBe(`* STATUS ${box} (UIDNEXT 5 MESSAGES 3)\r\n`)
  })

  test('NO-28, NO-29, NO-30: with CONDSTORE and QRESYNC', async () => {
    const c = await client('ENABLE CONDSTORE', `NOTIFY SET (subtree ${box} ${all})`)
    const q = await client('ENABLE QRESYNC', `NOTIFY SET (personal ${all})`)
    const b = await client(`SELECT ${box}`)
    await deliver()
    for (const each of [c, q])
      expect(await each.until(/STATUS.*\r\n/)).toMatch(/\(UIDNEXT 5 MESSAGES 4 HIGHESTMODSEQ \d+\)\r\n$/)
    await b.command('STORE 1 +FLAGS (\\Deleted)')
    for (const each of [c, q])
      expect(await each.until(/STATUS.*\r\n/)).toMatch(/\(HIGHESTMODSEQ \d+ UIDVALIDITY \d+\)\r\n$/)
    await b.command('EXPUNGE')
    expect(await c.until(/STATUS.*\r\n/)).toMatch(/\(UIDNEXT 5 MESSAGES 3\)\r\n$/)
    expect(await q.until(/STATUS.*\r\n/)).toMatch(/\(UIDNEXT 5 MESSAGES 3 HIGHESTMODSEQ \d+\)\r\n$/)
  })

  test('NO-06: SET STATUS tells where each mailbox stands, before its OK', async () => {
    await deliver(`${box}/sub`)
    const a = await client(`SELECT ${box}`)
    const told = await a.command(
      `NOTIFY SET STATUS (selected ${all}) (subtree ${box} ${all}) (mailboxes (INBOX ${box}/none) ${messages})`,
    )
    expect(told).toMatch(
      new RegExp(
        `^\\* STATUS INBOX \\(MESSAGES \\d+ UIDNEXT \\d+ UIDVALIDITY \\d+\\)\\r\\n` +
          `\\* STATUS ${box}/sub \\(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \\d+ HIGHESTMODSEQ \\d+\\)\\r\\nt\\d+ OK`,
      ),
    )
    // That the server told it makes nobody aware of mod-sequences (QR-07).
    const b = await client(`SELECT ${box}`)
    await b.command('STORE 1 +FLAGS (\\Flagged)')
    expect(await a.until(/FETCH.*\r\n/)).not.toContain('MODSEQ')
  })

  test('NO-14: groups add up, and the selected mailbox is told by its own group alone', async () => {
    const a = await client(
      `SELECT ${box}`,
      `NOTIFY SET (selected ${messages}) (personal ${all}) (mailboxes ${box} (SubscriptionChange)) (subtree ${box} (MailboxName))`,
    )
    const b = await client(`SELECT ${box}`)
    await b.command('STORE 1 +FLAGS (\\Seen)')
    expect(await unasked(a)).toBe('')
    await b.command(`SUBSCRIBE ${box}`)
    expect(await a.until(/LIST.*\r\n/)).toContain(`\\Subscribed`)
    await b.command(`CREATE ${box}/x`)
    expect(await a.until(/x\r\n/)).toContain('LIST (')
    await a.command('UNSELECT')
    await b.command('STORE 2 +FLAGS (\\Seen)')
    await a.until(new RegExp(`STATUS ${box} \\(UNSEEN 1\\)`))
  })

  test('NO-23, NO-30: what the session did itself is not told back', async () => {
    const a = await client(
      `NOTIFY SET (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))`,
    )
    await a.command(`CREATE ${box}own`)
    await a.command(`SUBSCRIBE ${box}own`)
    a.send(`x APPEND ${box} {6+}\r\nA: b\r\n\r\n`)
    expect(await a.until(/x OK.*\r\n/)).toMatch(/^x OK/)
    await a.command(`RENAME ${box}own ${box}own2`)
    await a.command(`DELETE ${box}own2`)
    expect(await unasked(a)).toBe('')
  })

  test('NO-18, NO-19: inboxes are those of delivery; subscribed follows the list', async () => {
    const a = await client(`NOTIFY SET (inboxes ${messages}) (subscribed ${messages})`)
    const b = await client()
    await deliver()
    expect(await unasked(a)).toBe('')
    await deliver('INBOX')
    await a.until(/STATUS INBOX/)
    await b.command(`SUBSCRIBE ${box}`)
    await deliver()
    await a.until(new RegExp(`STATUS ${box} .*\\r\\n`))
    await b.command(`UNSUBSCRIBE ${box}`)
    await deliver()
    expect(await unasked(a)).not.toContain(box)
  })

  test('NO-31: a mailbox that was made anew has another UIDVALIDITY', async () => {
    const a = await client(`NOTIFY SET (mailboxes ${box} ${all})`)
    const b = await client(`DELETE ${box}`, `CREATE ${box}`)
    expect(await a.until(/UIDVALIDITY \d+.*\r\n/)).toContain(`STATUS ${box} (`)
    b.end()
  })

  test('NO-39: nobody hears of mailboxes of others', async () => {
    const c = await loggedIn(server.port, 'carol@example.net')
    open.push(c)
    await c.command(
      `NOTIFY SET (personal (MessageNew MessageExpunge FlagChange MailboxName)) (mailboxes ${box} ${all})`,
    )
    await deliver()
    expect(await unasked(c)).toBe('')
    await server.deliver('carol@example.net', 'INBOX', 'A: b\n\nx\n')
    expect(await c.until(/STATUS.*\r\n/)).toBe('* STATUS INBOX (UIDNEXT 2 MESSAGES 1)\r\n')
  })

  test('IL-04, IL-06: in IDLE, with nothing selected, the same events are told', async () => {
    const a = await client(`NOTIFY SET (mailboxes ${box} ${messages})`)
    a.send('i IDLE\r\n')
    await a.until(/\+ idling\r\n/)
    await deliver()
    await a.until(new RegExp(`STATUS ${box} \\(UIDNEXT 5 MESSAGES 4\\)\\r\\n`))
    a.send('DONE\r\n')
    await a.until(/i OK.*\r\n/)
  })
})

describe('names, subscriptions, annotations (RFC 5465 §5.4 to §5.7)', () => {
  test('NO-32: CREATE and DELETE, with the direct parent', async () => {
    const a = await client(`NOTIFY SET (subtree ${box} (MailboxName))`)
    const b = await client()
    await b.command(`CREATE ${box}/x`)
    expect(await a.until(/x\r\n/)).toBe(
      `* LIST (\\HasChildren) "/" ${box}\r\n* LIST (\\HasNoChildren) "/" ${box}/x\r\n`,
    )
    await b.command(`DELETE ${box}/x`)
    expect(await a.until(/x\r\n/)).toBe(
      `* LIST (\\HasNoChildren) "/" ${box}\r\n* LIST (\\NonExistent) "/" ${box}/x\r\n`,
    )
    await b.command(`CREATE ${box}2/y`)
    expect(await unasked(a)).toBe('')
    const c = await client('NOTIFY SET (personal (MailboxName))')
    await b.command(`CREATE ${box}top`)
    expect(await c.until(/top\r\n/)).toBe(`* LIST (\\HasNoChildren) "/" ${box}top\r\n`)
  })

  test('NO-33, UR-14: RENAME tells the old name, once, and INBOX is not told', async () => {
    const b = await client(`CREATE ${box}/x/y`)
    const a = await client('NOTIFY SET (personal (MailboxName))')
    await b.command(`RENAME ${box}/x ${box}new`)
    expect(await a.until(/OLDNAME.*\r\n/)).toBe(
      `* LIST (\\HasChildren) "/" ${box}new ("OLDNAME" (${box}/x))\r\n`,
    )
    expect(await unasked(a)).toBe('')
    await b.command(`RENAME INBOX ${box}old`)
    expect(await a.until(/OLDNAME.*\r\n/)).toContain(`"/" ${box}old ("OLDNAME" (INBOX))`)
    expect(await unasked(a)).toBe('')
  })

  test('NO-34, NO-35: SubscriptionChange with exact attributes', async () => {
    const a = await client('NOTIFY SET (personal (SubscriptionChange))')
    const s = await client('NOTIFY SET (subscribed (SubscriptionChange))')
    const b = await client()
    await b.command(`SUBSCRIBE ${box}`)
    for (const each of [a, s])
      expect(await each.until(/LIST.*\r\n/)).toBe(`* LIST (\\HasNoChildren \\Subscribed) "/" ${box}\r\n`)
    await b.command(`UNSUBSCRIBE ${box}`)
    for (const each of [a, s])
      expect(await each.until(/LIST.*\r\n/)).toBe(`* LIST (\\HasNoChildren) "/" ${box}\r\n`)
    await b.command(`SUBSCRIBE ${box}/none`)
    expect(await a.until(/LIST.*\r\n/)).toBe(
      `* LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" ${box}/none\r\n`,
    )
  })

  test('NO-36: METADATA names what changed, what was deleted too', async () => {
    const a = await client('NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))')
    const account = (await server.directory.find('alice@example.net'))!.id
    const id = (await server.store.read(account, (view) => view.mailbox(box)))!.id
    const set = (mailbox: number | null, value: Uint8Array | null) =>
      server.store.write(account, [
        { op: 'metadata', mailbox, entries: [{ name: '/shared/comment', value }] },
      ])
    for (const value of [Buffer.from('x'), null]) {
      await set(id, value)
      expect(await a.until(/METADATA.*\r\n/)).toBe(`* METADATA ${box} /shared/comment\r\n`)
      await set(null, value)
      expect(await a.until(/METADATA.*\r\n/)).toBe('* METADATA "" /shared/comment\r\n')
    }
  })
})

test('NO-36, NO-02: after NOTIFY, ENABLE METADATA tells nothing more', async () => {
  const b = await client()
  const set = (value: string) => b.command(`SETMETADATA ${box} (/shared/comment "${value}")`)
  const a = await client('ENABLE METADATA')
  await set('1')
  expect(await a.until(/METADATA.*\r\n/)).toBe(`* METADATA ${box} /shared/comment\r\n`)
  await a.command('NOTIFY SET (personal (MailboxMetadataChange))')
  await set('2')
  expect(await unasked(a)).toBe(`* METADATA ${box} /shared/comment\r\n`)
  await a.command('NOTIFY NONE')
  await set('3')
  expect(await unasked(a)).toBe('')
  expect(await a.command('NOOP')).toBe('t5 OK NOOP completed\r\n')
})

test('FI-11, CX-21, OB-07: filters, ages in them, and threads in live contexts', async () => {
  const a = await client('SETMETADATA "" (/private/filters/values/boss "OR 1 SUBJECT boss")', `SELECT ${box}`)
  a.send('f UID SEARCH RETURN (UPDATE) FILTER boss\r\n')
  expect(await a.until(/f OK.*\r\n/)).toContain('UID ALL 1\r\n')
  await a.command('SETMETADATA "" (/private/filters/values/boss "SUBJECT other")')
  await deliver(box, 'boss')
  expect(await a.until(/ADDTO.*\r\n/)).toContain('* ESEARCH (TAG "f") UID ADDTO (0 4)\r\n')
  const thread = /THREADID \((T\d+)\)/.exec(await a.command('FETCH 4 (THREADID)'))![1]
  a.send(`t UID SEARCH RETURN (UPDATE) THREADID ${thread}\r\n`)
  expect(await a.until(/t OK.*\r\n/)).toContain('4')
  a.send(`c UID COPY 4 ${box}\r\n`)
  expect(await a.until(/c OK.*\r\n/)).toContain('* ESEARCH (TAG "t") UID ADDTO (0 5)\r\n')
})

test('NO-22, NO-41, SC-39: who does not read overflows, and delays nobody', async () => {
  const big = `Big${count}`
  await server.deliver('alice@example.net', big, `A: b\n\n${'x'.repeat(8_000_000)}`)
  const a = await client(`SELECT ${big}`, `NOTIFY SET (selected ${all}) (personal (SubscriptionChange))`)
  const b = await client(`SELECT ${big}`, `NOTIFY SET (selected ${all})`)
  a.socket.pause()
  a.send('f1 FETCH 1 (BODY.PEEK[])\r\nf2 FETCH 1 (BODY.PEEK[])\r\nf3 FETCH 1 (BODY.PEEK[])\r\n')
  const account = (await server.directory.find('alice@example.net'))!.id
  const before = performance.now()
  await server.store.write(
    account,
    Array.from({ length: 1001 }, (_, i) => ({ op: 'subscribe', name: `s${i}`, subscribed: true }) as const),
  )
  await deliver(big)
  await b.until(/2 EXISTS\r\n/)
  expect(performance.now() - before).toBeLessThan(5000)
  await new Promise<void>((resolve) => {
    let tail = ''
    const look = (): void => {
      tail = (tail + a.taken()).slice(-1000)
      if (!/f3 OK.*\r\n[\s\S]*\* OK \[NOTIFICATIONOVERFLOW\].*\r\n/.test(tail)) return
      a.socket.off('data', look)
      resolve()
    }
    a.socket.on('data', look)
    a.socket.resume()
  })
  // As after NOTIFY NONE.
  a.taken()
  await deliver(big)
  expect(await unasked(a)).toBe('')
  expect(await a.command('NOOP')).toMatch(/^t\d+ OK/)
})
