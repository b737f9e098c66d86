/** SIGKILL in the middle of work: what a client was told stays true (RC-03, SE-09, QR-02, QR-55, RC-05, RC-06). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'
import { tempFolder } from '../support/temp.ts'

const folder = tempFolder()
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 100_000)
const rounds = 8

/** Small, and the same for a seed. */
let state = seed
const random = (below: number): number => {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
  return Math.floor((state / 2_147_483_648) * below)
}

async function start(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(
    process.execPath,
    [new URL('./serve-until-killed.ts', import.meta.url).pathname, folder],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { child, port: Number(String(line)) }
}

/** What clients were told, over all rounds. */
const told = {
  uidValidity: 0,
  uidNext: 1,
  modSeq: 0,
  /** UID to the number in its Subject. */
  appended: new Map<number, number>(),
  expunged: new Set<number>(),
}

const note = (text: string): string => {
  for (const [, n] of text.matchAll(/HIGHESTMODSEQ (\d+)|MODSEQ \((\d+)\)/g))
    if (n) told.modSeq = Math.max(told.modSeq, Number(n))
  for (const [, set] of text.matchAll(/VANISHED ([\d:,]+)/g))
    for (const range of set!.split(',')) {
      const [from, to = from] = range.split(':').map(Number)
      for (let uid = from!; uid <= to!; uid++) told.expunged.add(uid)
    }
  return text
}

async function work(client: RawImap, number: () => number): Promise<void> {
  note(await client.command('ENABLE QRESYNC'))
  note(await client.command('SELECT INBOX'))
  for (;;) {
    const what = random(10)
    if (what < 5) {
      const n = number()
      const message = `Subject: n${n}\r\n\r\n${'x'.repeat(random(3000))}\r\n`
      const answer = note(await client.command(`APPEND INBOX {${message.length}+}\r\n${message}`))
      const uid = Number(/APPENDUID \d+ (\d+)/.exec(answer)?.[1] ?? 0)
      if (uid > 0) told.appended.set(uid, n)
      told.uidNext = Math.max(told.uidNext, uid + 1)
    } else if (what < 8)
      note(await client.command(`STORE ${1 + random(5)} ${random(2) ? '+' : '-'}FLAGS (k${random(4)})`))
    else if (what === 8) note(await client.command('NOOP'))
    else {
      note(await client.command(`STORE ${1 + random(3)} +FLAGS.SILENT (\\Deleted)`))
      note(await client.command('EXPUNGE'))
    }
  }
}

test(`RC-03, RC-05, RC-06, SE-09, QR-02, QR-55: ${rounds} kills under load, seed ${seed}`, {
  timeout: 60_000,
}, async () => {
  let count = 0
  for (let round = 0; round < rounds; round++) {
    const { child, port } = await start()
    const look = await loggedIn(port)
    await look.command('ENABLE QRESYNC')
    const selected = await look.command('SELECT INBOX')
    const value = (name: string): number => Number(new RegExp(`\\[${name} (\\d+)`).exec(selected)?.[1])
    if (told.uidValidity > 0) expect(value('UIDVALIDITY')).toBe(told.uidValidity)
    told.uidValidity = value('UIDVALIDITY')
    // Never back, and no UID twice.
    expect(value('HIGHESTMODSEQ')).toBeGreaterThanOrEqual(told.modSeq)
    expect(value('UIDNEXT')).toBeGreaterThanOrEqual(told.uidNext)
    const listed = await look.command('UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    const there = new Map(
      [...listed.matchAll(/UID (\d+) BODY\[HEADER\.FIELDS \(SUBJECT\)\] \{\d+\}\r\nSubject: n(\d+)/g)].map(
        (m) => [Number(m[1]), Number(m[2])],
      ),
    )
    for (const [uid, n] of told.appended) {
      if (told.expunged.has(uid)) expect(there.has(uid), `expunged UID ${uid} is back`).toBe(false)
      // Expunged in a command whose answer was lost, it may be gone; it is never another message.
      else if (there.has(uid)) expect(there.get(uid)).toBe(n)
    }
    expect(new Set(there.values()).size, 'an upload was kept twice').toBe(there.size)
    look.end()
    if (round === rounds - 1) {
      child.kill('SIGKILL')
      await once(child, 'exit')
      break
    }
    const clients = await Promise.all([1, 2, 3].map(() => loggedIn(port)))
    const working = clients.map((client) => work(client, () => ++count).catch(() => {}))
    await new Promise((resolve) => setTimeout(resolve, 100 + random(500)))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await Promise.all(working)
  }
  expect(told.appended.size).toBeGreaterThan(rounds)
  expect((await checkStore(folder)).problems).toEqual([])
})
