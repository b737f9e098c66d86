/** The main thread's side of the reader: starts it with the first question, and again should it have ended. */
import { Worker } from 'node:worker_threads'
import { Fault } from '../../model/fault.ts'
import type { Answer, Question, ReaderAnswer } from './reader.ts'

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

export class ReaderThread {
  readonly #folder: string
  readonly #indexed: boolean
  readonly #waiting = new Map<number, Waiting>()
  #next = 1
  #worker: Worker | undefined
  #closed = false

  constructor(folder: string, indexed: boolean) {
    this.#folder = folder
    this.#indexed = indexed
  }

  /** @throws Fault 'unavailable' when the thread ends before it has answered */
  ask<T extends Answer>(question: Question): Promise<T> {
    if (this.#closed) return Promise.reject(new Fault('unavailable', 'the store is closed'))
    this.#worker ??= this.#start()
    const id = this.#next++
    const worker = this.#worker
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject })
      worker.postMessage({ id, question })
    })
  }

  #start(): Worker {
    const worker = new Worker(new URL('./reader.ts', import.meta.url), {
      workerData: { folder: this.#folder, indexed: this.#indexed },
    })
    worker.on('message', (answer: ReaderAnswer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('error' in answer) waiting?.reject(answer.error)
      else waiting?.resolve(answer.value as never)
    })
    worker.on('error', (cause) => this.#ended(worker, cause))
    worker.on('exit', () => this.#ended(worker, undefined))
    worker.unref()
    return worker
  }

  #ended(worker: Worker, cause: unknown): void {
    if (worker !== this.#worker) return
    this.#worker = undefined
    const fault = new Fault('unavailable', 'the thread that reads has ended', { cause })
    for (const { reject } of this.#waiting.values()) reject(fault)
    this.#waiting.clear()
  }

  /** What is asked still is answered first. */
  async close(): Promise<void> {
    this.#closed = true
    const worker = this.#worker
    if (!worker) return
    await new Promise<void>((resolve) => {
      worker.once('exit', () => resolve())
      worker.ref()
      worker.postMessage('close')
    })
  }
}
