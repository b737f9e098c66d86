/** The suite of the MailStore interface: every engine runs it, on a store of its own. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Directory } from '../../src/auth/credentials.ts'
import { casemap } from '../../src/model/casemap.ts'
import type { Fault } from '../../src/model/fault.ts'
import type { NewMessage } from '../../src/model/queue.ts'
import type {
  AccountChange,
  AccountView,
  MailStore,
  Message,
  MessageQuery,
  OperationResult,
  SearchTerm,
  SortKey,
  StoreOperation,
  Uid,
} from '../../src/store/store.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { searchableText, textHolds } from '../../src/wire/mime/search-text.ts'

export interface StoreUnderTest {
  readonly store: MailStore
  readonly directory: Directory
  /** Resolves when the full-text index, if there is one, knows everything. */
  indexed(): Promise<void>
  readonly hasIndex: boolean
  /** What the engine's own check finds wrong. */
  check(): Promise<readonly string[]>
  close(): Promise<void>
}

export function mailStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let under: StoreUnderTest
    let account: number
    let people = 0

    beforeAll(async () => {
      under = await open()
    })
    afterAll(async () => {
      expect(await under.check()).toEqual([])
      await under.close()
    })

    /** Every test has an account of its own. */
    const newAccount = async (): Promise<number> => {
      const address = `person${++people}@example.net`
      await under.directory.put(address, 'secret')
      account = (await under.directory.find(address))!.id
      return account
    }
    const write = (...operations: StoreOperation[]) => under.store.write(account, operations)
    const view = <T>(fn: (view: AccountView) => Promise<T>) => under.store.read(account, fn)
    const named = (mailbox: string) => view((v) => v.mailbox(mailbox))
    const idOf = async (mailbox: string) => (await named(mailbox))!.id
    const mail = (text: string, flags: string[] = []): NewMessage => {
      const octets = Buffer.from(text.replaceAll('\n', '\r\n'))
      return { octets: [octets], digest: digestMessage(octets), internalDate: 1_700_000_000_000, flags }
    }
    const append = async (mailbox: string, ...messages: NewMessage[]): Promise<readonly Uid[]> => {
      const [done] = await write({ op: 'append', mailbox: await idOf(mailbox), messages })
      return (done as OperationResult & { op: 'append' }).uids
    }
    const messages = (mailbox: number, query: MessageQuery) =>
      view(async (v) => {
        const all: Message[] = []
        for await (const batch of v.messages(mailbox, query)) all.push(...batch)
        return all
      })
    const kind = (promise: Promise<unknown>) =>
      promise.then(
        () => 'done',
        (fault: Fault) => fault.kind,
      )
    const changesOf = async (fn: () => Promise<unknown>): Promise<AccountChange[]> => {
      const seen: AccountChange[] = []
      const stop = under.store.watch(account, (change) => seen.push(change))
      await fn()
      stop()
      return seen
    }
    const events = async (fn: () => Promise<unknown>) => (await changesOf(fn)).flatMap((c) => c.events)

    test('LX-18, LX-19, LX-21: a special use is held by one mailbox', async () => {
      await newAccount()
      await write({ op: 'create', name: 'Sent', use: ['\\Sent'] })
      expect(await named('Sent')).toMatchObject({ specialUse: ['\\Sent'] })
      expect(await kind(write({ op: 'create', name: 'Sent 2', use: ['\\Sent'] }))).toBe('in-use')
      expect(await named('Sent 2')).toBeUndefined()
      await write({ op: 'create', name: 'Other', use: ['\\Drafts', '\\Junk'] })
      const other = await idOf('Other')
      const take = { op: 'special-use', mailbox: other, use: ['\\Sent'], take: true } as const
      expect(await kind(write({ ...take, take: false }))).toBe('in-use')
      const told = await events(() => write(take))
      expect(told).toEqual([
        { kind: 'special-use', mailbox: await idOf('Sent'), use: [] },
        { kind: 'special-use', mailbox: other, use: ['\\Sent'] },
      ])
      await write({ op: 'rename', from: 'Other', to: 'Sent mail' })
      expect(await named('Sent mail')).toMatchObject({ specialUse: ['\\Sent'] })
      expect(await named('Sent')).toMatchObject({ specialUse: [] })
    })

    test('MD-06, MD-07, MD-11, QR-50: annotations: all or nothing, octets kept, the mailbox changes', async () => {
      await newAccount()
      const inbox = await idOf('INBOX')
      const before = (await named('INBOX'))!.highestModSeq
      const value = Buffer.from([0, 255, 13, 10])
      const told = await events(() =>
        write({
          op: 'metadata',
          mailbox: inbox,
          entries: [
            { name: '/private/Comment', value },
            { name: '/shared/empty', value: new Uint8Array() },
          ],
        }),
      )
      expect(told).toEqual([
        { kind: 'metadata', mailbox: inbox, entries: ['/private/comment', '/shared/empty'] },
      ])
      const entries = await view((v) => v.metadata(inbox))
      expect(entries.map((e) => [e.name, Buffer.from(e.value).toString('hex')])).toEqual([
        ['/private/comment', '00ff0d0a'],
        ['/shared/empty', ''],
      ])
      expect((await named('INBOX'))!.highestModSeq).toBeGreaterThan(before)
      const half = write({
        op: 'metadata',
        mailbox: inbox,
        entries: [
          { name: '/private/comment', value: null },
          { name: '/private/big', value: new Uint8Array(65_537) },
        ],
      })
      expect(await kind(half)).toBe('too-large')
      expect(await view((v) => v.metadata(inbox))).toHaveLength(2)
      await write({ op: 'metadata', mailbox: null, entries: [{ name: '/shared/comment', value }] })
      expect(await view((v) => v.metadata(null))).toHaveLength(1)
      const nothing = await changesOf(() =>
        write({ op: 'metadata', mailbox: null, entries: [{ name: '/private/none', value: null }] }),
      )
      expect(nothing).toEqual([])
      const many = Array.from({ length: 1001 }, (_, i) => ({ name: `/private/${i}`, value }))
      expect(await kind(write({ op: 'metadata', mailbox: null, entries: many }))).toBe('over-quota')
    })

    test('MD-13, MD-15: annotations follow RENAME, INBOX keeps hers, DELETE drops them, nobody else sees them', async () => {
      const alice = await newAccount()
      const set = async (mailbox: string) =>
        write({
          op: 'metadata',
          mailbox: await idOf(mailbox),
          entries: [{ name: '/private/comment', value: Buffer.from('x') }],
        })
      const count = async (mailbox: string) => {
        const id = await idOf(mailbox)
        return (await view((v) => v.metadata(id))).length
      }
      await write({ op: 'create', name: 'a/b' })
      await set('a/b')
      await set('INBOX')
      await write({ op: 'rename', from: 'a', to: 'c' }, { op: 'rename', from: 'INBOX', to: 'old' })
      expect([await count('c/b'), await count('INBOX'), await count('old')]).toEqual([1, 1, 1])
      const id = await idOf('c/b')
      await newAccount()
      expect(await view((v) => v.metadata(id))).toEqual([])
      account = alice
      await write({ op: 'delete', name: 'c/b' }, { op: 'create', name: 'c/b' })
      expect(await count('c/b')).toBe(0)
    })

    test('OB-02, OB-03: MAILBOXID stays over RENAME; a mailbox made again has another', async () => {
      await newAccount()
      await write({ op: 'create', name: 'a/b' })
      const { objectId } = (await named('a'))!
      await write({ op: 'rename', from: 'a', to: 'd' })
      expect((await named('d'))!.objectId).toBe(objectId)
      // With a child the name stays; made again it is another mailbox all the same.
      await append('d', mail('Subject: x\n\nbody'))
      await write({ op: 'delete', name: 'd' })
      expect(await named('d')).toMatchObject({ selectable: false, messages: 0, octets: 0 })
      await write({ op: 'create', name: 'd' })
      expect((await named('d'))!.objectId).not.toBe(objectId)
      expect(await messages(await idOf('d'), {})).toEqual([])
      expect(await append('d', mail('Subject: x\n\nbody'))).toEqual([1])
    })

    test('QU-04, QU-05, QU-06: usage is kept; what grows beyond a limit is refused and told', async () => {
      await newAccount()
      const inbox = await idOf('INBOX')
      const message = mail(`Subject: x\n\n${'x'.repeat(900)}`)
      const size = message.digest.size
      await append('INBOX', message, mail('Subject: y\n\ny'))
      const used = size + mail('Subject: y\n\ny').digest.size
      expect(await view((v) => v.quota())).toEqual({
        octets: { used, limit: undefined },
        messages: { used: 2, limit: undefined },
      })
      expect(await events(() => write({ op: 'quota', octets: used + 10, messages: 5 }))).toEqual([
        { kind: 'quota', state: 'changed', resource: 'octets', used, limit: used + 10 },
        { kind: 'quota', state: 'changed', resource: 'messages', used: 2, limit: 5 },
      ])
      const refused = await events(async () =>
        expect(await kind(append('INBOX', message))).toBe('over-quota'),
      )
      expect(refused).toEqual([
        { kind: 'quota', state: 'exceeded', resource: 'octets', used, limit: used + 10 },
      ])
      const copy = { op: 'copy', from: inbox, uids: [{ from: 1, to: 1 }], to: inbox } as const
      expect(await kind(write(copy))).toBe('over-quota')
      // MOVE needs no room, and neither does what replaces a message of its size (RFC 8508 §3.4).
      await write({ op: 'create', name: 'b' }, { ...copy, op: 'move', to: inbox })
      await write(
        { op: 'append', mailbox: inbox, messages: [message] },
        { op: 'expunge', mailbox: inbox, uids: [{ from: 3, to: 3 }], onlyDeleted: false },
      )
      expect(await under.store.hasRoom(account, 10)).toBe(true)
      expect(await events(() => under.store.hasRoom(account, 11))).toMatchObject([
        { kind: 'quota', state: 'exceeded', resource: 'octets' },
      ])
      await write({
        op: 'flags',
        mailbox: inbox,
        uids: [{ from: 1, to: 9 }],
        change: { mode: 'add', flags: ['\\Deleted'] },
      })
      expect(await named('INBOX')).toMatchObject({ deleted: 2, deletedOctets: used })
      await write({ op: 'quota', octets: used, messages: 2 })
      const freed = await events(() =>
        write({ op: 'expunge', mailbox: inbox, uids: 'all', onlyDeleted: true }),
      )
      expect(freed.filter((e) => e.kind === 'quota')).toMatchObject([
        { state: 'within', resource: 'octets', used: 0 },
        { state: 'within', resource: 'messages', used: 0 },
      ])
      await append('b', message)
      await write({ op: 'delete', name: 'b' })
      expect((await view((v) => v.quota())).octets.used).toBe(0)
    })

    test('RFC 8508 §3.4: a replacement is whole or not at all', async () => {
      await newAccount()
      const inbox = await idOf('INBOX')
      await append('INBOX', mail('Subject: draft 1\n\n'))
      const replace = (mailbox: number): StoreOperation[] => [
        { op: 'append', mailbox, messages: [mail('Subject: draft 2\n\n')] },
        { op: 'expunge', mailbox: inbox, uids: [{ from: 1, to: 1 }], onlyDeleted: false },
      ]
      expect(await kind(write(...replace(999_999)))).toBe('not-found')
      expect((await messages(inbox, {})).map((m) => m.uid)).toEqual([1])
      await write(...replace(inbox))
      expect((await messages(inbox, { digest: true })).map((m) => [m.uid, m.digest.baseSubject])).toEqual([
        [2, 'draft 2'],
      ])
    })

    test('UA-11, UA-30, UA-34: access keys are made on demand, reset, and die with their mailbox', async () => {
      await newAccount()
      await write({ op: 'create', name: 'm' })
      const inbox = await idOf('INBOX')
      const other = await idOf('m')
      expect(await view((v) => v.accessKey(inbox))).toBeUndefined()
      const made = async (mailbox: number) =>
        ((await write({ op: 'access-key', mailbox }))[0] as OperationResult & { op: 'access-key' }).key
      const key = await made(inbox)
      expect(key).toHaveLength(32)
      expect(await made(inbox)).toEqual(key)
      expect(await view((v) => v.accessKey(inbox))).toEqual(key)
      await made(other)
      expect(await events(() => write({ op: 'reset-keys', mailbox: inbox }))).toEqual([
        { kind: 'access-keys', mailbox: inbox },
      ])
      expect(await view((v) => v.accessKey(inbox))).not.toEqual(key)
      await write({ op: 'reset-keys', mailbox: 'all' })
      expect(await view((v) => v.accessKey(other))).toBeUndefined()
      await made(other)
      await write({ op: 'delete', name: 'm' })
      expect(await view((v) => v.accessKey(other))).toBeUndefined()
      expect(await kind(write({ op: 'access-key', mailbox: other }))).toBe('not-found')
    })

    test('OB-04 to OB-08: EMAILID and THREADID: threads by msg-ids and subject, kept by COPY, found by SEARCH', async () => {
      await newAccount()
      await append(
        'INBOX',
        mail('Message-ID: <1@x>\nSubject: Lunch\n\n'),
        mail('Message-ID: <2@x>\nReferences: <1@x>\nSubject: Re: Lunch\n\n'),
        // Another subject: another conversation, although it names the first.
        mail('Message-ID: <3@x>\nReferences: <1@x>\nSubject: Dinner\n\n'),
        // A handset that names nobody.
        mail('Message-ID: <4@x>\nSubject: Re: lunch\n\n'),
        // No reply: nothing but the same words.
        mail('Message-ID: <5@x>\nSubject: Lunch\n\n'),
        // The answer came before what it answers; one id is quoted.
        mail('Message-ID: <7@x>\nIn-Reply-To: <"6"@x>\nSubject: Re: Late\n\n'),
        mail('Message-ID: <6@x>\nSubject: Late\n\n'),
        mail('\n\n'),
      )
      const inbox = await idOf('INBOX')
      const all = await messages(inbox, { threadId: true })
      const names = [...new Set(all.map((m) => m.threadId))]
      expect(all.map((m) => names.indexOf(m.threadId))).toEqual([0, 0, 1, 0, 2, 3, 3, 4])
      for (const m of all) {
        expect(m.threadId).toMatch(/^T\d+$/)
        expect(m.emailId).toMatch(/^M\d+$/)
      }
      await write(
        { op: 'create', name: 'b' },
        { op: 'copy', from: inbox, uids: [{ from: 2, to: 2 }], to: inbox },
      )
      const copied = (await messages(inbox, { threadId: true })).at(-1)!
      expect([copied.emailId, copied.threadId]).toEqual([all[1]!.emailId, all[1]!.threadId])
      const found = async (term: SearchTerm) => [...(await view((v) => v.search(inbox, term))).matches]
      expect(await found({ in: 'thread-id', id: all[0]!.threadId })).toEqual([1, 2, 4, 9])
      expect(await found({ in: 'email-id', id: all[1]!.emailId })).toEqual([2, 9])
      expect(await found({ in: 'email-id', id: all[1]!.threadId })).toEqual([])
    })

    test('QR-45, QR-56: changes() tells what changed since; gaps() what never was there', async () => {
      await newAccount()
      const inbox = await idOf('INBOX')
      await append('INBOX', ...Array.from({ length: 10 }, () => mail('Subject: x\n\n')))
      const since = (await named('INBOX'))!.highestModSeq
      await write({
        op: 'flags',
        mailbox: inbox,
        uids: [{ from: 9, to: 9 }],
        change: { mode: 'add', flags: ['\\Seen'] },
      })
      await write({
        op: 'flags',
        mailbox: inbox,
        uids: [{ from: 2, to: 2 }],
        change: { mode: 'add', flags: ['$X'] },
      })
      await write({ op: 'expunge', mailbox: inbox, uids: [{ from: 3, to: 5 }], onlyDeleted: false })
      await write({ op: 'expunge', mailbox: inbox, uids: [{ from: 6, to: 7 }], onlyDeleted: false })
      const middle = (await named('INBOX'))!.highestModSeq
      await append('INBOX', mail('Subject: y\n\n'))
      const changes = await view((v) => v.changes(inbox, since))
      expect(changes.messages.map((m) => [m.uid, m.flags, m.createdModSeq > since])).toEqual([
        [2, ['$X'], false],
        [9, ['\\Seen'], false],
        [11, [], true],
      ])
      expect(changes.vanished).toEqual([{ from: 3, to: 7 }])
      expect(await view((v) => v.changes(inbox, middle))).toMatchObject({ vanished: [] })
      expect(await view((v) => v.gaps(inbox))).toEqual([{ from: 3, to: 7 }])
      expect([...(await view((v) => v.uids(inbox)))]).toEqual([1, 2, 8, 9, 10, 11])
      expect((await messages(inbox, { changedSince: since })).map((m) => m.uid)).toEqual([2, 9, 11])
      const within = { uids: [{ from: 5, to: 10 }], changedSince: since }
      expect((await messages(inbox, within)).map((m) => m.uid)).toEqual([9])
    })

    test('QR-17: UNCHANGEDSINCE 0 fails for system flags, and for keywords that the message has', async () => {
      await newAccount()
      const inbox = await idOf('INBOX')
      await append('INBOX', mail('\n\n', ['$X']), mail('\n\n'))
      const store = async (flag: string) => {
        const [done] = await write({
          op: 'flags',
          mailbox: inbox,
          uids: [{ from: 1, to: 2 }],
          change: { mode: 'add', flags: [flag], unchangedSince: 0 },
        })
        return (done as OperationResult & { op: 'flags' }).modified
      }
      expect(await store('\\Seen')).toEqual([1, 2])
      expect(await store('$X')).toEqual([1])
    })

    test('SE-18: too many keywords are refused, and nothing of the change is kept', async () => {
      await newAccount()
      const inbox = await idOf('INBOX')
      await append('INBOX', mail('\n\n'), mail('\n\n'))
      const store = (uid: number, from: number, count: number) =>
        write({
          op: 'flags',
          mailbox: inbox,
          uids: [{ from: uid, to: uid }],
          change: { mode: 'replace', flags: Array.from({ length: count }, (_, i) => `k${from + i}`) },
        })
      expect(await kind(store(1, 0, 257))).toBe('limit')
      expect((await named('INBOX'))!.keywords).toEqual([])
      await store(1, 0, 256)
      const one = { mode: 'add', flags: ['k0', 'more'] } as const
      const more = write({ op: 'flags', mailbox: inbox, uids: [{ from: 1, to: 2 }], change: one })
      expect(await kind(more)).toBe('limit')
      expect((await messages(inbox, {})).map((m) => m.flags.length)).toEqual([256, 0])
      for (let from = 256; from < 4096; from += 256) await store(2, from, 256)
      expect(await kind(store(2, 4096, 1))).toBe('limit')
      expect((await named('INBOX'))!.keywords).toHaveLength(4096)
    })

    test('NT-05, NT-06, NT-07, NT-16, NT-30: watchers hear what happened, from whom, in order', async () => {
      await newAccount()
      const seen: AccountChange[] = []
      const stop = under.store.watchAll((change) => seen.push(change))
      await under.store.write(account, [{ op: 'create', name: 'a/b' }], 77)
      expect(seen).toMatchObject([{ account, origin: 77, names: true, mailboxes: [] }])
      stop()
      const a = await idOf('a')
      const b = await idOf('a/b')
      expect(seen[0]!.events).toEqual([
        { kind: 'created', mailbox: a, name: 'a', implied: true },
        { kind: 'created', mailbox: b, name: 'a/b', implied: false },
      ])
      expect(await events(() => write({ op: 'rename', from: 'a', to: 'c' }))).toEqual([
        { kind: 'renamed', mailbox: a, from: 'a', to: 'c', implied: false },
        { kind: 'renamed', mailbox: b, from: 'a/b', to: 'c/b', implied: true },
      ])
      const subscribe = { op: 'subscribe', name: 'c', subscribed: true } as const
      expect(await events(() => write(subscribe, subscribe))).toEqual([
        { kind: 'subscription', name: 'c', subscribed: true },
      ])
      const inbox = await idOf('INBOX')
      expect(
        await events(() => append('INBOX', mail('\n\n'), mail('\n\n', ['\\Seen']), mail('\n\n'))),
      ).toEqual([{ kind: 'added', mailbox: inbox, uids: [{ from: 1, to: 3 }], delivered: false }])
      const change = { mode: 'replace', flags: ['\\Seen', '$X'] } as const
      expect(
        await events(() => write({ op: 'flags', mailbox: inbox, uids: [{ from: 1, to: 3 }], change })),
      ).toEqual([
        {
          kind: 'flags',
          mailbox: inbox,
          uids: [
            { from: 1, to: 1 },
            { from: 3, to: 3 },
          ],
          set: ['$X', '\\Seen'],
          cleared: [],
        },
        { kind: 'flags', mailbox: inbox, uids: [{ from: 2, to: 2 }], set: ['$X'], cleared: [] },
      ])
      expect(
        await events(() => write({ op: 'move', from: inbox, uids: [{ from: 2, to: 8 }], to: b })),
      ).toEqual([
        { kind: 'added', mailbox: b, uids: [{ from: 1, to: 2 }], delivered: false },
        { kind: 'expunged', mailbox: inbox, uids: [{ from: 2, to: 3 }] },
      ])
      expect(await events(() => write({ op: 'delete', name: 'c' }))).toEqual([
        { kind: 'deleted', mailbox: a, name: 'c', implied: false },
      ])
      expect(await changesOf(() => kind(write({ op: 'delete', name: 'nosuch' })))).toEqual([])
    })

    test('PV-01, PV-03, PV-06: the preview is stored with the message', async () => {
      await newAccount()
      await append(
        'INBOX',
        mail('Subject: x\n\n> quoted\nHello,\n  world'),
        mail('Content-Type: image/png\n\nx'),
      )
      const rows = await messages(await idOf('INBOX'), { digest: ['preview'] })
      expect(rows.map((m) => m.digest.preview)).toEqual(['Hello, world', ''])
      expect(() => rows[0]!.digest.envelope).toThrow('did not ask')
    })

    test('FE-24, FE-25: a list reads what it shows and nothing else', async () => {
      await newAccount()
      await append('INBOX', mail('Subject: x\n\nx', ['\\Seen', '$Forwarded']), mail('Subject: Grüße\n\nyy'))
      const inbox = await idOf('INBOX')
      const digest = ['envelope', 'ascii'] as const
      const [whole, brief] = [
        await messages(inbox, { digest }),
        await messages(inbox, { digest, brief: true }),
      ]
      const shown = ({
        uid,
        flags,
        internalDate,
        internalOffsetMinutes,
        size,
        utf8Size,
        digest,
      }: Message) => ({
        ...{ uid, flags, internalDate, internalOffsetMinutes, size, utf8Size },
        ...{ envelope: digest.envelope, ascii: digest.ascii },
      })
      expect(brief.map(shown)).toEqual(whole.map(shown))
      expect(whole.map((m) => [m.modSeq, m.createdModSeq, m.blob > 0, m.savedAt > 0])).toEqual(
        whole.map((m) => [m.modSeq, m.modSeq, true, true]),
      )
      for (const ask of ['modSeq', 'createdModSeq', 'savedAt', 'blob', 'emailId'] as const)
        expect(() => brief[0]![ask]).toThrow('asked for little')
    })

    const sortable = [
      'From: "Zoe" <anna@x>\nTo: Group: b@c;\nSubject: Re: banana\nDate: Mon, 7 Feb 2022 10:00:00 +0100\n\nx',
      'From: =?utf-8?Q?=C3=84nne?= <zed@x>\nTo: zz@x\nCc: q@x\nSubject: [list] Apple\nDate: Mon, 7 Feb 2022 09:30:00 +0000\n\nxxxxx',
      'From: bob@x\nTo: Anna <aa@x>\nSubject: fwd: apple (fwd)\nDate: no date\n\nxx',
      'Subject: =?utf-8?B?w4RwZmVs?=\n\nxxx',
    ]

    test('SO-02 to SO-08, IN-02: SORT keys from what was stored', async () => {
      await newAccount()
      await append('INBOX', ...sortable.map((text) => mail(text)))
      const inbox = await idOf('INBOX')
      const order = async (...keys: SortKey[]) => [...(await view((v) => v.sorted(inbox, keys)))]
      expect(await order({ by: 'arrival' })).toEqual([1, 2, 3, 4])
      expect(await order({ by: 'arrival', reverse: true })).toEqual([1, 2, 3, 4])
      expect(await order({ by: 'date' })).toEqual([1, 2, 3, 4])
      expect(await order({ by: 'from' })).toEqual([4, 1, 3, 2])
      expect(await order({ by: 'displayFrom' })).toEqual([4, 2, 3, 1])
      expect(await order({ by: 'to' })).toEqual([4, 3, 1, 2])
      expect(await order({ by: 'displayTo' })).toEqual([4, 3, 1, 2])
      expect(await order({ by: 'cc', reverse: true })).toEqual([2, 1, 3, 4])
      expect(await order({ by: 'subject' }, { by: 'size', reverse: true })).toEqual([2, 3, 4, 1])
      expect((await order({ by: 'size' })).at(-1)).toBe(2)
    })

    test('SO-11, SO-12: what THREAD needs', async () => {
      await newAccount()
      await append(
        'INBOX',
        ...sortable.map((text) => mail(text)),
        mail('Message-ID: <"a"@b>\nReferences: <1@x> <2@x>\n\n'),
      )
      const inbox = await idOf('INBOX')
      const keys = await view(async (v) => {
        const all = []
        for await (const batch of v.threadKeys(inbox)) all.push(...batch)
        return all
      })
      expect(keys.map((k) => [k.uid, k.subject, k.isReply])).toEqual([
        [1, 'BANANA', true],
        [2, 'APPLE', false],
        [3, 'APPLE', true],
        [4, 'A\u0308PFEL', false],
        [5, '', false],
      ])
      expect(keys[2]!.sentAt).toBe(1_700_000_000_000)
      expect(keys[4]).toMatchObject({ messageId: 'a@b', references: ['1@x', '2@x'] })
    })

    test('SR-05, SR-06, SR-21, IN-02: header SEARCH on the stored header', async () => {
      await newAccount()
      const long = `X-Long: ${'y '.repeat(20_000)}end`
      await append(
        'INBOX',
        ...sortable.map((text) => mail(text)),
        mail('From: a@x\nX-Foo: one\nX-Foo: two\n three\nX-Empty:\n\nFrom: no header'),
        mail(`From: long@x\n${long}\n\n`),
      )
      const inbox = await idOf('INBOX')
      const found = async (field: string, needle: string) => {
        const hits = await view((v) => v.search(inbox, { in: 'header', field, needle }))
        // Of the last message too little is kept to say no; the index may.
        expect([[], [6]]).toContainEqual([...hits.maybe])
        return [...hits.matches]
      }
      expect(await found('from', '\u00e4NN')).toEqual([2])
      expect(await found('From', 'ann')).toEqual([1])
      expect(await found('From', 'A')).toEqual([1, 2, 5])
      expect(await found('Subject', 'apfel')).toEqual([])
      expect(await found('Subject', 'pfel')).toEqual([4])
      expect(await found('X-Foo', 'two three')).toEqual([5])
      expect(await found('X-Foo', 'one\nX-FOO')).toEqual([])
      expect(await found('X-Empty', '')).toEqual([5])
      expect(await found('X-Fo', '')).toEqual([])
      expect(await found('From', 'no header')).toEqual([])
      expect(await found('From', 'long')).toEqual([6])
    })

    /** Verified UIDs of TEXT or BODY, and how many messages had to be looked into. */
    const searched = async (mailbox: number, scope: 'text' | 'body', needle: string) => {
      const hits = await view((v) => v.search(mailbox, { in: scope, needle }))
      const blobs = new Map((await messages(mailbox, {})).map((m) => [m.uid, m.blob]))
      const uids = [...hits.matches]
      for (const uid of hits.maybe)
        if (textHolds(searchableText(await under.store.readBlob(blobs.get(uid)!)), scope, needle))
          uids.push(uid)
      return { uids: uids.sort((a, b) => a - b), looked: hits.maybe.length }
    }

    const texts = [
      'Subject: first\n\nThe quick brown fox',
      'Subject: =?utf-8?Q?Stra=C3=9Fe?=\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nRWlu\nZSBrdXJ6ZSBOYWNocmljaHQ6IEdyw7zDn2U=',
      'Subject: third\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nthe end\n--b\nContent-Type: image/png; name=quick.png\n\nsecret\n--b--',
      'Subject: fourth\nContent-Type: text/plain; charset=utf-8\n\n\u4f1a\u8b70\u306f\u6771\u4eac',
      'Subject: fifth\nContent-Type: text/plain; charset=utf-8\n\ncaf\u00e9 CAFE\u0301 a"b" x',
      'Subject: ab\n\n',
    ]
    const needles = [
      ['QUICK', [1, 3], [1, 3]],
      ['k brown f', [1], [1]],
      ['stra\u00dfe', [2], []],
      ['strasse', [], []],
      ['gr\u00dc\u00dfe', [2], [2]],
      ['secret', [], []],
      ['\u4f1a\u8b70', [4], [4]],
      ['\u4eac', [4], [4]],
      ['CAF\u00c9', [5], [5]],
      ['a"b"', [5], [5]],
      ['ject: th', [3], []],
      ['ab', [6], []],
      ['\u{1f600}', [], []],
      ['end', [3], [3]],
      ['NEAR AND OR', [], []],
    ] as const

    test('SR-07, IN-02, IN-03: TEXT and BODY by substring, before the index knows and after', async () => {
      await newAccount()
      await append('INBOX', ...texts.map((text) => mail(text)))
      const inbox = await idOf('INBOX')
      for (const state of ['new', 'indexed']) {
        for (const [needle, text, body] of needles) {
          expect([state, needle, (await searched(inbox, 'text', needle)).uids]).toEqual([
            state,
            needle,
            [...text],
          ])
          expect([state, needle, (await searched(inbox, 'body', needle)).uids]).toEqual([
            state,
            needle,
            [...body],
          ])
        }
        await under.indexed()
      }
      const { looked } = await searched(inbox, 'body', '\u4f1a\u8b70')
      if (under.hasIndex) expect(looked).toBe(1)
      expect((await searched(inbox, 'text', '')).uids).toEqual([1, 2, 3, 4, 5, 6])
      const subject = await view((v) => v.search(inbox, { in: 'header', field: 'Subject', needle: 'TH' }))
      expect([[...subject.matches], [...subject.maybe]]).toEqual([[3, 4, 5], []])
    })

    test('nobody finds the mail of another account or mailbox; copies and later messages are found', async () => {
      await newAccount()
      await append('INBOX', mail('Subject: x\n\nunmistakable'))
      await under.indexed()
      await newAccount()
      await append('INBOX', mail('Subject: y\n\nunmistakable'), mail('Subject: z\n\nother'))
      await under.indexed()
      await write({ op: 'create', name: 'b' })
      const [inbox, b] = [await idOf('INBOX'), await idOf('b')]
      await write({ op: 'copy', from: inbox, uids: [{ from: 1, to: 2 }], to: b })
      await append('INBOX', mail('Subject: new\n\nUnmistakable'))
      expect((await searched(inbox, 'body', 'unmistakable')).uids).toEqual([1, 3])
      expect((await searched(b, 'body', 'unmistakable')).uids).toEqual([1])
      await write({ op: 'expunge', mailbox: inbox, uids: [{ from: 1, to: 1 }], onlyDeleted: false })
      expect((await searched(inbox, 'body', 'unmistakable')).uids).toEqual([3])
    })

    test('law: whatever the texts and the needle, the index rules out no message that holds it', async () => {
      await newAccount()
      const letter = fc.constantFrom(
        'a',
        'B',
        'b',
        '\u00e9',
        'e',
        '\u0301',
        '\u00df',
        's',
        ' ',
        '\u4f1a',
        '\u{1f600}',
        '"',
        '\ufb01',
      )
      const words = fc.string({ unit: letter, maxLength: 12 })
      const bodies = fc.sample(words, { numRuns: 60, seed: 7 })
      const type = 'Content-Type: text/plain; charset=utf-8\n\n'
      await append('INBOX', ...bodies.map((body) => mail(type + body)))
      const inbox = await idOf('INBOX')
      await under.indexed()
      for (const needle of fc.sample(fc.string({ unit: letter, minLength: 1, maxLength: 5 }), {
        numRuns: 80,
        seed: 8,
      })) {
        const truth = bodies.flatMap((body, i) => (casemap(body).includes(casemap(needle)) ? [i + 1] : []))
        expect([needle, (await searched(inbox, 'body', needle)).uids]).toEqual([needle, truth])
      }
    })
  })
}
