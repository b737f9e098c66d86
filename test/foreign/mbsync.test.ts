/** mbsync (isync): a Maildir and a mailbox are kept equal while both change. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folder, gatewayHere, type LoggedGateway } from '../support/gateway.ts'
import { ImapClient } from '../support/imap-client.ts'
import type { Response } from '../support/imap-values.ts'
import { seeded } from '../support/random.ts'
import { certificateOf, listening, mail, needs, password, portsOf, run, user } from './clients.ts'

const count = 2000

/** Versions before 1.5 know `SSLType`. */
async function configFor(
  gateway: LoggedGateway,
  home: string,
  tls: 'None' | 'STARTTLS' | 'IMAPS',
): Promise<string> {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(await run('mbsync', ['--version'])) ?? []
  const keyword = Number(major) > 1 || Number(minor) >= 5 ? 'TLSType' : 'SSLType'
  const { imap, imaps } = portsOf(gateway)
  const certificate = await certificateOf(gateway)
  const rc = join(home, `rc-${tls}`)
  writeFileSync(
    rc,
    `IMAPAccount gw
Host localhost
Port ${tls === 'IMAPS' ? imaps : imap}
User ${user}
Pass ${password}
${keyword} ${tls}
${tls === 'None' ? 'AuthMechs LOGIN' : `CertificateFile ${certificate}`}

IMAPStore far
Account gw

MaildirStore near
Path ${home}/mail/
Inbox ${home}/mail/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns INBOX "Kept *"
Create Both
Expunge Both
SyncState *
`,
  )
  return rc
}

/** Flags and octets by Message-ID. mbsync marks what it carries with X-TUID, and a Maildir has bare LF. */
type Contents = Map<string, string>
const told = (octets: string, flags: readonly string[]): [string, string] => {
  const text = octets.replace(/\r\n/g, '\n').replace(/^X-TUID: .*\n/m, '')
  const id = /^Message-ID: (.*)$/m.exec(text)?.[1] ?? ''
  return [id, `${flags.toSorted().join('')} ${createHash('sha256').update(text, 'latin1').digest('hex')}`]
}
const letters: Readonly<Record<string, string>> = {
  '\\Seen': 'S',
  '\\Flagged': 'F',
  '\\Answered': 'R',
  '\\Draft': 'D',
  '\\Deleted': 'T',
}

interface NearFile {
  readonly dir: string
  readonly name: string
}
function nearFiles(box: string): NearFile[] {
  return ['new', 'cur'].flatMap((sub) =>
    readdirSync(join(box, sub)).map((name) => ({ dir: join(box, sub), name })),
  )
}
function near(box: string): Contents {
  const all: Contents = new Map()
  for (const { dir, name } of nearFiles(box)) {
    const [id, value] = told(readFileSync(join(dir, name), 'latin1'), [...(/:2,(.*)$/.exec(name)?.[1] ?? '')])
    if (all.has(id)) throw new Error(`${id} is twice in the Maildir`)
    all.set(id, value)
  }
  return all
}
async function far(client: ImapClient, name: string): Promise<Contents> {
  const all: Contents = new Map()
  await client.command(`EXAMINE "${name}"`)
  const { untagged, tagged } = await client.command('UID FETCH 1:* (FLAGS BODY.PEEK[])')
  if (tagged.status !== 'OK') throw new Error('FETCH failed')
  for (const response of untagged) {
    const { flags, octets } = fetched(response)
    if (octets === undefined) continue
    const [id, value] = told(
      octets,
      flags.flatMap((flag) => letters[flag] ?? []),
    )
    if (all.has(id)) throw new Error(`${id} is twice in the mailbox`)
    all.set(id, value)
  }
  return all
}

function fetched({ values }: Response): { flags: string[]; octets: string | undefined } {
  const items = values[2]?.kind === 'list' ? values[2].items : []
  const flags: string[] = []
  let octets: string | undefined
  for (let i = 0; i < items.length; i += 2) {
    const [name, value] = [items[i], items[i + 1]]
    if (name?.kind !== 'atom') continue
    if (name.text === 'FLAGS' && value?.kind === 'list')
      flags.push(...value.items.flatMap((item) => (item.kind === 'atom' ? item.text : [])))
    if (name.text === 'BODY[]' && value?.kind === 'string') octets = value.text
  }
  return { flags, octets }
}

async function append(
  client: ImapClient,
  box: string,
  numbers: readonly number[],
  flags = '',
): Promise<void> {
  for (let i = 0; i < numbers.length; i += 100) {
    const literals = numbers.slice(i, i + 100).map((n) => ` (${flags}) {${mail(n).length}+}\r\n${mail(n)}`)
    const { tagged } = await client.command(`APPEND "${box}"${literals.join('')}`)
    expect(tagged.status).toBe('OK')
  }
}

test('2,000 messages and random changes on both sides, several rounds: no difference', {
  timeout: 60_000,
}, async (context) => {
  needs(context, 'mbsync')
  const gateway = await gatewayHere({ listen: listening })
  const home = folder()
  mkdirSync(join(home, 'mail'))
  const box = join(home, 'mail', 'INBOX')
  const client = await ImapClient.connect(portsOf(gateway).imap)
  await client.command(`LOGIN ${user} ${password}`)
  let next = 0
  const fresh = (n: number): number[] => Array.from({ length: n }, () => ++next)
  await append(client, 'INBOX', fresh(count))
  const rc = {
    None: await configFor(gateway, home, 'None'),
    STARTTLS: await configFor(gateway, home, 'STARTTLS'),
    IMAPS: await configFor(gateway, home, 'IMAPS'),
  }
  const sync = async (tls: keyof typeof rc): Promise<void> => {
    const out = await run('mbsync', ['-c', rc[tls], 'c'], { timeoutMs: 30_000 })
    expect(out).not.toMatch(/error|warning: /i)
  }
  const equal = async (): Promise<number> => {
    const [here, there] = [near(box), await far(client, 'INBOX')]
    const different = [...new Set([...here.keys(), ...there.keys()])].filter(
      (id) => here.get(id) !== there.get(id),
    )
    expect(different.map((id) => [id, here.get(id), there.get(id)])).toEqual([])
    return here.size
  }
  await sync('None')
  expect(await equal()).toBe(count)

  const random = seeded(7)
  const ways = ['STARTTLS', 'IMAPS', 'None', 'STARTTLS'] as const
  for (const tls of ways) {
    // Near: flags by name, files that go, files that come.
    for (const { dir, name } of nearFiles(box)) {
      const at = random()
      const [base, flags = ''] = name.split(':2,')
      if (at < 0.03) rmSync(join(dir, name))
      else if (at < 0.1) {
        const letter = 'FRST'[Math.floor(random() * 4)] ?? 'S'
        const changed = flags.includes(letter)
          ? flags.replace(letter, '')
          : [...flags, letter].toSorted().join('')
        renameSync(join(dir, name), join(box, 'cur', `${base}:2,${changed}`))
      }
    }
    for (const n of fresh(20)) writeFileSync(join(box, 'new', `${n}.here`), mail(n).replaceAll('\r\n', '\n'))
    // Far: the same by commands, while the numbers move.
    await client.command('SELECT INBOX')
    const uids = (await client.command('UID SEARCH ALL')).untagged[0]?.values.slice(1) ?? []
    const some = (part: number): string =>
      uids.flatMap((uid) => (uid.kind === 'atom' && random() < part ? uid.text : [])).join(',') || '1'
    for (const flag of ['\\Seen', '\\Flagged', '\\Answered', '\\Draft', 'work']) {
      await client.command(`UID STORE ${some(0.03)} +FLAGS.SILENT (${flag})`)
      await client.command(`UID STORE ${some(0.03)} -FLAGS.SILENT (${flag})`)
    }
    const gone = some(0.03)
    await client.command(`UID STORE ${gone} +FLAGS (\\Deleted)`)
    await client.command(`UID EXPUNGE ${gone}`)
    await append(client, 'INBOX', fresh(20), '\\Seen work')
    await sync(tls)
    expect(await equal()).toBeGreaterThan(count * 0.6)
  }
  // Nothing has changed: nothing is changed.
  const status = async (): Promise<string | undefined> =>
    (await client.command('STATUS INBOX (HIGHESTMODSEQ)')).untagged
      .map(({ raw }) => String(raw))
      .find((raw) => raw.includes('STATUS'))
  const before = await status()
  await sync('None')
  expect(before).toContain('HIGHESTMODSEQ')
  expect(await status()).toBe(before)
  client.end()
  expect(gateway.logged.filter(({ level }) => level !== 'info')).toEqual([])
})

test('mailboxes made on either side come to the other', async (context) => {
  needs(context, 'mbsync')
  const gateway = await gatewayHere({ listen: listening })
  const home = folder()
  mkdirSync(join(home, 'mail'))
  const client = await ImapClient.connect(portsOf(gateway).imap)
  await client.command(`LOGIN ${user} ${password}`)
  await client.command('CREATE "Kept there/Below"')
  await append(client, 'Kept there/Below', [1, 2, 3], '\\Flagged')
  const rc = await configFor(gateway, home, 'STARTTLS')
  await run('mbsync', ['-c', rc, 'c'])
  expect(near(join(home, 'mail', 'Kept there', 'Below'))).toEqual(await far(client, 'Kept there/Below'))
  // It names mailboxes as they are spelled on the wire.
  for (const sub of ['new', 'cur', 'tmp'])
    mkdirSync(join(home, 'mail', 'Kept hier &APw-', sub), { recursive: true })
  writeFileSync(join(home, 'mail', 'Kept hier &APw-', 'new', '4.here'), mail(4))
  await run('mbsync', ['-c', rc, 'c'])
  const listed = await client.command('LIST "" "Kept hier*"')
  expect(listed.untagged).toHaveLength(1)
  const name = listed.untagged[0]?.values.at(-1)
  expect(await far(client, name && 'text' in name ? name.text : '')).toEqual(
    near(join(home, 'mail', 'Kept hier &APw-')),
  )
})
