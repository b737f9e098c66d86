/** interimap keeps two IMAP accounts alike by QRESYNC and nothing else: both of them are ours. Skipped where it is absent. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { atEnd } from '../support/at-end.ts'
import { folder, gatewayHere } from '../support/gateway.ts'
import { ImapClient } from '../support/imap-client.ts'
import { chance } from '../support/law.ts'
import { eventually } from '../support/peers.ts'
import { listening, mail, needs, password, portsOf, run, user } from './clients.ts'

const other = 'bob@example.net'
const rounds = 4

/** Numbers of the messages with their flags; those of one mailbox on one side. */
async function state(client: ImapClient, mailbox: string): Promise<string[]> {
  await client.command(`EXAMINE ${mailbox}`)
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

async function twoAccounts() {
  const gateway = await gatewayHere({
    listen: listening,
    accounts: [
      { address: user, password },
      { address: other, password },
    ],
  })
  const { imap } = portsOf(gateway)
  const home = folder()
  const config = join(home, 'interimap.conf')
  for (const name of ['config', 'data'])
    mkdirSync(join(home, name, 'interimap'), { recursive: true, mode: 0o700 })
  const side = (name: string, username: string) =>
    `[${name}]\ntype = imap\nhost = 127.0.0.1\nport = ${imap}\nusername = ${username}\npassword = ${password}\nSTARTTLS = NO\nauth = PLAIN\ncompress = YES\n`
  writeFileSync(config, `list-mailbox = "*"\n${side('local', user)}${side('remote', other)}`, { mode: 0o600 })
  const clients = await Promise.all(
    [user, other].map(async (name) => {
      const client = await ImapClient.connect(imap)
      await client.command(`LOGIN ${name} ${password}`)
      return client
    }),
  )
  return {
    gateway,
    clients,
    args: [`--config=${config}`],
    env: { HOME: home, XDG_CONFIG_HOME: join(home, 'config'), XDG_DATA_HOME: join(home, 'data') },
  }
}

test('random changes in two mailboxes on both sides, several rounds: no difference', {
  timeout: 90_000,
}, async (context) => {
  needs(context, 'interimap')
  const { gateway, clients, args, env } = await twoAccounts()
  const synchronise = () => run('interimap', args, { env, timeoutMs: 30_000 })
  const seed = Date.now() % 1_000_007
  const next = chance(seed)
  let number = 0
  const boxes = ['INBOX', 'Lists/One']
  for (const client of clients) await client.command('CREATE Lists/One')
  for (let round = 0; round < rounds; round += 1) {
    for (const client of clients)
      for (const box of boxes) {
        for (let i = next(15) + (round === 0 ? 30 : 0); i > 0; i -= 1) {
          const octets = mail(++number)
          await client.command(`APPEND ${box} (${next(2) ? '\\Seen' : ''}) {${octets.length}+}\r\n${octets}`)
        }
        await client.command(`SELECT ${box}`)
        const { untagged } = await client.command('UID SEARCH RETURN (MAX) ALL')
        const last = Number(/MAX (\d+)/.exec(untagged.map(({ raw }) => raw).join())?.[1] ?? 1)
        const some = () => `${1 + next(last)}:${1 + next(last)}`
        for (const flag of ['\\Flagged', '\\Answered', '$Work'])
          await client.command(`UID STORE ${some()} ${next(2) ? '+' : '-'}FLAGS.SILENT (${flag})`)
        for (let i = next(4); i > 0; i -= 1)
          await client.command(`UID STORE ${1 + next(last)} +FLAGS.SILENT (\\Deleted)`)
        await client.command('EXPUNGE')
      }
    await synchronise()
    // What was changed on both sides meanwhile is settled by the next one at the latest.
    await synchronise()
    for (const box of boxes) {
      const [ours, theirs] = [await state(clients[0]!, box), await state(clients[1]!, box)]
      expect(ours.length).toBeGreaterThan(10)
      expect(theirs, `seed ${seed}, round ${round}, ${box}`).toEqual(ours)
    }
  }
  for (const client of clients) client.end()
  expect(gateway.logged.filter(({ level }) => level !== 'info')).toEqual([])
})

test('with NOTIFY it learns at once what comes, changes and goes in any mailbox', {
  timeout: 60_000,
}, async (context) => {
  needs(context, 'interimap')
  const { gateway, clients, args, env } = await twoAccounts()
  const [ours, theirs] = clients
  if (!ours || !theirs) throw new Error('two are expected')
  await ours.command('CREATE Lists/One')
  await run('interimap', args, { env, timeoutMs: 30_000 })
  const child = spawn('interimap', [...args, '--watch=3600', '--notify', '--debug'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  atEnd(() => child.kill('SIGKILL'))
  await eventually(
    async () => (said.match(/NOTIFY SET/g)?.length ?? 0) >= 2 && /OK NOTIFY completed/.test(said),
  )
  const both = async (box: string, wanted: readonly string[]) => {
    for (const client of clients)
      await eventually(async () => JSON.stringify(await state(client, box)) === JSON.stringify(wanted))
  }
  const append = (client: ImapClient, box: string, i: number) =>
    client.command(`APPEND ${box} {${mail(i).length}+}\r\n${mail(i)}`)
  await append(ours, 'INBOX', 1)
  await both('INBOX', ['1'])
  await append(theirs, 'Lists/One', 2)
  await both('Lists/One', ['2'])
  await theirs.command('SELECT INBOX')
  await theirs.command('STORE 1 +FLAGS (\\Flagged)')
  await both('INBOX', ['1 \\Flagged'])
  await ours.command('SELECT INBOX')
  await ours.command('STORE 1 +FLAGS (\\Deleted)')
  await ours.command('EXPUNGE')
  await both('INBOX', [])
  for (const client of clients) client.end()
  expect(gateway.logged.filter(({ level }) => level !== 'info')).toEqual([])
})
