/** What a careful reader of the server tried against it: faults in mid-response, clients that vanish, races of sessions. */
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Mailboxes } from '../../src/imap/view/mailboxes.ts'
import { Fault } from '../../src/model/fault.ts'
import type { AccountView, MailStore } from '../../src/store/store.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, rawImap } from '../support/raw-imap.ts'

const alice = 'alice@example.net'
let server: TestImap
/** Watches of the store that were begun and not yet ended. */
let watches = 0

beforeAll(async () => {
  server = await startImap({ limits: { maxPerUser: 3000, maxPerIp: 3000, maxConnections: 3000 } })
  const store = server.store as { watch: MailStore['watch'] }
  const watch = store.watch.bind(server.store)
  store.watch = (account, onChange) => {
    const stop = watch(account, onChange)
    watches += 1
    return () => {
      watches -= 1
      stop()
    }
  }
})
afterAll(() => server.close())

const soon = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 200 && !(await holds()); i++) await new Promise((resolve) => setTimeout(resolve, 20))
}
const big = (octets: number): Buffer =>
  Buffer.concat([Buffer.from('Subject: big\r\n\r\n'), Buffer.alloc(octets, 'x')])

test('FE-27, SC-37: octets that cannot be read in the middle of a literal cut the connection, and nothing is padded', async () => {
  const damaged = await startImap()
  try {
    await damaged.deliver(alice, 'Damaged', big(1_000_000))
    const imap = await loggedIn(damaged.port)
    await imap.command('EXAMINE Damaged')
    const segments = readdirSync(damaged.folder, { recursive: true, encoding: 'utf8' }).filter((f) =>
      f.endsWith('.lmr'),
    )
    const file = join(damaged.folder, segments[0]!)
    truncateSync(file, statSync(file).size - 300_000)
    imap.send('f FETCH 1 (UID BODY.PEEK[])\r\nn NOOP\r\n')
    const all = await imap.closed()
    expect(all).toMatch(/^\* 1 FETCH \(UID 1 BODY\[\] \{1000016\}\r\nSubject: big/)
    expect(all).not.toMatch(/[fn] (OK|NO|BAD)/)
    expect(all.length).toBeLessThan(1_000_000)
    expect(damaged.logged.join()).toContain('a command failed')
  } finally {
    await damaged.close()
  }
})

test('SY-11: the end of the server is no piece of a literal', async () => {
  const ending = await startImap()
  await ending.deliver(alice, 'Big', big(30_000_000))
  const imap = await loggedIn(ending.port)
  await imap.command('EXAMINE Big')
  imap.send('f FETCH 1 (BODY.PEEK[])\r\n')
  await imap.until(/\{30000016\}\r\n/)
  imap.socket.pause()
  await new Promise((resolve) => setTimeout(resolve, 100))
  const closed = ending.close()
  imap.socket.resume()
  expect(await imap.closed()).not.toContain('BYE')
  await closed
})

test('MD-08: names of annotations are told as strings where they are no atoms', async () => {
  const imap = await loggedIn(server.port)
  for (const name of [
    '/private/a b',
    '/private/q"t',
    '/private/p(q)',
    '/private/{3}',
    '/private/back\\slash',
  ])
    expect(await imap.command(`SETMETADATA "" ("${name.replace(/["\\]/g, '\\$&')}" "v")`)).toContain('OK')
  expect(await imap.command('GETMETADATA "" "/private/a b"')).toContain(
    '* METADATA "" ("/private/a b" "v")\r\n',
  )
  expect(await imap.command('GETMETADATA "" "/private/q\\"t"')).toContain('("/private/q\\"t" "v")')
  expect(await imap.command('GETMETADATA (DEPTH infinity) "" /private')).toContain('"/private/p(q)" "v"')
  expect(await imap.command('GETMETADATA "" "/private/{3}"')).toContain('("/private/{3}" "v")')
  imap.end()
})

test('LT-02, LT-03: a literal larger than what is read ahead, sent behind a command that runs, stops nothing', async () => {
  const imap = await loggedIn(server.port)
  for (let i = 0; i < 200; i++)
    await server.deliver(alice, 'Ahead', `Subject: ${i}\n\n${'text '.repeat(2000)}\n`)
  await imap.command('SELECT Ahead')
  const literal = (octets: number) => [
    Buffer.from(`{${octets}+}\r\n`),
    Buffer.alloc(octets, 'x'),
    Buffer.from('\r\n'),
  ]
  imap.send('s SEARCH BODY absent\r\n')
  imap.send(Buffer.concat([Buffer.from('a STATUS '), ...literal(3_000_000), Buffer.from('b NOOP\r\n')]))
  expect(await imap.until(/b OK.*\r\n/)).toMatch(/s OK.*\r\na NO \[TOOBIG\]/)
  imap.send('s SEARCH BODY absent\r\n')
  imap.send(Buffer.concat([Buffer.from('a APPEND Ahead '), ...literal(3_000_000), Buffer.from('b NOOP\r\n')]))
  expect(await imap.until(/b OK.*\r\n/)).toContain('a OK')
  imap.end()
})

test('ST-20: clients that go while their password is looked at count for nothing', async () => {
  const small = await startImap({ limits: { maxPerUser: 3 } })
  try {
    for (let i = 0; i < 12; i++) {
      const imap = await rawImap(small.port)
      imap.send(`a LOGIN ${alice} secret\r\n`)
      await new Promise((resolve) => setTimeout(resolve, i % 4))
      imap.end()
    }
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const imap = await rawImap(small.port)
    expect(await imap.command(`LOGIN ${alice} secret`)).toContain('OK')
    imap.end()
  } finally {
    await small.close()
  }
})

test('a mailbox that is opened while the last session leaves the account hears of its changes', async () => {
  const account = (await server.directory.find(alice))!.id
  await server.deliver(alice, 'Left', 'Subject: l\n\nl\n')
  await server.deliver(alice, 'Opened', 'Subject: o\n\no\n')
  const id = async (name: string) => (await server.store.read(account, (view) => view.mailbox(name)))!.id
  const mailboxes = new Mailboxes(server.store)
  const left = (await mailboxes.open(account, await id('Left')))!
  const opening = mailboxes.open(account, await id('Opened'))
  mailboxes.close(left)
  const opened = (await opening)!
  await server.deliver(alice, 'Opened', 'Subject: p\n\np\n')
  expect(opened.dirty).toBe(true)
  await opened.refresh()
  expect(opened.uids.length).toBe(2)
  mailboxes.close(opened)
})

/** The store as it is, but with a fault in one of its answers. */
const failing = (name: keyof AccountView) => {
  const store = server.store as { read: MailStore['read'] }
  const read = store.read
  store.read = (account, fn) =>
    read.call(server.store, account, (view) =>
      fn(
        new Proxy(view, {
          get: (target, key) =>
            key === name
              ? () => Promise.reject(new Fault('unavailable', 'the disk is gone'))
              : Reflect.get(target, key)?.bind?.(target),
        }),
      ),
    ) as never
  return () => {
    store.read = read
  }
}

test('SE-04: a SELECT that fails leaves nothing selected, and no watch', async () => {
  const imap = await loggedIn(server.port)
  await server.deliver(alice, 'Fails', 'Subject: l\n\nl\n')
  const before = watches
  for (const name of ['accessKey', 'mailboxById', 'gaps'] as const) {
    await imap.command('UNSELECT')
    const mend = failing(name)
    expect(await imap.command('SELECT Fails'), name).toContain('NO [UNAVAILABLE]')
    mend()
    expect(await imap.command('FETCH 1 UID')).toContain('BAD')
    expect(watches).toBe(before)
  }
  expect(await imap.command('SELECT Fails')).toContain('OK [READ-WRITE]')
  imap.end()
})

test('AP-01: what was done is answered OK although its news cannot be told, and they are told later', async () => {
  const imap = await loggedIn(server.port)
  await server.deliver(alice, 'Told', 'Subject: l\n\nl\n')
  await imap.command('SELECT Told')
  const mend = failing('changes')
  const message = 'Subject: x\r\n\r\nx'
  expect(await imap.command(`APPEND Told {${message.length}+}\r\n${message}`)).toContain('OK [APPENDUID')
  mend()
  expect(await imap.command('NOOP')).toContain('* 2 EXISTS')
  expect(await imap.command('UID FETCH 2 (UID)')).toContain('* 2 FETCH (UID 2)')
  imap.end()
})

test('SE-18: too many keywords are a limit and no quota', async () => {
  const imap = await loggedIn(server.port)
  await server.deliver(alice, 'Words', 'Subject: l\n\nl\n')
  await imap.command('SELECT Words')
  for (let i = 0; i < 16; i++) {
    const words = Array.from({ length: 256 }, (_, j) => `k${i * 256 + j}`)
    const told = await imap.command(`STORE 1 FLAGS.SILENT (${words.join(' ')})`)
    // As long as there is room, PERMANENTFLAGS says so (SE-06).
    expect(/PERMANENTFLAGS \(.*\\\*\)\]/.test(told)).toBe(i < 15)
  }
  expect(await imap.command(`STORE 1 FLAGS (${'x'.repeat(256)})`)).toContain('NO [LIMIT]')
  await imap.command('STORE 1 FLAGS ()')
  expect(await imap.command('STORE 1 +FLAGS (one-more)')).toContain('NO [LIMIT]')
  imap.end()
})

test('a removed account ends its sessions; one made anew under its name is not theirs', async () => {
  await server.directory.put('gone@example.net', 'secret')
  await server.deliver('gone@example.net', 'INBOX', 'Subject: l\n\nl\n')
  const idle = await loggedIn(server.port, 'gone@example.net')
  const busy = await loggedIn(server.port, 'gone@example.net')
  await idle.command('SELECT INBOX')
  idle.send('i IDLE\r\n')
  await server.directory.remove('gone@example.net')
  await server.directory.put('gone@example.net', 'secret')
  expect(await busy.command('CREATE New')).toMatch(/NO|BYE/)
  const again = await loggedIn(server.port, 'gone@example.net')
  expect(await again.command('LIST "" *')).not.toContain('New')
  const ended = Promise.all([idle.closed(), busy.closed()])
  expect((await ended).map((text) => text.includes('* BYE the account was removed'))).toEqual([true, true])
  again.end()
}, 20_000)

test('SC-39, SC-41: 2,000 sessions with IDLE, NOTIFY and live searches leave nothing behind, however they end', async () => {
  await server.deliver(alice, 'Many', 'Subject: l\n\nl\n')
  await soon(() => watches === 0)
  const parts = [
    'b SELECT Many\r\nc IDLE\r\n',
    'b SELECT Many\r\nc NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge MailboxName))\r\nd IDLE\r\n',
    'b SELECT Many\r\nc SEARCH RETURN (UPDATE) ALL\r\nd ENABLE METADATA\r\n',
    'b SELECT Many\r\nc UNAUTHENTICATE\r\n',
    'b SELECT Many\r\nc LOGOUT\r\n',
    'b EXAMINE Many\r\nc NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge MailboxName))\r\n',
  ]
  let most = 0
  for (let round = 0; round < 20; round++) {
    const sockets = Array.from({ length: 100 }, (_, i) => {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.resume()
      socket.write(`a LOGIN ${alice} secret\r\n${parts[i % parts.length]}`)
      return socket
    })
    await new Promise((resolve) => setTimeout(resolve, 5 + (round % 5) * 30))
    await server.deliver(alice, 'Many', 'Subject: n\n\nn\n')
    // The logins of a round wait for their key derivations; the last round ends only when somebody watches.
    if (round === 19) await soon(() => watches > 0)
    most = Math.max(most, watches)
    for (const socket of sockets) socket.destroy()
  }
  await soon(() => watches === 0)
  expect(most).toBeGreaterThan(0)
  expect(watches).toBe(0)
  const imap = await loggedIn(server.port)
  expect(await imap.command('SELECT Many')).toContain('* 21 EXISTS')
  imap.end()
}, 60_000)

test('CA-09, SC-35: URLs of one message make no more of it than a command may send', async () => {
  const small = await startImap({ limits: { messageOctets: 5_000_000 } })
  try {
    await small.deliver(alice, 'INBOX', big(4_000_000))
    const imap = await loggedIn(small.port)
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }, 1)
    const answer = await imap.command(`APPEND INBOX${' CATENATE (URL "/INBOX/;UID=1")'.repeat(300)}`)
    clearInterval(watch)
    expect(answer).toContain('NO [TOOBIG]')
    expect(most).toBeLessThan(100_000_000)
    expect(await imap.command('STATUS INBOX (MESSAGES)')).toContain('MESSAGES 1')
    imap.end()
  } finally {
    await small.close()
  }
})

test('SC-35, SC-40: items without end, criteria without end, patterns without end hold nobody up', async () => {
  const imap = await loggedIn(server.port)
  const other = await loggedIn(server.port)
  const account = (await server.directory.find(alice))!.id
  const operations = Array.from({ length: 200 }, (_, i) => ({
    op: 'create' as const,
    name: `${'a'.repeat(490)}${i}`,
  }))
  await server.store.write(account, operations)
  await imap.command('SELECT Ahead')
  const items = Array.from({ length: 300 }, (_, i) => `BINARY.PEEK[1]<${i}.9>`).join(' ')
  expect(await imap.command(`FETCH 1 (${items})`)).toContain('BAD')
  expect(await imap.command(`SEARCH${' NOT BODY xyz'.repeat(300)}`)).toContain('NO [LIMIT]')
  expect(await imap.command(`LIST "${'a'.repeat(900)}" "${'a'.repeat(900)}"`)).toContain('BAD')
  expect(await imap.command(`LSUB "" "${'*a'.repeat(900)}"`)).toContain('BAD')
  let slowest = 0
  const pattern = `"${'*a'.repeat(450)}"`
  const slow = [
    imap.command(`LIST "" (${Array.from({ length: 3 }, () => pattern).join(' ')})`),
    imap.command(`SEARCH${' NOT BODY xyz'.repeat(40)}`),
  ]
  let done = false
  void Promise.all(slow).then(() => {
    done = true
  })
  while (!done) {
    const at = performance.now()
    await other.command('NOOP')
    slowest = Math.max(slowest, performance.now() - at)
  }
  console.log(`slowest NOOP beside them: ${slowest.toFixed(0)} ms`)
  expect(slowest).toBeLessThan(4000)
  imap.end()
  other.end()
}, 60_000)

test('ST-17: a literal that comes slowly is no silence', async () => {
  let now = Date.now()
  const slow = await startImap({ now: () => now, limits: { idleMs: 1_800_000 } })
  try {
    const imap = await loggedIn(slow.port)
    imap.send('a APPEND INBOX {600+}\r\nSubject: s\r\n\r\n')
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      imap.send('x'.repeat(100))
      await new Promise((resolve) => setTimeout(resolve, 100))
      now += 1_700_000
      await new Promise((resolve) => setTimeout(resolve, 1100))
    }
    imap.send(`${'x'.repeat(286)}\r\n`)
    expect(await imap.until(/a (OK|NO|BAD).*\r\n/)).toContain('a OK')
    imap.end()
  } finally {
    await slow.close()
  }
})
