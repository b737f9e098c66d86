/**
 * THREADID (RFC 8474 §5.2): messages of one base subject that name each other by msg-id are one thread; a reply that names
 * nobody joins the thread of its subject. Decided once, at delivery, and never changed. A thread is named by the blob of its
 * first message.
 */
import { hash } from 'node:crypto'
import type { ComputedDigest } from '../../model/message-digest.ts'
import { asNumber, type Statements } from './statements.ts'

/** References looked up and remembered, nearest first: a crafted field must not cost more (SO-17). */
const maxReferences = 20

export function threadOf(sql: Statements, account: number, blob: number, digest: ComputedDigest): number {
  const { subject, isReply } = digest.keys
  const named = [digest.messageId, ...digest.references.slice(-maxReferences).reverse()].filter(
    (id) => id !== null,
  )
  const keys = named.map((id) => keyOf(`${id}\n${subject}`))
  const bySubject = keyOf(`\n${subject}`)
  const joins = isReply && subject !== '' && digest.references.length === 0
  const thread = find(sql, account, keys) ?? (joins ? find(sql, account, [bySubject]) : undefined) ?? blob
  for (const key of keys)
    sql.run('INSERT OR IGNORE INTO thread_keys (account, key, thread) VALUES (?, ?, ?)', account, key, thread)
  // The newest thread of a subject is the one that such a reply means.
  if (subject !== '')
    sql.run(
      'INSERT OR REPLACE INTO thread_keys (account, key, thread) VALUES (?, ?, ?)',
      account,
      bySubject,
      thread,
    )
  return thread
}

function find(sql: Statements, account: number, keys: readonly number[]): number | undefined {
  for (const key of keys) {
    const row = sql.get('SELECT thread FROM thread_keys WHERE account = ? AND key = ?', account, key)
    if (row) return asNumber(row.thread)
  }
  return undefined
}

/** 52 bits of a digest: two ids of one account meet by chance once in thousands of accounts. */
function keyOf(text: string): number {
  const digest = hash('sha256', text, 'buffer')
  return digest.readUIntBE(0, 6) * 16 + ((digest[6] ?? 0) >> 4)
}
