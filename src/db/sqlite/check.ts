/** `lemonade store check`: every record's checksum against every row, and every counter against what it counts. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { recordProblem } from './segments.ts'
import { asNumber, asText, Statements } from './statements.ts'
import { attachTextIndex, blobBits } from './text-index.ts'

export interface CheckResult {
  readonly records: number
  readonly messages: number
  readonly entries: number
  readonly problems: readonly string[]
}

export async function checkStore(folder: string): Promise<CheckResult> {
  const file = join(folder, 'lemonade.sqlite')
  if (!existsSync(file)) return { records: 0, messages: 0, entries: 0, problems: [`${file} does not exist`] }
  const sql = new Statements(new DatabaseSync(file, { readOnly: true }))
  const problems: string[] = []
  try {
    const intact = sql.get('PRAGMA integrity_check')?.integrity_check
    if (intact !== 'ok') problems.push(`database: ${asText(intact)}`)
    const blobs = sql.all('SELECT * FROM blobs')
    for (const row of blobs) {
      const problem = recordProblem(folder, {
        segment: asNumber(row.segment),
        offset: asNumber(row.offset),
        length: asNumber(row.length),
      })
      if (problem) problems.push(`record ${asNumber(row.id)}: ${problem}`)
    }
    for (const [what, query] of rules)
      for (const row of sql.all(query)) problems.push(`${what}: ${asText(row.id)}`)
    problems.push(...indexProblems(sql, folder))
    return {
      records: blobs.length,
      messages: asNumber(sql.get(`SELECT count(*) AS n FROM messages WHERE ${alive}`)?.n),
      entries: asNumber(sql.get('SELECT count(*) AS n FROM entries')?.n),
      problems,
    }
  } finally {
    sql.db.close()
  }
}

/** The full-text index may be deleted: it is made again. What it claims to know it must know. */
function indexProblems(sql: Statements, folder: string): string[] {
  if (!existsSync(join(folder, 'search.sqlite'))) return []
  try {
    attachTextIndex(sql.db, folder)
    const { blob: watermark } = sql.get('SELECT blob FROM search.progress') ?? {}
    return sql
      .all(
        `SELECT m.mailbox || '/' || m.uid AS id FROM messages m JOIN mailboxes b ON b.id = m.mailbox
         WHERE m.blob <= ? AND NOT EXISTS (SELECT 1 FROM search.texts_docsize WHERE id = ((b.account << ${blobBits}) | m.blob))
         AND m.blob NOT IN (SELECT blob FROM search.skipped)`,
        watermark ?? 0,
      )
      .map((row) => `message that the full-text index does not know: ${asText(row.id)}`)
  } catch (error) {
    return [`full-text index: ${error instanceof Error ? error.message : String(error)}`]
  }
}

/** Messages of a mailbox that still exists: those of a deleted one go in the background. */
const alive = "mailbox NOT IN (SELECT id FROM doomed WHERE kind = 'mailbox')"

/** What must not be found, as a query for the ids of what is wrong. */
const rules: readonly (readonly [string, string])[] = [
  [
    'message without octets',
    "SELECT mailbox || '/' || uid AS id FROM messages WHERE blob NOT IN (SELECT id FROM blobs)",
  ],
  ...['digests', 'sort_keys'].map((table): [string, string] => [
    `message without its row in ${table}`,
    `SELECT mailbox || '/' || uid AS id FROM messages WHERE blob NOT IN (SELECT blob FROM ${table})`,
  ]),
  ...['digests', 'sort_keys', 'headers'].map((table): [string, string] => [
    `row of ${table} without octets`,
    `SELECT blob AS id FROM ${table} WHERE blob NOT IN (SELECT id FROM blobs)`,
  ]),
  [
    'message without mailbox',
    `SELECT mailbox || '/' || uid AS id FROM messages WHERE mailbox NOT IN (SELECT id FROM mailboxes) AND ${alive}`,
  ],
  [
    'octets that nothing refers to and nothing will reclaim',
    `SELECT id FROM blobs WHERE id NOT IN (SELECT blob FROM messages) AND id NOT IN (SELECT blob FROM entries)
     AND id NOT IN (SELECT blob FROM originals WHERE blob IS NOT NULL)
     AND id NOT IN (SELECT blob FROM freed)`,
  ],
  [
    'queue entry without octets',
    'SELECT queue_id AS id FROM entries WHERE (blob > 0 OR open > 0) AND blob NOT IN (SELECT id FROM blobs)',
  ],
  [
    'delivery without entry',
    'SELECT id FROM deliveries WHERE queue_id NOT IN (SELECT queue_id FROM entries)',
  ],
  [
    'UID both live and expunged',
    `SELECT m.mailbox || '/' || m.uid AS id FROM expunged e
     JOIN messages m ON m.mailbox = e.mailbox AND m.uid BETWEEN e.first AND e.last`,
  ],
  [
    'expunged runs that overlap',
    `SELECT mailbox || '/' || first AS id FROM
     (SELECT mailbox, first, last, lag(last, 1, 0) OVER (PARTITION BY mailbox ORDER BY first) AS before FROM expunged)
     WHERE first <= before OR last < first`,
  ],
  [
    'UID not below UIDNEXT',
    "SELECT m.mailbox || '/' || m.uid AS id FROM messages m JOIN mailboxes b ON b.id = m.mailbox WHERE m.uid >= b.uid_next",
  ],
  [
    'UID neither live nor expunged',
    `SELECT b.id FROM mailboxes b WHERE b.uid_next - 1 <> b.messages +
     (SELECT coalesce(sum(last - first + 1), 0) FROM expunged WHERE mailbox = b.id)`,
  ],
  [
    'mod-sequence above the highest of its mailbox',
    `SELECT m.mailbox || '/' || m.uid AS id FROM messages m JOIN mailboxes b ON b.id = m.mailbox
     WHERE m.mod_seq > b.highest_mod_seq OR m.created_mod_seq > m.mod_seq`,
  ],
  [
    'mod-sequence above the highest of its account',
    'SELECT b.id FROM mailboxes b JOIN accounts a ON a.id = b.account WHERE b.highest_mod_seq > a.mod_seq',
  ],
  [
    'mailbox whose counters are wrong',
    `SELECT b.id FROM mailboxes b WHERE (b.messages, b.octets, b.unseen, b.deleted, b.deleted_octets) IS NOT
     (SELECT count(*), coalesce(sum(size), 0), coalesce(sum(instr(flags, '\\Seen') = 0), 0),
      coalesce(sum(instr(flags, '\\Deleted') > 0), 0), coalesce(sum(iif(instr(flags, '\\Deleted') > 0, size, 0)), 0)
      FROM messages WHERE mailbox = b.id)`,
  ],
  [
    'account whose quota usage is wrong',
    `SELECT a.id FROM accounts a WHERE (a.used_octets, a.used_messages) IS NOT
     (SELECT coalesce(sum(octets), 0), coalesce(sum(messages), 0) FROM mailboxes WHERE account = a.id)`,
  ],
  ['mailbox without account', 'SELECT id FROM mailboxes WHERE account NOT IN (SELECT id FROM accounts)'],
  [
    'annotation without mailbox',
    'SELECT mailbox AS id FROM metadata WHERE mailbox <> 0 AND mailbox NOT IN (SELECT id FROM mailboxes)',
  ],
  [
    'access key without mailbox',
    'SELECT mailbox AS id FROM access_keys WHERE mailbox NOT IN (SELECT id FROM mailboxes)',
  ],
  [
    'special use held twice',
    `SELECT account || ' ' || value AS id FROM mailboxes, json_each('["' || replace(replace(special_use, '\\', ''), ' ', '","') || '"]')
     WHERE special_use <> '' GROUP BY account, value HAVING count(*) > 1`,
  ],
  [
    'queue entry whose open count is wrong',
    'SELECT queue_id AS id FROM entries e WHERE open <> (SELECT count(*) FROM deliveries d WHERE d.queue_id = e.queue_id AND d.next_at IS NOT NULL)',
  ],
]
