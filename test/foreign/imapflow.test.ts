/** imapflow, a client made for mail APIs: it uses every extension that it finds advertised. */
import { once } from 'node:events'
import { ImapFlow, type ImapFlowOptions } from 'imapflow'
import { beforeAll, expect, test } from 'vitest'
import { atEnd } from '../support/at-end.ts'
import { gatewayHere, type LoggedGateway } from '../support/gateway.ts'
import { listening, mail, password, portsOf, user } from './clients.ts'

let gateway: LoggedGateway
beforeAll(async () => {
  gateway = await gatewayHere({ listen: listening })
})

interface Client extends ImapFlow {
  /** What it has sent, without tags and credentials. */
  readonly sent: string[]
}

/** Commands and answers are kept, so that a test can see which way the client took. */
async function client(over: Partial<ImapFlowOptions> = {}): Promise<Client> {
  const sent: string[] = []
  const flow = new ImapFlow({
    host: '127.0.0.1',
    port: portsOf(gateway).imap,
    secure: false,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: false },
    qresync: true,
    disableAutoIdle: true,
    logger: false,
    emitLogs: true,
    ...over,
  })
  flow.on('log', (entry: { src?: string; msg?: string }) => {
    if (entry.src === 'c' && entry.msg) sent.push(entry.msg.replace(/^\S+ /, ''))
  })
  // A client that fails says so where it is waited for.
  flow.on('error', () => {})
  await flow.connect()
  atEnd(() => flow.close())
  return Object.assign(flow, { sent })
}

let boxes = 0
/** A mailbox of its own with messages 1 to `count`. */
async function filled(flow: Client, count: number, flags: string[] = []): Promise<string> {
  const path = `Box ${++boxes}`
  await flow.mailboxCreate(path)
  for (let i = 1; i <= count; i++) await flow.append(path, mail(i), flags, new Date(Date.UTC(2022, 1, i)))
  return path
}

const used = (flow: Client, pattern: RegExp): boolean => flow.sent.some((line) => pattern.test(line))

test('it turns to TLS, compresses, enables CONDSTORE, QRESYNC and UTF8=ACCEPT, tells its ID', async () => {
  const flow = await client({ clientInfo: { name: 'tests', version: '1' } })
  expect(flow.secureConnection).toBe(true)
  expect(used(flow, /^STARTTLS/)).toBe(true)
  expect(used(flow, /^COMPRESS DEFLATE/)).toBe(true)
  expect(used(flow, /^ID \("name"/i)).toBe(true)
  expect([...flow.enabled]).toEqual(
    expect.arrayContaining(['CONDSTORE', 'QRESYNC', 'UTF8=ACCEPT', 'IMAP4REV2']),
  )
  expect(flow.serverInfo?.name).toBeTruthy()
  expect(flow.namespace).toMatchObject({ prefix: '', delimiter: '/' })
})

test('implicit TLS, and plain on loopback; PLAIN and LOGIN', async () => {
  for (const loginMethod of ['LOGIN', 'AUTH=PLAIN']) {
    const tls = await client({
      port: portsOf(gateway).imaps,
      secure: true,
      auth: { user, pass: password, loginMethod },
    })
    expect(tls.usable).toBe(true)
    const plain = await client({ doSTARTTLS: false, auth: { user, pass: password, loginMethod } })
    expect(plain.secureConnection).toBe(false)
    expect((await plain.mailboxOpen('INBOX')).path).toBe('INBOX')
  }
  await expect(client({ auth: { user, pass: 'wrong' } })).rejects.toMatchObject({
    authenticationFailed: true,
  })
})

test('without the extensions: no ENABLE, no COMPRESS, no BINARY', async () => {
  const flow = await client({
    disableAutoEnable: true,
    disableCompression: true,
    disableBinary: true,
    disableIMAP4rev2: true,
    qresync: false,
  })
  const path = await filled(flow, 2)
  await flow.mailboxOpen(path)
  expect(await flow.fetchOne('2', { envelope: true })).toMatchObject({ envelope: { subject: 'number 2' } })
  expect(await flow.messageDelete('1')).toBe(true)
  expect(flow.mailbox).toMatchObject({ exists: 1 })
})

test('mailboxes: names in UTF-8, LIST with STATUS, special use, subscriptions, rename, delete', async () => {
  const flow = await client()
  const made = await flow.mailboxCreate(['Ordner', 'Grüße & 日本'])
  expect(made).toMatchObject({ path: 'Ordner/Grüße & 日本', created: true })
  expect(made.mailboxId).toBeTruthy()
  expect((await flow.mailboxCreate('Ordner/Grüße & 日本')).created).toBe(false)
  await flow.append(made.path, mail(1))
  const listed = await flow.list({
    statusQuery: { messages: true, unseen: true, uidNext: true, size: true, highestModseq: true },
  })
  const found = listed.find(({ path }) => path === made.path)
  expect(found).toMatchObject({ name: 'Grüße & 日本', parent: ['Ordner'], delimiter: '/' })
  expect(found?.status).toMatchObject({ messages: 1, unseen: 1, uidNext: 2, size: mail(1).length })
  expect(listed.find(({ path }) => path === 'INBOX')?.specialUse).toBe('\\Inbox')
  expect(used(flow, /LIST .*RETURN \(.*STATUS/i)).toBe(true)
  for (const { specialUse, specialUseSource } of listed)
    if (specialUse && specialUse !== '\\Inbox') expect(specialUseSource).toBe('extension')
  expect(await flow.mailboxSubscribe(made.path)).toBe(true)
  expect((await flow.list()).find(({ path }) => path === made.path)?.subscribed).toBe(true)
  expect(await flow.mailboxUnsubscribe(made.path)).toBe(true)
  expect((await flow.list()).find(({ path }) => path === made.path)?.subscribed).toBeFalsy()
  await flow.mailboxRename(made.path, 'Ordner/neu')
  const opened = await flow.mailboxOpen('Ordner/neu')
  expect(opened).toMatchObject({ exists: 1, mailboxId: made.mailboxId })
  await flow.mailboxClose()
  await flow.mailboxDelete('Ordner/neu')
  expect((await flow.list()).some(({ path }) => path.startsWith('Ordner/'))).toBe(false)
  const tree = await flow.listTree()
  expect(tree.folders?.some(({ path }) => path === 'INBOX')).toBe(true)
})

test('STATUS and QUOTA', async () => {
  const flow = await client()
  const path = await filled(flow, 3)
  const status = await flow.status(path, {
    messages: true,
    recent: true,
    uidNext: true,
    uidValidity: true,
    unseen: true,
    highestModseq: true,
    size: true,
    deleted: true,
  })
  expect(status).toMatchObject({ messages: 3, unseen: 3, uidNext: 4, deleted: 0 })
  expect(status || {}).toHaveProperty('highestModseq', expect.any(BigInt))
  const quota = await flow.getQuota(path)
  expect(quota).toBeTruthy()
  expect(used(flow, /^GETQUOTAROOT/)).toBe(true)
})

test('APPEND with flags, date and UID (UIDPLUS); what is fetched is what was appended', async () => {
  const flow = await client()
  const path = await filled(flow, 0)
  const at = new Date('2021-03-04T05:06:07Z')
  const appended = await flow.append(path, mail(7), ['\\Seen', '\\Flagged', '$Forwarded'], at)
  expect(appended).toMatchObject({ destination: path, uid: 1 })
  expect(appended || {}).toHaveProperty('uidValidity', expect.any(BigInt))
  await flow.mailboxOpen(path)
  const one = await flow.fetchOne('1', {
    uid: true,
    flags: true,
    internalDate: true,
    size: true,
    source: true,
    envelope: true,
    bodyStructure: true,
    threadId: true,
    headers: ['subject', 'x-none'],
    bodyParts: ['1', '2.mime', { key: 'text', start: 2, maxLength: 5 }],
  })
  if (!one) throw new Error('no message')
  expect(one.source?.toString('latin1')).toBe(mail(7))
  expect(new Date(one.internalDate ?? 0).getTime()).toBe(at.getTime())
  expect([...(one.flags ?? [])].sort()).toEqual(['$Forwarded', '\\Flagged', '\\Seen'])
  expect(one.size).toBe(mail(7).length)
  expect(one.emailId).toBeTruthy()
  expect(one.threadId).toBeTruthy()
  expect(one.modseq).toBeGreaterThan(0n)
  expect(one.envelope).toMatchObject({
    subject: 'number 7',
    messageId: '<7@example.org>',
    from: [{ name: 'Person 7', address: 'person7@example.org' }],
  })
  expect(one.bodyStructure?.childNodes?.map(({ part, type }) => [part, type])).toEqual([
    ['1', 'text/plain'],
    ['2', 'image/png'],
  ])
  expect(one.headers?.toString()).toMatch(/^Subject: number 7\r\n\r\n$/i)
  expect(one.bodyParts?.get('text')?.toString()).toBe('b\r\nCo')
})

test('downloads: whole, in chunks, and decoded by the server (BINARY)', async () => {
  const flow = await client()
  const path = await filled(flow, 1)
  const picture = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7919) % 251))
  const text = (parts: string) =>
    `Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${parts}--b--\r\n`
  const part = (encoding: string, body: string) =>
    `--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}\r\n`
  const base64 = picture.toString('base64').replace(/.{76}/g, '$&\r\n')
  const binary = Buffer.from(Array.from({ length: 3000 }, (_, i) => i % 256)).toString('latin1')
  await flow.append(path, text(part('base64', base64) + part('base64', 'QQ==')))
  // As a literal8, since NUL is in it.
  await flow.append(path, Buffer.from(text(part('binary', binary) + part('7bit', 'A')), 'latin1'))
  await flow.mailboxOpen(path)
  const read = async (range: string, part?: string, options = {}): Promise<Buffer> => {
    const { content } = await flow.download(range, part, options)
    if (!content) throw new Error('not found')
    const chunks: Buffer[] = []
    for await (const chunk of content) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }
  expect((await read('1')).toString('latin1')).toBe(mail(1))
  expect((await read('1', '1')).toString()).toBe('Grüße number 1')
  expect(await read('1', '2')).toEqual(Buffer.alloc(60, 1))
  for (const options of [{}, { chunkSize: 1000 }, { binary: true }, { binary: true, chunkSize: 10_000 }])
    expect((await read('2', '1', options)).equals(picture), JSON.stringify(options)).toBe(true)
  expect(used(flow, /BINARY\.PEEK\[1\]/)).toBe(true)
  expect((await read('3', '1', { binary: true })).toString('latin1')).toBe(binary)
  expect((await read('3', '1')).toString('latin1')).toBe(binary)
  const many = await flow.downloadMany('1', ['1', '2'], { binary: true })
  expect(many).toMatchObject({ 2: { meta: { contentType: 'image/png' }, content: Buffer.alloc(60, 1) } })
})

test('STORE: replace, add, remove, UNCHANGEDSINCE; SEARCH in its ways', async () => {
  const flow = await client()
  const path = await filled(flow, 10)
  const { highestModseq } = await flow.mailboxOpen(path)
  expect(await flow.messageFlagsAdd('1:3', ['\\Seen', 'work'])).toBe(true)
  expect(await flow.messageFlagsRemove({ uid: '2' }, ['work'])).toBe(true)
  expect(await flow.messageFlagsSet('4', ['\\Answered'], { uid: true })).toBe(true)
  // That flag was changed meanwhile, so the condition fails (RFC 7162 §3.1.3).
  await flow.messageFlagsRemove('1', ['\\Seen'], { unchangedSince: highestModseq! })
  expect(await flow.search({ flagged: true })).toEqual([])
  const search = (query: Parameters<ImapFlow['search']>[0]) => flow.search(query, { uid: true })
  expect(await search({ seen: true })).toEqual([1, 2, 3])
  expect(await search({ keyword: 'work' })).toEqual([1, 3])
  expect(await search({ unKeyword: 'work', seq: '1:4' })).toEqual([2, 4])
  expect(await search({ or: [{ subject: 'number 9' }, { answered: true }] })).toEqual([4, 9])
  expect(await search({ not: { from: 'person' } })).toEqual([])
  expect(await search({ body: 'Grüße number 5' })).toEqual([5])
  // Sent as YOUNGER, to the second: no message lies at the edge.
  expect(await search({ since: new Date(Date.UTC(2022, 1, 8, 12)) })).toEqual([9, 10])
  expect(await search({ header: { 'message-id': '<6@example.org>' } })).toEqual([6])
  expect(await search({ larger: 100, smaller: 1000, uid: '8:*' })).toEqual([8, 9, 10])
  expect(await search({ modseq: (highestModseq ?? 0n) + 1n })).toEqual([1, 2, 3, 4])
  const first = await flow.fetchOne('5', { threadId: true })
  if (!first) throw new Error('no message')
  expect(await search({ emailId: first.emailId })).toEqual([5])
  expect(await search({ threadId: first.threadId })).toEqual([5])
  expect(
    await flow.search({ all: true }, { returnOptions: ['MIN', 'MAX', 'COUNT', 'ALL'], uid: true } as never),
  ).toMatchObject({
    min: 1,
    max: 10,
    count: 10,
  })
})

test('COPY, MOVE and their UIDs; UID EXPUNGE takes only what it names', async () => {
  const flow = await client()
  const [from, to] = [await filled(flow, 6), await filled(flow, 1)]
  await flow.mailboxOpen(from)
  const copied = await flow.messageCopy('1:2', to)
  expect(copied && [...(copied.uidMap ?? [])]).toEqual([
    [1, 2],
    [2, 3],
  ])
  const moved = await flow.messageMove('3:4', to, { uid: true })
  expect(moved && [...(moved.uidMap ?? [])]).toEqual([
    [3, 4],
    [4, 5],
  ])
  expect(used(flow, /^UID MOVE/)).toBe(true)
  expect(flow.mailbox).toMatchObject({ exists: 4 })
  await flow.messageFlagsAdd('1', ['\\Deleted'], { uid: true })
  await flow.messageDelete('2', { uid: true })
  expect(used(flow, /^UID EXPUNGE 2$/)).toBe(true)
  expect(await flow.search({ all: true }, { uid: true })).toEqual([1, 5, 6])
})

interface Seen {
  readonly exists: [count: number, before: number][]
  readonly expunged: number[]
  readonly flags: [uid: number | undefined, flags: string][]
}
function watch(flow: Client): Seen {
  const seen: Seen = { exists: [], expunged: [], flags: [] }
  flow.on('exists', ({ count, prevCount }) => seen.exists.push([count, prevCount]))
  flow.on('expunge', ({ uid, seq }) => seen.expunged.push(uid ?? -(seq ?? 0)))
  flow.on('flags', ({ uid, flags }) => seen.flags.push([uid, [...(flags ?? [])].join(' ')]))
  return seen
}
async function until(found: () => unknown): Promise<void> {
  for (let i = 0; i < 300 && !found(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
}

test.each([
  true,
  false,
])('IDLE: EXISTS, flags and EXPUNGE of another connection; QRESYNC %s', async (qresync) => {
  const [writer, watcher] = [await client(), await client({ qresync })]
  const path = await filled(writer, 3)
  await writer.mailboxOpen(path)
  await watcher.mailboxOpen(path)
  const seen = watch(watcher)
  const idling = watcher.idle()
  await until(() => watcher.idling)
  await writer.append(path, mail(4))
  await until(() => seen.exists.length > 0)
  expect(seen.exists).toEqual([[4, 3]])
  await writer.messageFlagsAdd('2', ['\\Flagged'])
  await until(() => seen.flags.length > 0)
  expect(seen.flags).toEqual([[2, expect.stringMatching(/Flagged/)]])
  await writer.messageDelete('2:3', { uid: true })
  await until(() => seen.expunged.length > 1)
  // Without QRESYNC there are numbers: 2 twice, or 3 and 2.
  if (qresync) expect(seen.expunged.toSorted()).toEqual([2, 3])
  else
    expect([
      [-2, -2],
      [-3, -2],
    ]).toContainEqual(seen.expunged)
  expect(watcher.mailbox).toMatchObject({ exists: 2 })
  // It goes on: what the watcher asks breaks IDLE, and the view is the store's.
  expect(await watcher.search({ all: true }, { uid: true })).toEqual([1, 4])
  await idling
})

test('QRESYNC: what changed while away comes with SELECT, also over a broken connection', async () => {
  const [writer, first] = [await client(), await client()]
  const path = await filled(writer, 8)
  const { uidValidity, highestModseq } = await first.mailboxOpen(path)
  first.close()
  await writer.mailboxOpen(path)
  await writer.messageFlagsAdd('1', ['\\Answered'], { uid: true })
  await writer.messageDelete('3:5', { uid: true })
  await writer.append(path, mail(9))
  const again = await client()
  const seen = watch(again)
  const events: number[] = []
  again.on('expunge', ({ uid, vanished, earlier }) => vanished && earlier && events.push(uid ?? 0))
  const opened = await again.mailboxOpen(path, { changedSince: highestModseq, uidValidity } as never)
  expect(used(again, /^SELECT .*\(QRESYNC \(\d+ \d+\)\)/)).toBe(true)
  await until(() => seen.expunged.length > 2)
  expect(events).toEqual([3, 4, 5])
  expect(opened.exists).toBe(6)
  expect(seen.flags).toContainEqual([1, '\\Answered'])
  expect(seen.flags.map(([uid]) => uid)).toEqual([1, 9])
  const changed: number[] = []
  for await (const { uid } of again.fetch('1:*', { flags: true }, { changedSince: highestModseq! }))
    changed.push(uid)
  expect(changed).toEqual([1, 9])
})

test('two locks of two mailboxes in one connection, and LOGOUT', async () => {
  const flow = await client()
  const [a, b] = [await filled(flow, 2), await filled(flow, 3)]
  const counts = await Promise.all(
    [a, b, a].map(async (path) => {
      const lock = await flow.getMailboxLock(path)
      try {
        return (await flow.fetchAll('1:*', { flags: true })).length
      } finally {
        lock.release()
      }
    }),
  )
  expect(counts).toEqual([2, 3, 2])
  const closed = once(flow, 'close')
  await flow.logout()
  await closed
  expect(gateway.logged.filter(({ level }) => level === 'error')).toEqual([])
})
