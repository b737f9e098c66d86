/** The thread for questions that one statement takes long to answer: each in a snapshot of its own, one after the other. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { SearchHits, SearchTerm, SortKey } from '../../store/store.ts'
import { search, sorted } from './search.ts'
import { Statements } from './statements.ts'
import { attachTextIndex } from './text-index.ts'

export type Question =
  | { readonly ask: 'search'; readonly account: number; readonly mailbox: number; readonly term: SearchTerm }
  | { readonly ask: 'sorted'; readonly mailbox: number; readonly keys: readonly SortKey[] }

export type Answer = SearchHits | Uint32Array

export type ReaderAnswer =
  | { readonly id: number; readonly value: Answer }
  | { readonly id: number; readonly error: unknown }

const port = parentPort
if (!port) throw new Error('the reader runs as a worker thread')
const { folder, indexed } = workerData as { readonly folder: string; readonly indexed: boolean }
const db = new DatabaseSync(join(folder, 'lemonade.sqlite'), { readOnly: true })
db.exec('PRAGMA cache_size = -16384')
if (indexed) attachTextIndex(db, folder)
const sql = new Statements(db, indexed)

port.on('message', (message: { readonly id: number; readonly question: Question } | 'close') => {
  if (message === 'close') {
    db.close()
    port.close()
    return
  }
  const { id, question } = message
  try {
    port.postMessage({ id, value: answer(question) } satisfies ReaderAnswer)
  } catch (error) {
    port.postMessage({ id, error } satisfies ReaderAnswer)
  }
})

function answer(question: Question): Answer {
  db.exec('BEGIN')
  try {
    return question.ask === 'search'
      ? search(sql, question.account, question.mailbox, question.term)
      : sorted(sql, question.mailbox, question.keys)
  } finally {
    db.exec('COMMIT')
  }
}
