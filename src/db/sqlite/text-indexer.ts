/** The main thread's side of the indexer: starts it when there is work, and tells it so, seldom. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import type { IndexerAnswer, IndexerMessage } from './indexer.ts'
import { openTextIndex } from './text-index.ts'

/** Deliveries within this time are told to the indexer as one. */
const lullMs = 300

export class TextIndexer {
  readonly #folder: string
  readonly #textModule: string
  readonly #settled = new Map<number, () => void>()
  #next = 1
  #worker: Worker | undefined
  #timer: NodeJS.Timeout | undefined
  #closed: (() => void) | undefined
  #ended = false

  /** Makes the index when there is none, and starts over when it knows more than the store: one was restored. */
  constructor(folder: string, textModule: string) {
    this.#folder = folder
    this.#textModule = textModule
    const db = openTextIndex(folder)
    const store = new DatabaseSync(join(folder, 'lemonade.sqlite'), { readOnly: true })
    try {
      const number = (of: DatabaseSync, query: string): number => Number(of.prepare(query).get()?.blob ?? 0)
      const known = number(db, 'SELECT blob FROM progress')
      const restored = known > number(store, 'SELECT max(id) AS blob FROM blobs')
      if (restored)
        db.exec(
          "INSERT INTO texts (texts) VALUES ('delete-all'); DELETE FROM skipped; UPDATE progress SET blob = 0",
        )
      if (restored || known < number(store, 'SELECT max(blob) AS blob FROM digests')) this.work()
    } finally {
      db.close()
      store.close()
    }
  }

  /** Messages were added. */
  work(): void {
    if (this.#timer || this.#ended) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#say({ kind: 'work' })
    }, lullMs)
    this.#timer.unref()
  }

  /** Resolves when everything that was delivered before is indexed, or cannot be. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      const id = this.#next++
      this.#settled.set(id, resolve)
      this.#say({ kind: 'settle', id })
    })
  }

  #say(message: IndexerMessage): void {
    if (this.#ended) {
      this.#finish()
      return
    }
    this.#worker ??= this.#start()
    this.#worker.postMessage(message)
  }

  #start(): Worker {
    const worker = new Worker(new URL('./indexer.ts', import.meta.url), {
      workerData: { folder: this.#folder, textModule: this.#textModule },
    })
    worker.on('message', (answer: IndexerAnswer) => {
      if (answer.kind === 'closed') this.#closed?.()
      if (answer.kind === 'settled') {
        this.#settled.get(answer.id)?.()
        this.#settled.delete(answer.id)
      }
    })
    // Searches go on without it, and look into every message that it does not know.
    worker.on('error', () => this.#finish())
    worker.on('exit', () => this.#finish())
    worker.unref()
    return worker
  }

  #finish(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    for (const resolve of this.#settled.values()) resolve()
    this.#settled.clear()
    this.#closed?.()
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    const worker = this.#worker
    if (worker && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#closed = resolve
        worker.ref()
        worker.postMessage({ kind: 'close' } satisfies IndexerMessage)
      })
      await worker.terminate()
    }
    this.#ended = true
  }
}
