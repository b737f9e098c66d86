/**
 * The thread that fills the full-text index: takes the messages above its watermark in small batches and rests at least as
 * long as it worked, so that delivery goes first. When there is nothing to do it drops rows whose message is gone.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { SegmentReader } from './segments.ts'
import { asNumber, Statements } from './statements.ts'
import { blobBits, blobMask, indexedText, markBroken, openTextIndex } from './text-index.ts'

/** Messages, and octets of them, of one batch. */
const batchMessages = 50
const batchOctets = 1024 * 1024
/** Rows looked at in one step of the search for what is gone. */
const sweepRows = 1000
const longestRestMs = 250
/** While messages come one by one they are waited for: a batch costs as much as the few messages of a short one. */
const gatherMs = 100

export type IndexerMessage =
  | { readonly kind: 'work' | 'close' }
  | { readonly kind: 'settle'; readonly id: number }
export type IndexerAnswer =
  | { readonly kind: 'settled'; readonly id: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'closed' }

const port = parentPort
if (!port) throw new Error('the indexer runs as a worker thread')
const { folder, textModule } = workerData as { folder: string; textModule: string }
type ReadText = (octets: Uint8Array) => { readonly header: string; readonly body: string }
const { searchableText } = (await import(textModule)) as { searchableText: ReadText }

const store = new Statements(new DatabaseSync(join(folder, 'lemonade.sqlite'), { readOnly: true }))
const index = new Statements(openTextIndex(folder))
const segments = new SegmentReader(folder)
const say = (answer: IndexerAnswer): void => port.postMessage(answer)
const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let running = false
let closing = false
let failed = false
/** Where the search for what is gone goes on. */
let swept = { account: 0, blob: 0 }
const settling: number[] = []

port.on('message', (message: IndexerMessage) => {
  if (message.kind === 'close') closing = true
  if (message.kind === 'settle') settling.push(message.id)
  if (!running) void run()
})

async function run(): Promise<void> {
  running = true
  try {
    while (!closing && !failed) {
      const begun = performance.now()
      const batch = indexBatch()
      if (batch === 'none') break
      const least = batch === 'all' && settling.length === 0 ? gatherMs : 0
      await rest(Math.min(Math.max(performance.now() - begun, least), longestRestMs))
    }
    if (!closing && !failed) {
      sweep()
      await segments.closeRemoved()
    }
  } catch (error) {
    failed = true
    // SQLITE_CORRUPT and SQLITE_NOTADB: searches go on without the index until it is made again.
    if ([11, 26].includes(Number((error as { errcode?: number }).errcode) & 0xff)) markBroken(folder)
    say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
  running = false
  for (const id of settling.splice(0)) say({ kind: 'settled', id })
  if (closing) await close()
}

async function close(): Promise<void> {
  index.db.close()
  store.db.close()
  await segments.close()
  say({ kind: 'closed' })
  port?.close()
}

/** 'none': everything is indexed; 'all': everything that was there; 'some': there is more. */
function indexBatch(): 'none' | 'all' | 'some' {
  const watermark = asNumber(index.get('SELECT blob FROM progress')?.blob)
  const rows = store.tuples(
    `SELECT d.blob, (SELECT b.account FROM messages m JOIN mailboxes b ON b.id = m.mailbox WHERE m.blob = d.blob LIMIT 1),
       x.segment, x.offset, x.length
     FROM digests d JOIN blobs x ON x.id = d.blob WHERE d.blob > ? ORDER BY d.blob LIMIT ${batchMessages}`,
    watermark,
  )
  if (rows.length === 0) return 'none'
  let last = watermark
  index.db.exec('BEGIN IMMEDIATE')
  try {
    let octets = 0
    for (const [blob, account, segment, offset, length] of rows) {
      last = Number(blob)
      // Expunged before it was looked at.
      if (account === null) continue
      const place = { segment: Number(segment), offset: Number(offset), length: Number(length) }
      indexMessage(Number(account), last, place)
      octets += place.length
      if (octets > batchOctets) break
    }
    index.run('UPDATE progress SET blob = ?', last)
    index.db.exec('COMMIT')
  } catch (error) {
    if (index.db.isTransaction) index.db.exec('ROLLBACK')
    throw error
  }
  return rows.length < batchMessages && last === Number(rows.at(-1)?.[0]) ? 'all' : 'some'
}

function indexMessage(
  account: number,
  blob: number,
  place: { readonly segment: number; readonly offset: number; readonly length: number },
): void {
  let text: string
  try {
    const { header, body } = searchableText(segments.readNow(place, 0, place.length))
    text = indexedText(`${header}\n${body}`)
  } catch {
    // Never ruled out by the index, since it does not know it.
    index.run('INSERT OR IGNORE INTO skipped (blob) VALUES (?)', blob)
    return
  }
  index.run(`INSERT INTO texts (rowid, text) VALUES ((? << ${blobBits}) | ?, ?)`, account, blob, text)
}

/** One step through all rows, in turn. */
function sweep(): void {
  const rows = index.tuples(
    `SELECT rowid >> ${blobBits}, rowid & ${blobMask} FROM texts WHERE rowid > ((? << ${blobBits}) | ?) ORDER BY rowid LIMIT ${sweepRows}`,
    swept.account,
    swept.blob,
  )
  const gone = rows.filter(([, blob]) => !store.get('SELECT 1 FROM digests WHERE blob = ?', Number(blob)))
  if (gone.length > 0) {
    index.db.exec('BEGIN IMMEDIATE')
    for (const [account, blob] of gone) {
      index.run(`DELETE FROM texts WHERE rowid = ((? << ${blobBits}) | ?)`, Number(account), Number(blob))
      index.run('DELETE FROM skipped WHERE blob = ?', Number(blob))
    }
    index.db.exec('COMMIT')
  }
  const [account, blob] = rows[rows.length - 1] ?? []
  swept = rows.length < sweepRows ? { account: 0, blob: 0 } : { account: Number(account), blob: Number(blob) }
}
