/** mutt, driven by its own key strokes on a terminal that `script` makes. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { folder, gatewayHere, type LoggedGateway } from '../support/gateway.ts'
import { ImapClient } from '../support/imap-client.ts'
import { certificateOf, listening, mail, needs, password, portsOf, run, user } from './clients.ts'

type Way = 'plain' | 'STARTTLS' | 'imaps'

interface Mutt {
  readonly home: string
  /** Runs it with these keys; resolves to what it and the server said (`.muttdebug0`). */
  keys(way: Way, keys: string, settings?: string): Promise<string>
}

async function muttFor(context: TestContext, gateway: LoggedGateway): Promise<Mutt> {
  needs(context, 'mutt', 'script')
  const home = folder()
  mkdirSync(join(home, 'cache'))
  const { imap, imaps } = portsOf(gateway)
  const certificate = await certificateOf(gateway)
  const url: Record<Way, string> = {
    plain: `imap://localhost:${imap}/INBOX`,
    STARTTLS: `imap://localhost:${imap}/INBOX`,
    imaps: `imaps://localhost:${imaps}/INBOX`,
  }
  return {
    home,
    async keys(way, keys, settings = '') {
      const rc = join(home, 'rc')
      writeFileSync(
        rc,
        `set imap_user=${user} imap_pass=${password} header_cache=${home}/cache certificate_file=${certificate}
set ssl_starttls=${way === 'STARTTLS' ? 'yes' : 'no'} ssl_force_tls=${way === 'plain' ? 'no' : 'yes'} ssl_verify_host=no
set confirmappend=no confirmcreate=no delete=yes mbox_type=mbox move=no mark_old=no wait_key=no read_inc=0 sort=mailbox-order beep=no
set sleep_time=0 pager_stop=yes folder=${home} record='' resolve=no
${settings}
push '${keys}'
`,
      )
      const log = join(home, '.muttdebug0')
      rmSync(log, { force: true })
      await run(
        'script',
        ['-qec', `stty rows 50 cols 120; exec mutt -n -d 3 -F ${rc} -f ${url[way]}`, '/dev/null'],
        {
          env: { HOME: home },
        },
      )
      return readFileSync(log, 'latin1')
    },
  }
}

/** The command lines that mutt sent. */
const sent = (log: string): string[] =>
  [...log.matchAll(/\d+> (?:a\d+ )(.*)$/gm)].map((m) => m[1]?.trim() ?? '')
/** Which messages' header fields it fetched. */
const headerFetches = (log: string): string[] =>
  sent(log).flatMap((line) => /^FETCH (\S+) \(.*HEADER\.FIELDS/.exec(line)?.[1] ?? [])
const subjects = (mbox: string): string[] =>
  [...readFileSync(mbox, 'latin1').matchAll(/^Subject: (.*)$/gm)].map((m) => m[1] ?? '')

async function filled(gateway: LoggedGateway, from: number, to: number): Promise<ImapClient> {
  const client = await ImapClient.connect(portsOf(gateway).imap)
  await client.command(`LOGIN ${user} ${password}`)
  for (let i = from; i <= to; i++) await client.command(`APPEND INBOX {${mail(i).length}+}\r\n${mail(i)}`)
  await client.command('SELECT INBOX')
  return client
}

const flagsOf = async (client: ImapClient): Promise<string[]> =>
  (await client.command('UID FETCH 1:* FLAGS')).untagged
    .filter(({ values }) => values[1]?.kind === 'atom' && values[1].text === 'FETCH')
    .map(({ raw }) => raw.replace(/^\* \d+ FETCH |\\Recent ?/g, '').trim())

for (const way of ['plain', 'STARTTLS', 'imaps'] as const)
  test(`reads, flags, deletes, saves, copies: ${way}`, async (context) => {
    const gateway = await gatewayHere({ listen: listening })
    const mutt = await muttFor(context, gateway)
    const client = await filled(gateway, 1, 12)
    const saved = join(mutt.home, 'saved')
    const log = await mutt.keys(
      way,
      `3<enter><display-message><exit>5<enter><flag-message>7<enter><delete-message>9<enter><copy-message>${saved}<enter>` +
        `10<enter><copy-message>=Kept<enter><sync-mailbox><quit>`,
      'set folder=imap://localhost',
    )
    expect(log).not.toMatch(/\d+< a\d+ (NO|BAD)/)
    expect(subjects(saved)).toEqual(['number 9'])
    await client.command('NOOP')
    const flags = await flagsOf(client)
    expect(flags).toHaveLength(11)
    expect(flags[2]).toBe('(UID 3 FLAGS (\\Seen))')
    expect(flags[4]).toBe('(UID 5 FLAGS (\\Flagged))')
    expect(flags[6]).toBe('(UID 8 FLAGS ())')
    client.end()
    expect(gateway.logged.filter(({ level }) => level !== 'info')).toEqual([])
  })

for (const settings of [
  '',
  'set imap_condstore=yes',
  'set imap_condstore=yes imap_qresync=yes imap_deflate=yes',
])
  test(`opens again from its header cache: ${settings || 'defaults'}`, async (context) => {
    const gateway = await gatewayHere({ listen: listening })
    const mutt = await muttFor(context, gateway)
    const client = await filled(gateway, 1, 40)
    const saved = join(mutt.home, 'saved')
    const first = await mutt.keys('STARTTLS', '<quit>', settings)
    expect(headerFetches(first)).toEqual(['1:40'])
    // While it is away: flags, expunged and new messages.
    await client.command('UID STORE 3 +FLAGS (\\Flagged)')
    await client.command('UID STORE 10:12,30 +FLAGS (\\Deleted)')
    await client.command('EXPUNGE')
    client.end()
    ;(await filled(gateway, 41, 44)).end()
    const keys = `<tag-pattern>~A<enter><tag-prefix><copy-message>${saved}<enter><untag-pattern>~A<enter><tag-pattern>~F<enter><tag-prefix><copy-message>${saved}-flagged<enter><quit>`
    const again = await mutt.keys('STARTTLS', keys, settings)
    // Headers of new messages alone, and what changed by the best way that it was allowed to take.
    expect(headerFetches(again)).toEqual(['37:40'])
    if (settings.includes('qresync'))
      expect(sent(again)).toContainEqual(expect.stringMatching(/CHANGEDSINCE \d+ VANISHED/))
    else if (settings) expect(sent(again)).toContainEqual(expect.stringMatching(/CHANGEDSINCE \d+\)/))
    const gone = new Set([10, 11, 12, 30])
    const left = Array.from({ length: 44 }, (_, i) => i + 1).filter((i) => !gone.has(i))
    expect(subjects(saved)).toEqual(left.map((i) => `number ${i}`))
    expect(subjects(`${saved}-flagged`)).toEqual(['number 3'])
    expect(again).not.toMatch(/\d+< a\d+ (NO|BAD)/)
  })
