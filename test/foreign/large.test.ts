/** An account of 100,000 messages opens at once in other people's clients: what the server spends is counted. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ImapFlow } from 'imapflow'
import { beforeAll, expect, type TestContext, test } from 'vitest'
import { atEnd } from '../support/at-end.ts'
import { configFile, folder, type Served, serve, testConfig } from '../support/gateway.ts'
import { ImapClient } from '../support/imap-client.ts'
import { fillInbox } from '../support/large-mailbox.ts'
import { listening, mail, needs, password, portsOf, run, user } from './clients.ts'

const count = 100_000
let served: Served
let imap = 0

beforeAll(async () => {
  const store = folder()
  const file = configFile(testConfig({ listen: listening, store: `sqlite:${store}` }))
  const first = await serve(file)
  const client = await ImapClient.connect(portsOf({ addresses: first.ready }).imap)
  await client.command(`LOGIN ${user} ${password}`)
  await client.command(`APPEND INBOX {${mail(1).length}+}\r\n${mail(1)}`)
  client.end()
  await first.end()
  fillInbox(join(store, 'lemonade.sqlite'), user, count)
  served = await serve(file)
  imap = portsOf({ addresses: served.ready }).imap
}, 60_000)

/** Milliseconds of processor time of the server so far; the kernel counts in steps of 10. */
function spent(context: TestContext): number {
  try {
    const fields = readFileSync(`/proc/${served.child.pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return context.skip('no /proc here')
  }
}

async function cost(context: TestContext, work: () => Promise<unknown>): Promise<number> {
  const before = spent(context)
  await work()
  return spent(context) - before
}

/** Checking a password is slow on purpose, and has nothing to do with the size. */
const loginMs = 400

test('curl: EXAMINE, STATUS, the newest message', async (context) => {
  needs(context, 'curl')
  const curl = (path: string, ...args: string[]) =>
    run('curl', ['-sS', '-u', `${user}:${password}`, ...args, `imap://127.0.0.1:${imap}/${path}`])
  const ms = await cost(context, async () => {
    expect(await curl('INBOX', '-X', 'EXAMINE INBOX')).toMatch(/^\* 100000 EXISTS/m)
    expect(await curl('', '-X', 'STATUS INBOX (MESSAGES UNSEEN)')).toMatch(/MESSAGES 100000 UNSEEN 100[01]\)/)
    expect(await curl(`INBOX;MAILINDEX=${count};SECTION=HEADER.FIELDS%20(SUBJECT)`)).toMatch(/number 1/)
  })
  expect(ms).toBeLessThan(3 * loginMs)
})

test('imapflow: mailboxes with their status, SELECT, the newest 50', async (context) => {
  const flow = new ImapFlow({
    host: '127.0.0.1',
    port: imap,
    secure: false,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: false },
    logger: false,
    disableAutoIdle: true,
  })
  atEnd(() => flow.close())
  const ms = await cost(context, async () => {
    await flow.connect()
    const [inbox] = await flow.list({ statusQuery: { messages: true, unseen: true } })
    expect(inbox?.status).toMatchObject({ messages: count })
    expect(await flow.mailboxOpen('INBOX')).toMatchObject({ exists: count })
    const newest = await flow.fetchAll(`${count - 49}:*`, {
      envelope: true,
      flags: true,
      bodyStructure: true,
    })
    expect(newest).toHaveLength(50)
  })
  expect(ms).toBeLessThan(2 * loginMs)
})

test('Python imaplib: select, unseen, the newest 50', async (context) => {
  needs(context, 'python3')
  const script = `
import imaplib
box = imaplib.IMAP4('127.0.0.1', ${imap})
box.login('${user}', '${password}')
assert box.select('INBOX')[1] == [b'${count}']
assert len(box.fetch('${count - 49}:${count}', '(UID FLAGS ENVELOPE)')[1]) == 50
assert len(box.search(None, 'UNSEEN')[1][0].split()) in (1000, 1001)
box.logout()
`
  expect(await cost(context, () => run('python3', ['-c', script]))).toBeLessThan(2 * loginMs)
})

test('mutt: all headers once, then from its cache', { timeout: 90_000 }, async (context) => {
  needs(context, 'mutt', 'script')
  const home = folder()
  mkdirSync(join(home, 'cache'))
  const rc = join(home, 'rc')
  writeFileSync(
    rc,
    `set imap_user=${user} imap_pass=${password} header_cache=${home}/cache imap_condstore=yes imap_qresync=yes
set ssl_starttls=no ssl_force_tls=no read_inc=0 net_inc=0 sort=mailbox-order sleep_time=0 folder=${home} confirmcreate=no move=no beep=no
push '<quit>'
`,
  )
  const open = () =>
    run('script', ['-qec', `mutt -n -F ${rc} -f imap://localhost:${imap}/INBOX`, '/dev/null'], {
      env: { HOME: home },
      timeoutMs: 60_000,
    })
  // One message's headers cost the server less than 0.2 ms.
  expect(await cost(context, open)).toBeLessThan(count * 0.2)
  // Nothing has changed: the size of the mailbox costs nothing.
  expect(await cost(context, open)).toBeLessThan(2 * loginMs)
})

test('mbsync: the newest of a large mailbox', { timeout: 60_000 }, async (context) => {
  needs(context, 'mbsync')
  const home = folder()
  mkdirSync(join(home, 'mail'))
  const rc = join(home, 'rc')
  const keyword = /\d+\.\d+/.exec(await run('mbsync', ['--version']))?.[0] === '1.4' ? 'SSLType' : 'TLSType'
  writeFileSync(
    rc,
    `IMAPStore far\nHost localhost\nPort ${imap}\nUser ${user}\nPass ${password}\n${keyword} None\nAuthMechs LOGIN\n
MaildirStore near\nPath ${home}/mail/\nInbox ${home}/mail/INBOX\n
Channel c\nFar :far:\nNear :near:\nCreate Near\nMaxMessages 100\nExpireUnread yes\nSyncState *\n`,
  )
  await run('mbsync', ['-c', rc, 'c'], { timeoutMs: 50_000 })
  const files = ['new', 'cur'].flatMap((name) => readdirSync(join(home, 'mail', 'INBOX', name)))
  expect(files.length).toBeGreaterThanOrEqual(100)
})
