/** The embedded engine as the main thread sees it: one writer thread, readers here (D2, D3). */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import type { Credentials, Directory, ScramVerifiers } from '../../auth/credentials.ts'
import type { SessionTokens, TokenLimits } from '../../auth/session-tokens.ts'
import { asFault, Fault } from '../../model/fault.ts'
import type { Spool } from '../../queue/spool.ts'
import type { AccountChange, MailStore } from '../../store/store.ts'
import { createAccounts } from './accounts.ts'
import { authSecret } from './auth-secret.ts'
import { type CompactionTimes, compactionTimes } from './compaction-times.ts'
import { lockFolder } from './folder-lock.ts'
import { Outbox } from './outbox.ts'
import { createPasswords, type Derive } from './passwords.ts'
import { ReaderThread } from './reader-thread.ts'
import type { WriteBatch, WriteBody } from './requests.ts'
import { SegmentReader } from './segments.ts'
import { createSessionTokens } from './session-tokens.ts'
import { createSpool } from './spool.ts'
import { Statements } from './statements.ts'
import { createStore } from './store.ts'
import { attachTextIndex } from './text-index.ts'
import { TextIndexer } from './text-indexer.ts'

export interface Engine {
  readonly store: MailStore
  readonly spool: Spool
  readonly credentials: Credentials
  readonly directory: Directory
  readonly scram: ScramVerifiers
  readonly tokens: SessionTokens
  /** Of this installation, 32 octets (SaslServices.secret). */
  readonly secret: Uint8Array
  /**
   * Resolves, with what was wrong, when the store has stopped by itself: nothing can be written from then on, and who
   * serves must end. Never after close().
   */
  readonly failed: Promise<Fault>
  /** What keeps the store from working, in words; undefined: nothing. */
  problem(): string | undefined
  /** Resolves when the full-text index knows all that was delivered before; at once without one. */
  indexed(): Promise<void>
  /** Writes what waits, then ends. Calls after it are refused; a second one does nothing. */
  close(): Promise<void>
}

export interface EngineOptions {
  /** A new segment is begun once one is as long as this; default 128 MiB. */
  readonly segmentOctets?: number
  readonly compaction?: CompactionTimes | undefined
  readonly now?: () => number
  /**
   * A module that exports searchableText(octets): { header, body }, as wire/mime/search-text does. With it there is a
   * full-text index, filled by a thread that imports it; without, SEARCH of TEXT and BODY looks into every message.
   */
  readonly searchText?: URL
  /** Of session tokens. */
  readonly tokens?: TokenLimits
  /** Key derivation of passwords; default scrypt. */
  readonly derive?: Derive
}

/** What the parts of the engine share. */
export interface Kernel {
  readonly now: () => number
  readonly segments: SegmentReader
  /** Resolves when the change is on disk. @throws Fault */
  write<T>(body: WriteBody, octets?: readonly Uint8Array[]): Promise<T>
  /** Runs on a consistent snapshot, on a connection that nobody else uses meanwhile. */
  snapshot<T>(fn: (sql: Statements) => Promise<T>): Promise<T>
  /** Answers what one statement takes long for. */
  readonly reader: ReaderThread
  /** Statements on the latest commit; each call a snapshot of its own. */
  readonly latest: Statements
  watch(account: number | 'all', onChange: (change: AccountChange) => void): () => void
  /** Tells watchers of something that was no commit: a delivery for which there is no room. */
  tell(change: AccountChange): void
}

/** @throws Fault 'in-use' when another process works on the folder */
export async function openSqlite(folder: string, options: EngineOptions = {}): Promise<Engine> {
  // Mail is nobody else's to read.
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const unlock = lockFolder(folder)
  let secret: Uint8Array
  try {
    secret = authSecret(folder)
  } catch (error) {
    unlock()
    throw error
  }
  const worker = new Worker(new URL('./writer.ts', import.meta.url), {
    workerData: {
      folder,
      segmentOctets: options.segmentOctets ?? 128 * 1024 * 1024,
      compaction: { ...compactionTimes, ...options.compaction },
    },
  })
  const writer = new Writer(worker)
  try {
    await writer.ready
  } catch (error) {
    unlock()
    throw new Fault('unavailable', `the store in ${folder} cannot be opened: ${(error as Error).message}`, {
      cause: error,
    })
  }

  const indexer = options.searchText && new TextIndexer(folder, options.searchText.href)
  const connect = (): Statements => {
    const db = new DatabaseSync(join(folder, 'lemonade.sqlite'), { readOnly: true })
    db.exec('PRAGMA cache_size = -16384')
    if (indexer) attachTextIndex(db, folder)
    return new Statements(db, indexer !== undefined)
  }
  const idle: Statements[] = []
  const latest = connect()
  const kernel: Kernel = {
    now: options.now ?? Date.now,
    segments: new SegmentReader(folder),
    latest,
    reader: new ReaderThread(folder, indexer !== undefined),
    write: (body, octets = []) => writer.write(body, octets),
    async snapshot(fn) {
      const sql = idle.pop() ?? connect()
      sql.run('BEGIN')
      try {
        return await fn(sql)
      } finally {
        sql.run('COMMIT')
        if (idle.length < 16) idle.push(sql)
        else sql.db.close()
      }
    },
    watch: (account, onChange) => writer.watch(account, onChange),
    tell: (change) => writer.tell(change),
  }
  if (indexer)
    writer.watch('all', ({ events }) => {
      if (events.some(({ kind }) => kind === 'added')) indexer.work()
    })
  const accounts = createAccounts(kernel, createPasswords(options.derive))
  return {
    store: createStore(kernel),
    spool: createSpool(kernel),
    ...accounts,
    tokens: createSessionTokens(kernel, secret, options.tokens),
    secret,
    failed: writer.failed,
    problem: () => writer.problem(),
    indexed: async () => indexer?.settled(),
    async close() {
      if (!latest.db.isOpen) return
      // Readers first: the last connection to close folds the write-ahead log in, and only the writer may.
      latest.db.close()
      await kernel.reader.close()
      for (const sql of idle.splice(0)) sql.db.close()
      await indexer?.close()
      await writer.close()
      await kernel.segments.close()
      unlock()
    },
  }
}

/** A request that waits longer means that the disk does not answer. */
const stuckMs = 30_000

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
  /** By performance.now(). */
  readonly since: number
}

class Writer {
  readonly ready: Promise<void>
  readonly failed: Promise<Fault>
  readonly #worker: Worker
  readonly #outbox: Outbox
  /** In the order in which they were asked. */
  readonly #waiting = new Map<number, Waiting>()
  readonly #watchers = new Map<number | 'all', Set<(change: AccountChange) => void>>()
  #next = 1
  #ended: Fault | undefined
  #closing = false
  #closed: (() => void) | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    this.#outbox = new Outbox(worker, ({ id }, error) => {
      this.#waiting.get(id)?.reject(asFault(error))
      this.#waiting.delete(id)
    })
    let fail: (fault: Fault) => void = () => {}
    this.failed = new Promise((resolve) => {
      fail = resolve
    })
    const ended = (why: string, cause?: unknown): void => {
      // The thread may be gone before its last word is heard.
      const said = this.#closing ? 'the store is closed' : why
      const fault = this.#end(new Fault('unavailable', said, { cause }))
      if (!this.#closing) fail(fault)
    }
    this.ready = new Promise((resolve, reject) => {
      worker.on('message', (message: WriteBatch | 'ready' | 'closed') => {
        if (message === 'ready') resolve()
        else if (message === 'closed') this.#closed?.()
        else this.#take(message)
      })
      worker.on('error', (error) => {
        reject(error)
        ended('the store has stopped', error)
      })
      // An answer that cannot be read: what was written is not known any more.
      worker.on('messageerror', (error) => ended('the store cannot be understood', error))
      worker.on('exit', () => ended('the store has stopped'))
    })
  }

  #take(batch: WriteBatch): void {
    for (const answer of batch.answers) {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if (answer.fault) waiting?.reject(new Fault(answer.fault.kind, answer.fault.message))
      else waiting?.resolve(answer.value as never)
    }
    for (const change of batch.touched) this.tell(change)
  }

  tell(change: AccountChange): void {
    for (const onChange of this.#watchers.get(change.account) ?? []) onChange(change)
    for (const onChange of this.#watchers.get('all') ?? []) onChange(change)
  }

  /** The first reason stays. */
  #end(fault: Fault): Fault {
    this.#ended ??= fault
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
    this.#waiting.clear()
    this.#closed?.()
    return this.#ended
  }

  problem(): string | undefined {
    if (this.#ended) return this.#ended.message
    const [oldest] = this.#waiting.values()
    const waitedMs = oldest ? performance.now() - oldest.since : 0
    return waitedMs > stuckMs
      ? `the store has not answered for ${Math.round(waitedMs / 1000)} seconds`
      : undefined
  }

  write<T>(body: WriteBody, octets: readonly Uint8Array[]): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise<T>((resolve, reject) => {
      const id = this.#next++
      this.#waiting.set(id, {
        resolve: resolve as (value: never) => void,
        reject,
        since: performance.now(),
      })
      this.#outbox.put({ id, body, octets })
    })
  }

  watch(account: number | 'all', onChange: (change: AccountChange) => void): () => void {
    const set = this.#watchers.get(account) ?? new Set()
    this.#watchers.set(account, set)
    set.add(onChange)
    return () => {
      set.delete(onChange)
      if (set.size === 0) this.#watchers.delete(account)
    }
  }

  async close(): Promise<void> {
    this.#closing = true
    if (this.#ended) return
    await new Promise<void>((resolve) => {
      this.#closed = resolve
      this.#outbox.flush()
      this.#worker.postMessage('close')
    })
    this.#ended ??= new Fault('unavailable', 'the store is closed')
    await this.#worker.terminate()
  }
}
