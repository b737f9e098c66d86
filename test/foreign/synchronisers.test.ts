/** offlineimap, fetchmail, imapfilter and neomutt against the whole gateway. What is not installed is skipped, and said so. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folder, gatewayHere, type LoggedGateway } from '../support/gateway.ts'
import { ImapClient } from '../support/imap-client.ts'
import { listening, mail, needs, password, portsOf, run, user } from './clients.ts'

async function filled(
  gateway: LoggedGateway,
  mailbox: string,
  from: number,
  to: number,
): Promise<ImapClient> {
  const client = await ImapClient.connect(portsOf(gateway).imap)
  await client.command(`LOGIN ${user} ${password}`)
  if (mailbox !== 'INBOX') await client.command(`CREATE ${mailbox}`)
  for (let i = from; i <= to; i++) {
    const flags = i % 3 === 0 ? ' (\\Seen)' : ''
    await client.command(`APPEND ${mailbox}${flags} {${mail(i).length}+}\r\n${mail(i)}`)
  }
  return client
}

/** Numbers of the messages and their flags, as `3 \Seen`. */
async function far(client: ImapClient, mailbox: string): Promise<string[]> {
  await client.command(`SELECT ${mailbox}`)
  const { untagged } = await client.command('UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
  return untagged
    .map(({ raw }) => raw)
    .filter((raw) => raw.includes(' FETCH '))
    .map((raw) => {
      const flags = /FLAGS \(([^)]*)\)/.exec(raw)?.[1] ?? ''
      const kept = flags.split(' ').filter((flag) => flag !== '' && flag !== '\\Recent')
      return `${/number (\d+)/.exec(raw)?.[1]} ${kept.sort().join(' ')}`.trim()
    })
    .sort()
}

const letters: Record<string, string> = {
  S: '\\Seen',
  F: '\\Flagged',
  R: '\\Answered',
  T: '\\Deleted',
  D: '\\Draft',
}

function near(maildir: string): string[] {
  return ['new', 'cur']
    .flatMap((name) => readdirSync(join(maildir, name)).map((file) => join(maildir, name, file)))
    .map((file) => {
      const flags = [...(/:2,(\w*)$/.exec(file)?.[1] ?? '')].map((letter) => letters[letter]).sort()
      return `${/^Subject: number (\d+)/m.exec(readFileSync(file, 'latin1'))?.[1]} ${flags.join(' ')}`.trim()
    })
    .sort()
}

const clean = (gateway: LoggedGateway) =>
  expect(gateway.logged.filter(({ level }) => level !== 'info')).toEqual([])

test('offlineimap: two mailboxes and changes on both sides, compressed: no difference', {
  timeout: 60_000,
}, async (context) => {
  needs(context, 'offlineimap')
  const gateway = await gatewayHere({ listen: listening })
  const home = folder()
  const client = await filled(gateway, 'INBOX', 1, 40)
  ;(await filled(gateway, 'Lists/One', 41, 60)).end()
  const rc = join(home, 'rc')
  writeFileSync(
    rc,
    `[general]
accounts = a
metadata = ${home}/meta
[Account a]
localrepository = l
remoterepository = r
[Repository l]
type = Maildir
localfolders = ${home}/mail
sync_deletes = yes
[Repository r]
type = IMAP
remotehost = 127.0.0.1
remoteport = ${portsOf(gateway).imap}
remoteuser = ${user}
remotepass = ${password}
ssl = no
starttls = no
auth_mechanisms = PLAIN
maxconnections = 2
usecompression = yes
expunge = yes
sync_deletes = yes
`,
  )
  const sync = () => run('offlineimap', ['-c', rc, '-o', '-u', 'basic'], { timeoutMs: 40_000 })
  await sync()
  const inbox = join(home, 'mail', 'INBOX')
  expect(near(inbox)).toHaveLength(40)
  expect(near(inbox)).toEqual(await far(client, 'INBOX'))
  expect(near(join(home, 'mail', 'Lists.One'))).toEqual(await far(client, 'Lists/One'))
  // Here: a flag, a deletion, a new message; there: flags, an expunge, a new message.
  const sub = readdirSync(join(inbox, 'cur')).length > 0 ? 'cur' : 'new'
  const [first = '', second = ''] = readdirSync(join(inbox, sub)).map((name) => join(inbox, sub, name))
  renameSync(
    first,
    first.replace(/(:2,)?(\w*)$/, (_, mark, flags) => (mark ? `:2,F${flags}` : `${flags}:2,F`)),
  )
  rmSync(second)
  writeFileSync(join(inbox, 'new', '1.here'), mail(70).replaceAll('\r\n', '\n'))
  await client.command('SELECT INBOX')
  await client.command('UID STORE 10:14 +FLAGS (\\Answered)')
  await client.command('UID STORE 20:24 +FLAGS (\\Deleted)')
  await client.command('EXPUNGE')
  await client.command(`APPEND INBOX {${mail(71).length}+}\r\n${mail(71)}`)
  await sync()
  const after = await far(client, 'INBOX')
  expect(near(inbox)).toEqual(after)
  expect(after.some((line) => line.startsWith('70'))).toBe(true)
  await sync()
  expect(await far(client, 'INBOX')).toEqual(after)
  client.end()
  clean(gateway)
})

test('fetchmail: fetches all and keeps it, marks it as seen, fetches nothing twice', async (context) => {
  needs(context, 'fetchmail')
  const gateway = await gatewayHere({ listen: listening })
  const home = folder()
  const client = await filled(gateway, 'INBOX', 1, 20)
  const rc = join(home, 'rc')
  const script = (options: string) =>
    writeFileSync(
      rc,
      `poll 127.0.0.1 protocol imap port ${portsOf(gateway).imap} auth password: user "${user}" password "${password}" is root here, keep, mda "cat >> ${home}/mbox", options sslproto "" ${options}\n`,
      { mode: 0o600 },
    )
  const fetch = (code: number) =>
    run('fetchmail', ['-f', rc, '--pidfile', join(home, 'pid'), '--invisible', '-v'], {
      env: { HOME: home },
      code,
    })
  script('fetchall')
  expect(await fetch(0)).not.toMatch(/IMAP< A\d+ (NO|BAD)/)
  const subjects = () => readFileSync(join(home, 'mbox'), 'latin1').match(/^Subject: number \d+/gm)?.length
  expect(subjects()).toBe(20)
  expect((await far(client, 'INBOX')).every((line) => line.endsWith('\\Seen'))).toBe(true)
  await client.command(`APPEND INBOX {${mail(21).length}+}\r\n${mail(21)}`)
  script('')
  await fetch(0)
  expect(subjects()).toBe(21)
  // 1: there was no mail.
  await fetch(1)
  expect(subjects()).toBe(21)
  client.end()
  clean(gateway)
})

test('imapfilter: searches, flags, copies and moves to mailboxes that it makes, deletes', async (context) => {
  needs(context, 'imapfilter')
  const gateway = await gatewayHere({ listen: listening })
  const home = folder()
  const client = await filled(gateway, 'INBOX', 1, 30)
  const script = join(home, 'rules.lua')
  writeFileSync(
    script,
    `options.create = true
options.subscribe = true
options.starttls = false
account = IMAP { server = '127.0.0.1', port = ${portsOf(gateway).imap}, username = '${user}', password = '${password}' }
tens = account.INBOX:contain_subject('number 1')
tens:add_flags({ '\\\\Flagged', 'work' })
account.INBOX:is_flagged():copy_messages(account['Kopie & Ümläut'])
account.INBOX:contain_subject('number 2'):move_messages(account['Moved/There'])
account.INBOX:match_subject('number 3$'):delete_messages()
print('left', #account.INBOX:select_all(), #account.INBOX:is_unseen())
`,
  )
  const said = await run('imapfilter', ['-c', script, '-v'], { env: { HOME: home } })
  expect(said).not.toMatch(/^S \(\d+\): \w+ (NO|BAD)(?! \[TRYCREATE\])/m)
  // 30 less those with a 2 first (2, 20 to 29), less number 3.
  expect(said).toMatch(/left\s+18\s+/)
  expect(await far(client, 'Moved/There')).toHaveLength(11)
  const copies = await far(client, '"Kopie &- &ANw-ml&AOQ-ut"')
  expect(copies).toHaveLength(11)
  for (const line of copies) expect(line).toContain('\\Flagged')
  const { untagged } = await client.command('LSUB "" "*"')
  expect(untagged.map(({ raw }) => raw).join('\n')).toContain('Moved/There')
  client.end()
  clean(gateway)
})

test('neomutt: headers once, then QRESYNC from its cache, compressed', {
  timeout: 60_000,
}, async (context) => {
  needs(context, 'neomutt', 'script')
  const gateway = await gatewayHere({ listen: listening })
  const home = folder()
  mkdirSync(join(home, 'cache'))
  const client = await filled(gateway, 'INBOX', 1, 30)
  const open = async (name: string, keys: string): Promise<string> => {
    const rc = join(home, 'rc')
    writeFileSync(
      rc,
      `set imap_user="${user}" imap_pass="${password}" header_cache="${home}/cache" folder="${home}"
set ssl_starttls=no ssl_force_tls=no imap_condstore=yes imap_qresync=yes imap_deflate=yes imap_check_subscribed=no
set sleep_time=0 confirmappend=no confirmcreate=no move=no mark_old=no sort=mailbox-order mbox_type=mbox wait_key=no beep=no
push '${keys}'
`,
    )
    const url = `imap://127.0.0.1:${portsOf(gateway).imap}/INBOX`
    const log = join(home, name)
    await run(
      'script',
      ['-qec', `stty rows 50 cols 120; exec neomutt -n -d 5 -l ${log} -F ${rc} -f ${url}`, '/dev/null'],
      { env: { HOME: home }, timeoutMs: 25_000 },
    )
    return readFileSync(existsSync(log) ? log : `${log}0`, 'latin1')
  }
  const first = await open('first', '<quit>')
  expect(first).toMatch(/> a\d+ FETCH 1:30 \(UID FLAGS/)
  await client.command('SELECT INBOX')
  await client.command('UID STORE 3 +FLAGS (\\Flagged)')
  await client.command('UID STORE 10:12 +FLAGS (\\Deleted)')
  await client.command('EXPUNGE')
  await client.command(`APPEND INBOX {${mail(31).length}+}\r\n${mail(31)}`)
  const saved = join(home, 'saved')
  const all = `<tag-pattern>~A<enter><tag-prefix><copy-message>${saved}<enter>`
  const flagged = `<untag-pattern>~A<enter><tag-pattern>~F<enter><tag-prefix><copy-message>${saved}-flagged<enter>`
  const again = await open('again', `${all}${flagged}<quit>`)
  expect(again).toMatch(/CHANGEDSINCE \d+ VANISHED/)
  expect(again).not.toMatch(/< a\d+ (NO|BAD)/)
  const subjects = (file: string) =>
    [...readFileSync(file, 'latin1').matchAll(/^Subject: (.*)$/gm)].map((match) => match[1])
  const left = Array.from({ length: 31 }, (_, i) => i + 1).filter((i) => i < 10 || i > 12)
  expect(subjects(saved)).toEqual(left.map((i) => `number ${i}`))
  expect(subjects(`${saved}-flagged`)).toEqual(['number 3'])
  client.end()
  clean(gateway)
})
