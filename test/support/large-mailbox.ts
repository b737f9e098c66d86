/** Large mailboxes in no time: one message is appended as usual, SQL makes the others, which share its octets. */
import { DatabaseSync } from 'node:sqlite'

/** To be called while no engine has the database open. `INBOX` of the account must hold one message at least. */
export function fillInbox(database: string, address: string, count: number): void {
  const db = new DatabaseSync(database)
  const { id } = db
    .prepare(
      "SELECT b.id FROM mailboxes b JOIN accounts a ON a.id = b.account WHERE a.address = ? AND b.name = 'INBOX'",
    )
    .get(address) as { id: number }
  db.exec(`PRAGMA synchronous = OFF; BEGIN;
    INSERT INTO messages (mailbox, uid, mod_seq, created_mod_seq, flags, internal_date, saved_at, size, blob)
      WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
      SELECT ${id}, i, 1000 + i, 1000 + i, iif(i % 100 = 0, '', '\\Seen'), 1650000000000 + i, 1650000000000, size, blob
      FROM n, (SELECT size, blob FROM messages WHERE mailbox = ${id} AND uid = 1);
    UPDATE mailboxes SET (uid_next, messages, octets, unseen, highest_mod_seq) =
      (SELECT max(uid) + 1, count(*), sum(size), sum(instr(flags, '\\Seen') = 0), max(mod_seq) FROM messages WHERE mailbox = ${id})
      WHERE id = ${id};
    UPDATE accounts SET mod_seq = (SELECT max(highest_mod_seq) FROM mailboxes WHERE account = accounts.id),
      (used_octets, used_messages) = (SELECT sum(octets), sum(messages) FROM mailboxes WHERE account = accounts.id)
      WHERE address = '${address}';
    COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`)
  db.close()
}
