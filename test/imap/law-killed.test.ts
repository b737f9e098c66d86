/**
 * The law, and SIGKILL: clients of all kinds act at random until the server is killed, and come back with what they knew.
 * Each then knows what the store has; UIDs name what they named before, and mod-sequences never go back.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { chance, compare, kinds, type Truth } from '../support/law.ts'
import { type Box, boxes, LawClient } from '../support/law-client.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'
import { tempFolder } from '../support/temp.ts'

const seed = Number(process.env.LAW_SEED ?? Date.now() % 1_000_007)
const kills = Number(process.env.LAW_KILLS ?? 3)
const folder = tempFolder()

async function start(): Promise<{ child: ChildProcess; port: number }> {
  const program = new URL('./serve-until-killed.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { child, port: Number(String(line)) }
}

interface Look {
  readonly messages: Truth[]
  readonly uidValidity: number
  readonly uidNext: number
  readonly highestModSeq: number
  /** EMAILID of each UID. */
  readonly ids: ReadonlyMap<number, string>
}

async function look(imap: RawImap, box: Box): Promise<Look> {
  const selected = await imap.command(`EXAMINE ${box}`)
  const value = (name: string): number => Number(new RegExp(`\\[${name} (\\d+)`).exec(selected)?.[1])
  const listed = await imap.command('UID FETCH 1:* (UID FLAGS EMAILID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
  const messages: Truth[] = []
  const ids = new Map<number, string>()
  for (const [, uid, flags = '', id = '', subject = ''] of listed.matchAll(
    /UID (\d+) FLAGS \(([^)]*)\) EMAILID \((\w+)\) BODY\[[^\]]*\] \{\d+\}\r\nSubject: (\w+)/g,
  )) {
    const known = flags.split(' ').filter((flag) => flag !== '' && flag !== '\\Recent')
    messages.push({ uid: Number(uid), flags: new Set(known), subject: subject.toUpperCase() })
    ids.set(Number(uid), id)
  }
  return {
    messages,
    uidValidity: value('UIDVALIDITY'),
    uidNext: value('UIDNEXT'),
    highestModSeq: value('HIGHESTMODSEQ'),
    ids,
  }
}

test(`RC-01, RC-02, RC-03, SE-09, QR-02, QR-55: the law over ${kills} kills, seed ${seed}`, {
  timeout: 60_000 + kills * 20_000,
}, async () => {
  const next = chance(seed)
  let { child, port } = await start()
  const clients = kinds.map((kind) => new LawClient(kind, chance(next(1 << 30)), () => loggedIn(port)))
  const named = new Map<string, string>()
  const before = new Map<Box, Look>()
  let told = 0
  const watcher = await loggedIn(port)
  for (const box of boxes) await watcher.command(`CREATE ${box}`)
  for (const box of boxes)
    for (let i = 0; i < 12; i++)
      await watcher.command(`APPEND ${box} {14+}\r\nSubject: ${'zyx'[i % 3]}\r\n\r\n`)
  watcher.end()
  let steps = 0
  for (let round = 0; round <= kills; round++) {
    // Back with what they knew, all at once.
    await Promise.all(clients.map((client) => client.start()))
    await Promise.all(clients.map((client) => client.commands('NOOP', 'FETCH 1:* (UID FLAGS)', 'NOOP')))
    const eye = await loggedIn(port)
    for (const box of boxes) {
      const now = await look(eye, box)
      const last = before.get(box)
      if (last) expect(now.uidValidity).toBe(last.uidValidity)
      expect(now.uidNext).toBeGreaterThanOrEqual(last?.uidNext ?? 1)
      expect(now.highestModSeq).toBeGreaterThanOrEqual(last?.highestModSeq ?? 1)
      for (const [uid, id] of now.ids) {
        expect(named.get(`${box} ${uid}`) ?? id, `${box} UID ${uid}`).toBe(id)
        named.set(`${box} ${uid}`, id)
      }
      before.set(box, now)
      for (const client of clients) if (client.box === box) compare(client, now.messages)
    }
    // Nothing that anybody was told was taken back.
    told = Math.max(told, ...clients.map(({ model }) => model.highestTold))
    expect(
      Math.max(...[...before.values()].map(({ highestModSeq }) => highestModSeq)),
    ).toBeGreaterThanOrEqual(told)
    eye.end()
    if (round === kills) break
    let alive = true
    const acting = clients.map(async (client) => {
      while (alive && !client.ended) {
        await client.act().catch(() => {})
        steps += 1
      }
    })
    await new Promise((resolve) => setTimeout(resolve, 200 + next(600)))
    child.kill('SIGKILL')
    await once(child, 'exit')
    alive = false
    await Promise.all(acting)
    for (const client of clients) client.lost()
    told = Math.max(told, ...clients.map(({ model }) => model.highestTold))
    ;({ child, port } = await start())
  }
  for (const client of clients) client.end()
  child.kill('SIGKILL')
  await once(child, 'exit')
  console.log(`seed ${seed}: ${steps} steps, ${kills} kills`)
  expect(steps).toBeGreaterThan(kills * 10)
  expect((await checkStore(folder)).problems).toEqual([])
})
