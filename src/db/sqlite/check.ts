/** `lemonade store check`: every record's checksum against every row, and every counter against what it counts. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { recordProblem } from './segments.ts'
import { asNumber, asText, Statements } from './statements.ts'

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
    const missing: readonly [string, string][] = [
      [
        'message without octets',
        "SELECT mailbox || '/' || uid AS id FROM messages WHERE blob NOT IN (SELECT id FROM blobs)",
      ],
      [
        'message without digest',
        "SELECT mailbox || '/' || uid AS id FROM messages WHERE blob NOT IN (SELECT blob FROM digests)",
      ],
      [
        'queue entry without octets',
        'SELECT queue_id AS id FROM entries WHERE blob NOT IN (SELECT id FROM blobs)',
      ],
      [
        'delivery without entry',
        'SELECT id FROM deliveries WHERE queue_id NOT IN (SELECT queue_id FROM entries)',
      ],
      [
        'UID both live and expunged',
        "SELECT m.mailbox || '/' || m.uid AS id FROM messages m JOIN expunged e USING (mailbox, uid)",
      ],
      [
        'UID not below UIDNEXT',
        "SELECT m.mailbox || '/' || m.uid AS id FROM messages m JOIN mailboxes b ON b.id = m.mailbox WHERE m.uid >= b.uid_next",
      ],
      [
        'mailbox whose counters are wrong',
        `SELECT b.id FROM mailboxes b WHERE (b.messages, b.octets, b.unseen, b.deleted) IS NOT
         (SELECT count(*), coalesce(sum(size), 0), coalesce(sum(instr(flags, '\\Seen') = 0), 0), coalesce(sum(instr(flags, '\\Deleted') > 0), 0)
          FROM messages WHERE mailbox = b.id)`,
      ],
      [
        'queue entry whose open count is wrong',
        'SELECT queue_id AS id FROM entries e WHERE open <> (SELECT count(*) FROM deliveries d WHERE d.queue_id = e.queue_id AND d.next_at IS NOT NULL)',
      ],
    ]
    for (const [what, query] of missing)
      for (const row of sql.all(query)) problems.push(`${what}: ${asText(row.id)}`)
    return {
      records: blobs.length,
      messages: asNumber(sql.get('SELECT count(*) AS n FROM messages')?.n),
      entries: asNumber(sql.get('SELECT count(*) AS n FROM entries')?.n),
      problems,
    }
  } finally {
    sql.db.close()
  }
}
