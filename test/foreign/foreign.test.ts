/** Other people's clients against the whole gateway. Those that are not installed are skipped, and said so. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { expect, type TestContext, test } from 'vitest'
import { hostPort } from '../../src/config.ts'
import { folder, gatewayHere, type LoggedGateway } from '../support/gateway.ts'
import { eventually, inbox } from '../support/peers.ts'

const here = (name: string): string => new URL(name, import.meta.url).pathname

function needs(context: TestContext, program: string): void {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'pipe' })
  } catch {
    context.skip(`${program} is not installed here`)
  }
}

async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (out += chunk))
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${out}`)
  return out
}

const ports = ({ addresses }: LoggedGateway) => ({
  smtp: String(hostPort(addresses.smtp!).port),
  imap: String(hostPort(addresses.imap!).port),
})
const oneMail = (gateway: LoggedGateway): Promise<Buffer[]> =>
  eventually(async () => {
    const found = await inbox(gateway)
    return found.length > 0 && found
  })

test('Python smtplib and imaplib: STARTTLS, attachment, dot-stuffing, COPY, STORE, EXPUNGE, APPEND', async (context) => {
  needs(context, 'python3')
  const { smtp, imap } = ports(await gatewayHere())
  expect(await run('python3', [here('send_and_read.py'), smtp, imap])).toBe('ok\n')
})

test('curl: SMTP with STARTTLS, IMAP list, fetch and search', async (context) => {
  needs(context, 'curl')
  const gateway = await gatewayHere()
  const { smtp, imap } = ports(gateway)
  const mail = join(folder(), 'mail')
  writeFileSync(mail, 'From: x@example.org\r\nTo: alice@example.net\r\nSubject: curl\r\n\r\nHello\r\n')
  const curl = (...args: string[]) => run('curl', ['-sS', '-k', ...args])
  const to = ['--mail-from', 'x@example.org', '--mail-rcpt', 'alice@example.net', '-T', mail]
  await curl(`smtp://127.0.0.1:${smtp}/client.example.org`, '--ssl-reqd', ...to)
  await oneMail(gateway)
  const login = ['-u', 'alice@example.net:secret', '--ssl-reqd']
  expect(await curl(...login, `imap://127.0.0.1:${imap}/`)).toMatch(/LIST \([^)]*\) "\/" "?INBOX/)
  expect(await curl(...login, `imap://127.0.0.1:${imap}/INBOX;MAILINDEX=1`)).toMatch(/^Subject: curl\r$/m)
  expect(await curl(...login, `imap://127.0.0.1:${imap}/INBOX?SUBJECT%20curl`)).toMatch(/SEARCH 1/)
})

test('swaks: a transaction with TLS', async (context) => {
  needs(context, 'swaks')
  const gateway = await gatewayHere()
  const { smtp } = ports(gateway)
  const out = await run('swaks', [
    '--server',
    '127.0.0.1',
    '--port',
    smtp,
    '--tls',
    '--to',
    'alice@example.net',
    '--from',
    'x@example.org',
  ])
  expect(out).toMatch(/250 2\.6\.0 Queued as/)
  await oneMail(gateway)
})

test('mutt: opens the mailbox and shows the message', async (context) => {
  needs(context, 'mutt')
  const gateway = await gatewayHere()
  const { smtp, imap } = ports(gateway)
  await createTransport({
    host: '127.0.0.1',
    port: Number(smtp),
    tls: { rejectUnauthorized: false },
  }).sendMail({
    from: 'x@example.org',
    to: 'alice@example.net',
    subject: 'for mutt',
    text: 'Hello',
  })
  await oneMail(gateway)
  const home = folder()
  const saved = join(home, 'saved')
  writeFileSync(
    join(home, 'rc'),
    `set ssl_starttls=no ssl_force_tls=no imap_user=alice@example.net imap_pass=secret confirmappend=no delete=no\nset mbox_type=mbox\npush '<save-message>${saved}<enter><quit>'\n`,
  )
  await run('mutt', ['-n', '-F', join(home, 'rc'), '-f', `imap://127.0.0.1:${imap}/INBOX`])
  expect(readFileSync(saved, 'utf8')).toMatch(/^Subject: for mutt$/m)
})

test('mbsync: fetches a mailbox into a Maildir, once', async (context) => {
  needs(context, 'mbsync')
  const gateway = await gatewayHere()
  const { smtp, imap } = ports(gateway)
  await createTransport({
    host: '127.0.0.1',
    port: Number(smtp),
    tls: { rejectUnauthorized: false },
  }).sendMail({
    from: 'x@example.org',
    to: 'alice@example.net',
    subject: 'for mbsync',
    text: 'Hello',
  })
  await oneMail(gateway)
  const home = folder()
  mkdirSync(join(home, 'mail'))
  const rc = join(home, 'rc')
  writeFileSync(
    rc,
    `IMAPAccount gw\nHost 127.0.0.1\nPort ${imap}\nUser alice@example.net\nPass secret\nTLSType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount gw\n\nMaildirStore near\nPath ${home}/mail/\nInbox ${home}/mail/INBOX\n\nChannel c\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n`,
  )
  for (let i = 0; i < 2; i++) await run('mbsync', ['-c', rc, 'c'])
  const files = ['new', 'cur'].flatMap((name) => readdirSync(join(home, 'mail', 'INBOX', name)))
  expect(files).toHaveLength(1)
})
