/**
 * The one writer, a thread of its own. Whatever waits is one group: one append and sync of all octets, one transaction
 * of all rows with a savepoint for each request, then all answers (D3). Nothing is answered before the commit.
 */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Fault } from '../../model/fault.ts'
import { AccountWrite, OverQuota, type WriteContext } from './account-write.ts'
import { issueToken, revokeTokens, upgradePassword, useToken } from './account-writes.ts'
import { Compaction } from './compaction.ts'
import type { CompactionTimes } from './compaction-times.ts'
import { addMarks, purgeOriginals } from './correlation-writes.ts'
import { erase } from './erase.ts'
import { ExpungedRuns } from './expunged-runs.ts'
import { createMailbox, dropMailbox } from './mailbox-writes.ts'
import { runOperation } from './operations.ts'
import type { Touched, WriteAnswer, WriteBatch, WriteBody, WriteRequest } from './requests.ts'
import { migrate } from './schema.ts'
import { SegmentWriter } from './segments.ts'
import { moveHolds } from './sender-holds.ts'
import { cancel, replace } from './spool-changes.ts'
import { clockSetBack } from './spool-clock.ts'
import { DueQueue } from './spool-due.ts'
import { bury, hold, letGo, nextAt } from './spool-holds.ts'
import { reroute } from './spool-reroute.ts'
import { enqueue, lease, purge, release, retry, settle } from './spool-writes.ts'
import { asNumber, Statements } from './statements.ts'

/** A group larger than this is written in several: memory, and the wait of the first. */
const maxGroupOctets = 64 * 1024 * 1024
const maxGroupRequests = 2000

const port = parentPort
if (!port) throw new Error('the writer runs as a worker thread')
const {
  folder,
  segmentOctets,
  compaction: times,
} = workerData as {
  folder: string
  segmentOctets: number
  compaction: Required<CompactionTimes>
}

const db = new DatabaseSync(join(folder, 'lemonade.sqlite'))
migrate(db)
// Indexes of large mailboxes are written all over: what is not in the cache is read again. Checkpoints sync twice.
db.exec('PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000')
const sql = new Statements(db)
// One process owns the folder: every lease left behind belongs to a process that died (QUE-002).
db.exec(`UPDATE deliveries SET next_at = ${nextAt}, leased = 0 WHERE leased = 1`)
let nextBlob = asNumber(sql.get('SELECT max(id) AS id FROM blobs')?.id) + 1
const last = sql.get(
  'SELECT segment, max(offset + length) AS "end" FROM blobs WHERE segment = (SELECT max(segment) FROM blobs)',
)
const segments = new SegmentWriter(folder, segmentOctets, {
  segment: asNumber(last?.segment),
  end: asNumber(last?.end),
})

const compaction = new Compaction(sql, folder, segments, times)
const dueQueue = new DueQueue(sql)
const expungedRuns = new ExpungedRuns(sql)
let waiting: WriteRequest[] = []

port.on('message', (message: readonly WriteRequest[] | 'close') => {
  if (message === 'close') {
    flush()
    segments.close()
    db.close()
    port.postMessage('closed')
    port.close()
    return
  }
  waiting.push(...message)
  flush()
})

function flush(): void {
  for (;;) {
    const next = port ? receiveMessageOnPort(port) : undefined
    if (!next) break
    if (next.message === 'close') {
      // Answer what came before, then close in turn.
      setImmediate(() => port?.emit('message', 'close'))
      break
    }
    waiting.push(...(next.message as readonly WriteRequest[]))
  }
  while (waiting.length > 0) {
    let octets = 0
    let count = 0
    while (count < waiting.length && count < maxGroupRequests && (count === 0 || octets < maxGroupOctets)) {
      if (count > 0 && waiting[count]?.body.kind === 'compact') break
      octets += waiting[count]?.octets.reduce((sum, o) => sum + o.length, 0) ?? 0
      count++
      if (waiting[count - 1]?.body.kind === 'compact') break
    }
    const group = waiting.slice(0, count)
    waiting = waiting.slice(count)
    port?.postMessage(writeGroup(group))
  }
}

function writeGroup(group: readonly WriteRequest[]): WriteBatch {
  try {
    return attempt(group)
  } catch (error) {
    const answers = group.map(({ id }) => ({ id, fault: unavailable(error) }))
    // One request that is too big for the disk must not refuse those that fit.
    if (group.length === 1) return { answers, touched: [] }
    const batches = group.map((request) => writeGroup([request]))
    return { answers: batches.flatMap((b) => b.answers), touched: batches.flatMap((b) => b.touched) }
  }
}

/**
 * After a commit that failed, one that changes nothing: it takes the place in the write-ahead log that the failed one may
 * have left there. While none goes through, nothing is appended: a full disk is not filled further.
 */
function settleDoubts(): void {
  if (!segments.isInDoubt) return
  const version = asNumber(sql.get('PRAGMA user_version')?.user_version)
  try {
    db.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${version}; COMMIT`)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
  segments.settleDoubts()
}

function attempt(group: readonly WriteRequest[]): WriteBatch {
  settleDoubts()
  const [only] = group
  // Never in a group: it appends and commits by itself.
  if (only?.body.kind === 'compact')
    return { answers: [{ id: only.id, value: compaction.step() }], touched: none }
  const payloads = group.flatMap((request) => request.octets)
  const places = segments.append(payloads)
  const answers: WriteAnswer[] = []
  const touched: Touched[] = []
  // A request that is alone needs no savepoint: what it did goes with the transaction.
  const alone = group.length === 1
  try {
    sql.run('BEGIN IMMEDIATE')
  } catch (error) {
    segments.takeBack(places)
    throw error
  }
  try {
    let at = 0
    let kept = 0
    for (const request of group) {
      const first = at
      at += request.octets.length
      if (!alone) sql.run('SAVEPOINT request')
      try {
        const blobs = places.slice(first, at).map((place) => {
          const id = nextBlob++
          sql.run(
            'INSERT INTO blobs (id, segment, offset, length) VALUES (?, ?, ?, ?)',
            id,
            place.segment,
            place.offset,
            place.length,
          )
          return id
        })
        const done = run(request.body, blobs)
        if (!alone) sql.run('RELEASE request')
        answers.push({ id: request.id, value: done.value })
        if (at > first) kept = at
        touched.push(...done.touched)
      } catch (error) {
        // A full disk ends the whole transaction; there is nothing to roll back to then.
        if (!db.isTransaction) throw error
        db.exec(alone ? 'ROLLBACK; BEGIN IMMEDIATE' : 'ROLLBACK TO request; RELEASE request')
        if (error instanceof OverQuota) touched.push(error.touched)
        answers.push({
          id: request.id,
          fault:
            error instanceof Fault
              ? { kind: error.kind, message: error.message }
              : { kind: 'bug', message: String(error) },
        })
      }
    }
    sql.run('COMMIT')
    // Behind the last one that was kept there are only octets of requests that were refused.
    segments.takeBack(places.slice(kept))
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    segments.failed(places)
    throw error
  }
  // Only now: a segment may go when the deletion of its last row is on disk.
  if (group.some(({ body }) => body.kind === 'purge'))
    segments.reclaim(
      (segment) =>
        compaction.isInGrace(segment) ||
        Boolean(sql.get('SELECT 1 FROM blobs WHERE segment = ? LIMIT 1', segment)),
    )
  return { answers, touched }
}

const unavailable = (error: unknown): NonNullable<WriteAnswer['fault']> => ({
  kind: 'unavailable',
  message: `the store cannot be written: ${error instanceof Error ? error.message : String(error)}`,
})

const none: Touched[] = []

function run(body: WriteBody, blobs: readonly number[]): { value?: unknown; touched: Touched[] } {
  const context = (now: number): WriteContext => ({ sql, blobs, now })
  switch (body.kind) {
    case 'store': {
      const write = new AccountWrite(context(body.now), body.account)
      const value = body.operations.map((operation) => runOperation(write, operation))
      const touched = write.finish(true, body.origin)
      return { value, touched: touched ? [touched] : none }
    }
    case 'enqueue':
      return { value: enqueue(context(Date.now()), body.entries, true, body.lease), touched: none }
    case 'claim':
      return { value: dueQueue.claim(body), touched: none }
    case 'settle':
      return {
        touched: body.settlements.flatMap((settlement) => settle(context(settlement.now), settlement)),
      }
    case 'release':
      release(sql, body.deliveryIds)
      return { touched: none }
    case 'retry':
      return { value: retry(sql, body.queueId, body.now), touched: none }
    case 'purge': {
      const value = purge(sql, body)
      if (value < body.limit) expungedRuns.step()
      return { value, touched: none }
    }
    case 'lease':
      return { value: lease(sql, body.queueId, body.leaseUntil), touched: none }
    case 'mark':
      addMarks(sql, body.marks, false)
      return { touched: none }
    case 'purge-originals':
      return { value: purgeOriginals(sql, body.now, body.limit), touched: none }
    case 'cancel':
      return { value: cancel(sql, body.row), touched: none }
    case 'replace':
      return { value: replace(context(body.row.now), body.row), touched: none }
    case 'hold':
      return { value: hold(sql, body.queueId, 'operator', body.reason, body.now), touched: none }
    case 'let-go':
      return { value: letGo(sql, body.queueId, body.now), touched: none }
    case 'bury':
      return { value: bury(sql, body.deliveryId, body.outcomes, body.reason, body.now), touched: none }
    case 'reroute':
      return { value: reroute(sql, body.reroute), touched: none }
    case 'move-holds':
      return { value: moveHolds(sql, body.by, body.now), touched: none }
    case 'clock-set-back':
      return { value: clockSetBack(sql, body.now), touched: none }
    case 'erase':
      return { value: erase(sql, body.row), touched: none }
    case 'compact':
      throw new Fault('bug', 'compaction is no part of a group')
    case 'put-account': {
      const existing = sql.get('SELECT id FROM accounts WHERE address = ?', body.address)
      if (existing) {
        const change = 'UPDATE accounts SET password = ?, scram = ? WHERE id = ?'
        sql.run(change, body.password, body.scram, asNumber(existing.id))
        revokeTokens(sql, asNumber(existing.id))
        return { value: false, touched: none }
      }
      const row = sql.get(
        'INSERT INTO accounts (address, password, scram) VALUES (?, ?, ?) RETURNING id',
        body.address,
        body.password,
        body.scram,
      )
      const write = new AccountWrite(context(Date.now()), asNumber(row?.id))
      createMailbox(write, 'INBOX', [])
      write.finish(false, undefined)
      return { value: true, touched: none }
    }
    case 'upgrade-password':
      upgradePassword(sql, body.id, body.replaces, body.password, body.scram)
      return { touched: none }
    case 'issue-token':
      issueToken(sql, body.token, body.clients)
      return { touched: none }
    case 'use-token':
      useToken(sql, body.id, body.now)
      return { touched: none }
    case 'revoke-tokens':
      return { value: revokeTokens(sql, body.account, body.client), touched: none }
    case 'remove-account': {
      const row = sql.get('SELECT id FROM accounts WHERE address = ?', body.address)
      if (!row) return { value: false, touched: none }
      const id = asNumber(row.id)
      revokeTokens(sql, id)
      const write = new AccountWrite(context(Date.now()), id)
      for (const mailbox of sql.all('SELECT id FROM mailboxes WHERE account = ?', id))
        dropMailbox(write, asNumber(mailbox.id))
      for (const table of ['metadata', 'subscriptions']) sql.run(`DELETE FROM ${table} WHERE account = ?`, id)
      sql.run("INSERT INTO doomed (kind, id) VALUES ('account', ?)", id)
      sql.run('DELETE FROM accounts WHERE id = ?', id)
      return { value: true, touched: none }
    }
  }
}

port.postMessage('ready')
