/** A link that drops anywhere, and the client that comes back with QRESYNC (lemonade.md 4; RC-01 to RC-21). */
import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { connect as connectPlain, type Socket } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StoreOperation } from '../../src/store/store.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'
import { tempFolder } from '../support/temp.ts'

const user = 'alice@example.net'
const tempFolderPath = tempFolder()
let server: TestImap
let account = 0
beforeAll(async () => {
  server = await startImap()
  account = (await server.directory.find(user))!.id
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

const deliver = (mailbox: string, text = 'x') =>
  server.deliver(user, mailbox, `From: bob@example.org\nSubject: ${text}\n\n${text}\n`)

const mailboxNamed = async (name: string) => (await server.store.read(account, (view) => view.mailbox(name)))!

/** UIDs and flags as the store has them. */
async function stored(name: string): Promise<string> {
  const { id } = await mailboxNamed(name)
  return server.store.read(account, async (view) => {
    const lines: string[] = []
    for await (const batch of view.messages(id, {}))
      for (const m of batch) lines.push(`${m.uid} ${[...m.flags].sort().join(' ')}`)
    return lines.join('\n')
  })
}

/** What a client knows of one mailbox, from nothing but whole lines (RFC 7162 §6, RC-02). */
class Model {
  uidValidity = 0
  /** What it may resynchronise from: moves with tagged answers only. */
  modSeq = 0
  readonly messages = new Map<number, string>()
  uidNext = 1
  /** A change that its tagged OK makes true without another word: .SILENT. */
  silent: { readonly uid: number; readonly flag: string } | undefined
  #code: number | undefined
  #highest = 0
  #rest = ''

  copy(): Model {
    const other = new Model()
    Object.assign(other, { uidValidity: this.uidValidity, modSeq: this.modSeq, uidNext: this.uidNext })
    for (const [uid, flags] of this.messages) other.messages.set(uid, flags)
    other.silent = this.silent
    return other
  }

  hear(octets: string): void {
    this.#rest += octets
    for (let end = this.#rest.indexOf('\r\n'); end >= 0; end = this.#rest.indexOf('\r\n')) {
      this.#line(this.#rest.slice(0, end))
      this.#rest = this.#rest.slice(end + 2)
    }
  }

  #line(line: string): void {
    const code = /HIGHESTMODSEQ (\d+)/.exec(line)
    if (code) this.#code = Number(code[1])
    const validity = /\[UIDVALIDITY (\d+)/.exec(line)
    if (validity) {
      if (this.uidValidity !== Number(validity[1])) this.messages.clear()
      this.uidValidity = Number(validity[1])
    }
    const vanished = /^\* VANISHED (?:\(EARLIER\) )?([\d:,]+)/.exec(line)
    for (const range of vanished?.[1]?.split(',') ?? []) {
      const [from, to = from] = range.split(':').map(Number)
      for (const uid of [...this.messages.keys()]) if (uid >= from! && uid <= to!) this.messages.delete(uid)
    }
    const fetched = /^\* \d+ FETCH \((.*)\)$/.exec(line)?.[1]
    const uid = Number(/UID (\d+)/.exec(fetched ?? '')?.[1] ?? 0)
    if (uid > 0) {
      const flags = /FLAGS \(([^)]*)\)/.exec(fetched!)?.[1]
      if (flags !== undefined)
        this.messages.set(
          uid,
          flags
            .split(' ')
            .filter((f) => f !== '\\Recent' && f !== '')
            .sort()
            .join(' '),
        )
      this.#highest = Math.max(this.#highest, Number(/MODSEQ \((\d+)\)/.exec(fetched!)?.[1] ?? 0))
    }
    if (/^[a-z]+\d* OK/.test(line)) {
      if (this.silent && this.messages.has(this.silent.uid)) {
        const flags = this.messages.get(this.silent.uid)!.split(' ')
        this.messages.set(this.silent.uid, [...new Set([...flags, this.silent.flag])].sort().join(' ').trim())
      }
      this.silent = undefined
      this.modSeq = this.#code ?? Math.max(this.modSeq, this.#highest)
      this.#code = undefined
      this.uidNext = Math.max(this.uidNext, 1 + Math.max(0, ...this.messages.keys()))
    }
  }

  get known(): string {
    return [...this.messages.entries()]
      .sort(([a], [b]) => a - b)
      .map(([id, flags]) => `${id} ${flags}`)
      .join('\n')
  }

  get select(): string {
    return this.uidValidity === 0 || this.modSeq === 0
      ? ''
      : ` (QRESYNC (${this.uidValidity} ${this.modSeq}${this.messages.size > 0 ? ` ${[...this.messages.keys()].sort((a, b) => a - b).join(',')}` : ''}))`
  }
}

/** A new connection with what the client knew; afterwards it must know what the store has (RC-01). */
async function returned(model: Model, mailbox: string): Promise<RawImap> {
  const imap = await loggedIn(server.port)
  const flight = `q1 ENABLE QRESYNC\r\nq2 SELECT ${mailbox}${model.select}\r\nq3 UID FETCH ${model.select === '' ? 1 : model.uidNext}:* (FLAGS)\r\n`
  imap.send(flight)
  model.hear(await imap.until(/q3 OK.*\r\n/))
  // The session that was cut off may still be at its last command: what it does is told like any other change.
  let has = await stored(mailbox)
  for (let i = 0; i < 40 && model.known !== has; i += 1) {
    if (i > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    model.hear(await imap.command('NOOP'))
    model.hear(
      await imap.command('UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)'.replace('1:*', `${model.uidNext}:*`)),
    )
    has = await stored(mailbox)
  }
  // What is compared is what was looked at: the last command may be done by now.
  expect(model.known, flight).toBe(has)
  return imap
}

const append = (name: string, n: number): string => {
  const message = `Subject: n${n}\r\n\r\nbody ${n}\r\n`
  return `APPEND ${name} (\\Seen) {${message.length}+}\r\n${message}`
}

/** What the client says, and what another one does before. */
const script = (name: string): { other?: () => Promise<unknown>; line: string }[] => {
  const flags = async (uid: number, mode: 'add' | 'remove', flag: string) => {
    const change = { mode, flags: [flag] }
    const uids = [{ from: uid, to: uid }]
    return server.store.write(account, [
      { op: 'flags', mailbox: (await mailboxNamed(name)).id, uids, change },
    ])
  }
  const expunge = async (...uids: number[]) =>
    server.store.write(account, [
      {
        op: 'expunge',
        mailbox: (await mailboxNamed(name)).id,
        uids: uids.map((uid) => ({ from: uid, to: uid })),
        onlyDeleted: false,
      },
    ])
  return [
    { line: 'UID STORE 2 +FLAGS (\\Flagged)' },
    { other: () => flags(1, 'add', '$Work'), line: 'NOOP' },
    { other: () => expunge(3), line: 'FETCH 1:2 (FLAGS)' },
    { other: () => flags(4, 'add', '\\Answered'), line: 'STORE 1 +FLAGS.SILENT (\\Draft)' },
    { line: 'UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)' },
    { other: () => deliver(name), line: append(name, 1) },
    { other: () => expunge(5), line: 'UID STORE 4 +FLAGS.SILENT (\\Deleted)' },
    { other: () => flags(6, 'remove', '\\Seen'), line: 'EXPUNGE' },
    { line: 'UID MOVE 6 Elsewhere' },
    { other: () => flags(2, 'remove', '\\Flagged'), line: 'UID SEARCH RETURN (ALL) MODSEQ 1' },
    { other: () => expunge(2), line: 'STORE 1 -FLAGS ($Work)' },
    { line: 'NOOP' },
  ]
}

const mailboxOf = async (name: string): Promise<void> => {
  for (let i = 0; i < 7; i += 1) await deliver(name)
}

test('RC-01, RC-02: dropped at every octet of what the server says, the client comes back to what the store has', async () => {
  await server.store.write(account, [{ op: 'create', name: 'Elsewhere' }])
  // Each round goes one command further and is cut off within its answer.
  const steps = script('x').length
  let cuts = 0
  for (let last = 0; last < steps; last += 1) {
    const name = `Cut${last}`
    await mailboxOf(name)
    const model = new Model()
    const imap = await loggedIn(server.port)
    imap.send(`q1 ENABLE QRESYNC\r\nq2 SELECT ${name}\r\nq3 UID FETCH 1:* (FLAGS)\r\n`)
    model.hear(await imap.until(/q3 OK.*\r\n/))
    let answer = ''
    for (const [i, { other, line }] of script(name).entries()) {
      if (i > last) break
      await other?.()
      const silent = /STORE (\d+) \+FLAGS.SILENT \((.*)\)/.exec(line)
      if (silent) model.silent = { uid: Number(silent[1]), flag: silent[2]! }
      const said = await imap.command(line)
      if (i < last) model.hear(said)
      else answer = said
    }
    imap.end()
    // All that the client can know when the answer ends after so many octets; the same knowledge needs one look.
    const looked = new Set<string>()
    for (let octets = 0; octets <= answer.length; octets += 1) {
      const knows = model.copy()
      knows.hear(answer.slice(0, octets))
      cuts += 1
      const state = `${knows.select}\n${knows.known}`
      if (looked.has(state)) continue
      looked.add(state)
      const again = await returned(knows, name)
      again.end()
    }
  }
  console.log(`cut at ${cuts} octets of the server`)
  expect(cuts).toBeGreaterThan(800)
}, 60_000)

test('RC-01, RC-05: dropped at every octet of what the client says', async () => {
  const name = 'Sent'
  await mailboxOf(name)
  const model = new Model()
  let appended = 0
  const count = async () => (await mailboxNamed(name)).messages
  const commands = [
    's1 UID STORE 1:3 +FLAGS.SILENT ($A)\r\n',
    's2 UID EXPUNGE 99\r\n',
    `s3 ${append(name, 2)}\r\n`,
    's4 UID STORE 1:3 -FLAGS ($A)\r\n',
    's5 UID COPY 1 Sent\r\n',
  ]
  const said = commands.join('')
  const appendStart = commands.slice(0, 2).join('').length
  const appendEnd = appendStart + commands[2]!.length
  for (let octets = 0; octets <= said.length; octets += 1) {
    const imap = await returned(model, name)
    const before = await count()
    imap.send(said.slice(0, octets))
    // Sometimes the answer is on its way, or even there.
    if (octets >= appendEnd) await imap.until(/s3 OK/)
    else await new Promise((resolve) => setTimeout(resolve, octets % 3))
    imap.end()
    // A message is there whole or not at all (RC-05).
    if (octets < appendEnd) expect(await count(), String(octets)).toBe(before)
    else appended += 1
  }
  expect(appended).toBeGreaterThan(0)
  ;(await returned(model, name)).end()
}, 60_000)

test('RC-06, RC-09: a stored message can be found; what is replayed by UID changes nothing twice', async () => {
  const imap = await loggedIn(server.port)
  await imap.command('CREATE Replay')
  await imap.command('CREATE Other')
  const message = 'Message-ID: <one@example.net>\r\nSubject: one\r\n\r\none\r\n'
  for (let i = 0; i < 2; i += 1) await imap.command(`APPEND Replay {${message.length}+}\r\n${message}`)
  await imap.command('ENABLE QRESYNC')
  await imap.command('SELECT Replay')
  // No hidden de-duplication: the client looks for it, and finds both.
  expect(await imap.command('UID SEARCH HEADER Message-ID <one@example.net>')).toContain('* SEARCH 1 2\r\n')
  expect(await imap.command('UID STORE 1 +FLAGS.SILENT (\\Deleted)')).toContain('OK')
  const state = await stored('Replay')
  expect(await imap.command('UID STORE 1 +FLAGS.SILENT (\\Deleted)')).toContain('OK')
  expect(await stored('Replay')).toBe(state)
  expect(await imap.command('UID MOVE 2 Other')).toContain('COPYUID')
  expect(await imap.command('UID MOVE 2 Other')).toMatch(/^t\d+ OK/)
  expect(await imap.command('UID EXPUNGE 1')).toContain('* VANISHED 1')
  expect(await imap.command('UID EXPUNGE 1')).toMatch(/^t\d+ OK/)
  expect(await stored('Other')).toBe('1 ')
  expect(await stored('Replay')).toBe('')
  imap.end()
})

const flags = (mailbox: number, uid: number): StoreOperation => ({
  op: 'flags',
  mailbox,
  uids: [{ from: uid, to: uid }],
  change: { mode: 'add', flags: ['\\Seen'] },
})

/** The octets from the first of `flight` to the last of its answer. */
async function flown(imap: RawImap, flight: string, end: RegExp): Promise<{ down: number; text: string }> {
  const before = imap.received
  imap.send(flight)
  const text = await imap.until(end)
  return { down: imap.received - before, text }
}

test('RC-17, RC-18, RC-21, resynchronisation: octets and round trips', async () => {
  await server.store.write(account, [{ op: 'create', name: 'Large' }])
  const { id, uidValidity } = await mailboxNamed('Large')
  const octets = Buffer.from('From: bob@example.org\r\nSubject: m\r\n\r\nx\r\n')
  const digest = digestMessage(octets)
  for (let i = 0; i < 10; i += 1) {
    const messages = Array.from({ length: 1000 }, () => ({
      octets: [Uint8Array.from(octets)],
      digest,
      internalDate: Date.now(),
      flags: [],
    }))
    await server.store.write(account, [{ op: 'append', mailbox: id, messages }])
  }
  const { highestModSeq } = await mailboxNamed('Large')
  const flight = (modSeq: number) =>
    `1 LOGIN ${user} secret\r\n2 ENABLE QRESYNC\r\n3 SELECT Large (QRESYNC (${uidValidity} ${modSeq}))\r\n`
  // Nothing changed: greeting, then one flight up and one down.
  const first = await rawImap(server.port)
  const unchanged = await flown(first, flight(highestModSeq), /3 OK.*\r\n/)
  const code = /\[CAPABILITY [^\]]*\]/.exec(unchanged.text)![0].length
  const select = unchanged.text.slice(unchanged.text.indexOf('2 OK')).replace(/^.*\r\n/, '')
  first.end()
  // 10 changes among 10,000: 5 flags, 3 expunges, 2 new messages.
  const changed: StoreOperation[] = [7, 1007, 2007, 3007, 9999].map((uid) => flags(id, uid))
  await server.store.write(account, [
    ...changed,
    {
      op: 'expunge',
      mailbox: id,
      uids: [17, 5017, 9017].map((uid) => ({ from: uid, to: uid })),
      onlyDeleted: false,
    },
  ])
  for (let i = 0; i < 2; i += 1) await deliver('Large')
  const second = await rawImap(server.port)
  const resync = await flown(second, flight(highestModSeq), /3 OK.*\r\n/)
  expect(resync.text).toContain('* VANISHED (EARLIER) 17,5017,9017\r\n')
  expect(resync.text.match(/ FETCH /g)!.length).toBe(7)
  second.end()
  // 50 flag changes more, plain and deflated.
  const before = (await mailboxNamed('Large')).highestModSeq
  await server.store.write(
    account,
    Array.from({ length: 50 }, (_, i) => flags(id, 101 + i * 7)),
  )
  const fifty = async (compress: boolean, modSeq: number): Promise<number> => {
    const imap = await loggedIn(server.port)
    await imap.command('ENABLE QRESYNC')
    if (compress) await imap.compress()
    const { down } = await flown(
      imap,
      `3 SELECT Large (QRESYNC (${uidValidity} ${modSeq}))\r\n`,
      /3 OK.*\r\n/,
    )
    imap.end()
    return down
  }
  const now = (await mailboxNamed('Large')).highestModSeq
  const plain = (await fifty(false, before)) - (await fifty(false, now))
  const deflated = (await fifty(true, before)) - (await fifty(true, now))
  console.log(
    `reconnect, nothing changed: ${flight(highestModSeq).length} octets up, ${unchanged.down} down (CAPABILITY ${code}, SELECT ${select.length}); ` +
      `10 changes in 10,000: ${resync.down - code} down without CAPABILITY, ${resync.down} with; 50 flags: ${plain} plain, ${deflated} deflated`,
  )
  expect(flight(highestModSeq).length).toBeLessThanOrEqual(135)
  expect(select.length).toBeLessThanOrEqual(450)
  expect(unchanged.down).toBeLessThanOrEqual(1200)
  expect(resync.down).toBeLessThanOrEqual(1536)
  expect(plain).toBeLessThanOrEqual(2800)
  expect(deflated).toBeLessThanOrEqual(500)
}, 30_000)

async function tls(
  options: ConnectionOptions,
  starttls: boolean,
): Promise<{ socket: TLSSocket; session: Promise<Buffer> }> {
  let plain: Socket | undefined
  if (starttls) {
    plain = connectPlain(server.port, '127.0.0.1')
    const imap = await rawImap(server.port, plain)
    await imap.command('STARTTLS')
    plain.removeAllListeners('data')
  }
  const common = { ...options, rejectUnauthorized: false, servername: 'mail.example.net' }
  const socket = plain
    ? connectTls({ ...common, socket: plain })
    : connectTls({ ...common, port: server.tlsPort, host: '127.0.0.1' })
  const session = new Promise<Buffer>((resolve) => socket.once('session', resolve))
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  return { socket, session }
}

test.each([
  'TLSv1.2',
  'TLSv1.3',
] as const)('RC-15, TL-07: %s sessions are resumed, on either port', async (version) => {
  const options = { minVersion: version, maxVersion: version }
  for (const [from, to] of [
    [false, false],
    [true, true],
    [false, true],
    [true, false],
  ] as const) {
    const first = await tls(options, from)
    const session = await first.session
    expect(first.socket.isSessionReused()).toBe(false)
    first.socket.destroy()
    const { socket: second } = await tls({ ...options, session }, to)
    expect(second.isSessionReused()).toBe(true)
    expect(second.getProtocol()).toBe(version)
    second.destroy()
  }
})

test('RC-15, SC-08: no early data; TL-07: nothing older than TLS 1.2', async () => {
  await expect(
    tls({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }, false),
  ).rejects.toThrow()
  // The server lives in this process: nothing here may block it.
  const run = (args: readonly string[], input = ''): Promise<string | undefined> =>
    new Promise((resolve) => {
      const child = execFile('openssl', args, { timeout: 10_000 }, (error, stdout) =>
        resolve((error as NodeJS.ErrnoException | null)?.code === 'ENOENT' ? undefined : stdout),
      )
      child.stdin?.on('error', () => {})
      child.stdin?.end(input)
    })
  const file = join(tempFolderPath, 'session')
  const address = `127.0.0.1:${server.tlsPort}`
  const said = await run(
    ['s_client', '-tls1_3', '-connect', address, '-sess_out', file, '-ign_eof'],
    'a LOGOUT\r\n',
  )
  if (said === undefined) {
    console.log('skipped: no openssl here')
    return
  }
  expect(said).toContain('a OK LOGOUT')
  expect(await run(['sess_id', '-in', file, '-noout', '-text'])).toContain('Max Early Data: 0')
})

test('RC-15, RC-17: a token got by METADATA, then token login, ENABLE and SELECT in one flight on a resumed session', async () => {
  const full = await tls({}, false)
  const imap = await rawImap(server.tlsPort, full.socket)
  await imap.command(`LOGIN ${user} secret`)
  const entry = '/private/vendor/lemonade-gateway/session-token/phone-1'
  imap.send(`a SETMETADATA "" (${entry} "HT-SHA-256-EXPR")\r\nb GETMETADATA "" ${entry}\r\n`)
  const token = /HT-SHA-256-EXPR \S+ ([^"\s]+)"/.exec(await imap.until(/b OK.*\r\n/))![1]!
  const session = await full.session
  imap.end()

  const { socket: resumed } = await tls({ session }, false)
  expect(resumed.isSessionReused()).toBe(true)
  const binding = resumed.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  const proof = createHmac('sha256', token).update('Initiator').update(binding).digest()
  const message = Buffer.concat([Buffer.from(`${user}\0`), proof]).toString('base64')
  const quick = await rawImap(server.tlsPort, resumed)
  const { id, uidValidity, highestModSeq } = await mailboxNamed('Large')
  expect(id).toBeGreaterThan(0)
  const flight = `1 AUTHENTICATE HT-SHA-256-EXPR ${message}\r\n\r\n2 ENABLE QRESYNC\r\n3 SELECT Large (QRESYNC (${uidValidity} ${highestModSeq}))\r\n`
  const { text, down } = await flown(quick, flight, /3 (OK|NO|BAD).*\r\n/)
  expect(text).toMatch(/^\+ \S+\r\n1 OK (.*\r\n)*2 OK (.*\r\n)*3 OK/)
  console.log(`token login, ENABLE, SELECT: ${flight.length} octets up, ${down} down`)
  expect(flight.length).toBeLessThanOrEqual(200)
  quick.end()
})
