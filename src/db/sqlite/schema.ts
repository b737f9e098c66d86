/** The schema of the embedded engine, as numbered migrations: each runs once, in a transaction, in order. */
import type { DatabaseSync } from 'node:sqlite'

const migrations: readonly string[] = [
  `
  CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    mod_seq INTEGER NOT NULL DEFAULT 0,
    uid_validity INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE mailboxes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    selectable INTEGER NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL DEFAULT 1,
    messages INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    octets INTEGER NOT NULL DEFAULT 0,
    first_recent INTEGER NOT NULL DEFAULT 1,
    highest_mod_seq INTEGER NOT NULL,
    object_id TEXT NOT NULL,
    keywords TEXT NOT NULL DEFAULT '[]',
    UNIQUE (account, name)
  );
  CREATE TABLE subscriptions (
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (account, name)
  ) WITHOUT ROWID;
  CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL
  );
  CREATE TABLE digests (
    blob INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL,
    body_structure TEXT NOT NULL,
    body TEXT NOT NULL,
    detail TEXT NOT NULL
  );
  CREATE TABLE messages (
    mailbox INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    mod_seq INTEGER NOT NULL,
    created_mod_seq INTEGER NOT NULL,
    flags TEXT NOT NULL,
    internal_date INTEGER NOT NULL,
    saved_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uid)
  ) WITHOUT ROWID;
  CREATE INDEX messages_mod_seq ON messages (mailbox, mod_seq);
  CREATE INDEX messages_unseen ON messages (mailbox, uid) WHERE instr(flags, '\\Seen') = 0;
  CREATE INDEX messages_blob ON messages (blob);
  CREATE TABLE expunged (
    mailbox INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    mod_seq INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uid)
  ) WITHOUT ROWID;
  CREATE INDEX expunged_mod_seq ON expunged (mailbox, mod_seq);
  CREATE TABLE entries (
    queue_id TEXT PRIMARY KEY,
    received_at INTEGER NOT NULL,
    origin TEXT NOT NULL,
    blob INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sender TEXT NOT NULL,
    mms_message_id TEXT,
    open INTEGER NOT NULL,
    settled_at INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX entries_open ON entries (received_at) WHERE open > 0;
  CREATE INDEX entries_settled ON entries (settled_at) WHERE open = 0;
  CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    queue_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    target TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    next_at INTEGER,
    leased INTEGER NOT NULL DEFAULT 0,
    peer_message_id TEXT
  );
  CREATE INDEX deliveries_next ON deliveries (next_at) WHERE next_at IS NOT NULL;
  CREATE INDEX deliveries_entry ON deliveries (queue_id);
  CREATE INDEX deliveries_peer ON deliveries (peer_message_id) WHERE peer_message_id IS NOT NULL;
  CREATE TABLE recipients (
    delivery INTEGER NOT NULL,
    position INTEGER NOT NULL,
    address TEXT NOT NULL,
    account TEXT,
    state TEXT NOT NULL,
    status_code TEXT,
    status_text TEXT,
    settled_at INTEGER,
    PRIMARY KEY (delivery, position)
  ) WITHOUT ROWID;
  CREATE TABLE duplicates (
    key TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    response TEXT NOT NULL,
    at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX duplicates_at ON duplicates (at);
  `,
  // SCRAM keys of passwords; NULL until the password is next set or sent. Session tokens (see auth/session-tokens.ts).
  `
  ALTER TABLE accounts ADD COLUMN scram TEXT;
  CREATE TABLE session_tokens (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account INTEGER NOT NULL,
    client TEXT NOT NULL,
    mechanism TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    full_login_at INTEGER NOT NULL,
    valid_until INTEGER,
    used_at INTEGER
  );
  CREATE INDEX session_tokens_account ON session_tokens (account, client);
  `,
  // Octets that lost an owner wait in `freed` until housekeeping looks whether another one is left.
  `
  CREATE INDEX blobs_segment ON blobs (segment);
  CREATE TABLE freed (
    blob INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
  );
  CREATE INDEX freed_at ON freed (at);
  CREATE TRIGGER message_freed AFTER DELETE ON messages BEGIN
    INSERT OR REPLACE INTO freed (blob, at) VALUES (old.blob, unixepoch() * 1000);
  END;
  CREATE TRIGGER entry_freed AFTER DELETE ON entries BEGIN
    INSERT OR REPLACE INTO freed (blob, at) VALUES (old.blob, unixepoch() * 1000);
  END;
  `,
  // Quota, special use, annotations, access keys; expunged UIDs as runs; what SORT, THREAD and SEARCH read; what is deleted in the background.
  `
  ALTER TABLE accounts ADD COLUMN used_octets INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE accounts ADD COLUMN used_messages INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE accounts ADD COLUMN limit_octets INTEGER;
  ALTER TABLE accounts ADD COLUMN limit_messages INTEGER;
  UPDATE accounts SET (used_octets, used_messages) =
    (SELECT coalesce(sum(octets), 0), coalesce(sum(messages), 0) FROM mailboxes WHERE account = accounts.id);
  ALTER TABLE mailboxes ADD COLUMN special_use TEXT NOT NULL DEFAULT '';
  ALTER TABLE mailboxes ADD COLUMN deleted_octets INTEGER NOT NULL DEFAULT 0;
  UPDATE mailboxes SET deleted_octets = (SELECT coalesce(sum(size), 0) FROM messages
    WHERE mailbox = mailboxes.id AND instr(flags, '\\Deleted') > 0);
  CREATE INDEX messages_deleted ON messages (mailbox, uid) WHERE instr(flags, '\\Deleted') > 0;
  CREATE TABLE metadata (
    account INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (account, mailbox, name)
  ) WITHOUT ROWID;
  CREATE TABLE access_keys (
    mailbox INTEGER PRIMARY KEY,
    key BLOB NOT NULL
  );
  ALTER TABLE expunged RENAME TO expunged_uids;
  DROP INDEX expunged_mod_seq;
  CREATE TABLE expunged (
    mailbox INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    mod_seq INTEGER NOT NULL,
    PRIMARY KEY (mailbox, first)
  ) WITHOUT ROWID;
  INSERT INTO expunged SELECT mailbox, uid, uid, mod_seq FROM expunged_uids;
  DROP TABLE expunged_uids;
  CREATE INDEX expunged_mod_seq ON expunged (mailbox, mod_seq);
  ALTER TABLE digests ADD COLUMN preview TEXT NOT NULL DEFAULT '';
  CREATE TABLE sort_keys (
    blob INTEGER PRIMARY KEY,
    sent_at INTEGER,
    subject TEXT NOT NULL,
    is_reply INTEGER NOT NULL,
    from_mailbox TEXT NOT NULL,
    to_mailbox TEXT NOT NULL,
    cc_mailbox TEXT NOT NULL,
    display_from TEXT NOT NULL,
    display_to TEXT NOT NULL,
    message_id TEXT,
    refs TEXT NOT NULL,
    thread INTEGER NOT NULL
  );
  INSERT INTO sort_keys SELECT blob, json_extract(detail, '$.sentAt'), upper(json_extract(detail, '$.baseSubject')), 0,
    '', '', '', '', '', json_extract(detail, '$.messageId'), '', blob FROM digests;
  CREATE INDEX sort_keys_thread ON sort_keys (thread);
  CREATE TABLE headers (
    blob INTEGER PRIMARY KEY,
    whole INTEGER NOT NULL,
    fields TEXT NOT NULL
  );
  CREATE TABLE thread_keys (
    account INTEGER NOT NULL,
    key INTEGER NOT NULL,
    thread INTEGER NOT NULL,
    PRIMARY KEY (account, key)
  ) WITHOUT ROWID;
  CREATE INDEX thread_keys_thread ON thread_keys (thread);
  INSERT OR IGNORE INTO freed SELECT id, 0 FROM blobs WHERE id NOT IN (SELECT blob FROM messages)
    AND id NOT IN (SELECT blob FROM entries);
  CREATE TABLE doomed (
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) WITHOUT ROWID;
  `,
  // What reports are matched with (queue/correlation.ts); `blob`: content that a report may have to return.
  `
  CREATE TABLE originals (
    queue_id TEXT PRIMARY KEY,
    accepted_at INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    message_id TEXT,
    return_path TEXT,
    blob INTEGER,
    origin TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX originals_message_id ON originals (message_id) WHERE message_id IS NOT NULL;
  CREATE INDEX originals_return_path ON originals (return_path) WHERE return_path IS NOT NULL;
  CREATE INDEX originals_keep ON originals (keep_until);
  CREATE INDEX originals_blob ON originals (blob) WHERE blob IS NOT NULL;
  CREATE TABLE original_recipients (
    queue_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    peer TEXT,
    peer_message_id TEXT,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (queue_id, position)
  ) WITHOUT ROWID;
  CREATE INDEX original_recipients_peer ON original_recipients (peer_message_id, peer) WHERE peer_message_id IS NOT NULL;
  CREATE TABLE original_reports (
    queue_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    report TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at INTEGER NOT NULL
  );
  CREATE INDEX original_reports_of ON original_reports (queue_id, position);
  CREATE INDEX entries_mms_message_id ON entries (mms_message_id) WHERE mms_message_id IS NOT NULL;
  CREATE INDEX deliveries_leased ON deliveries (target) WHERE leased = 1;
  ALTER TABLE recipients ADD COLUMN delay_reported_at INTEGER;
  CREATE TRIGGER original_freed AFTER DELETE ON originals
    WHEN old.blob IS NOT NULL AND NOT EXISTS (SELECT 1 FROM entries WHERE queue_id = old.queue_id) BEGIN
    INSERT OR REPLACE INTO freed (blob, at) VALUES (old.blob, unixepoch() * 1000);
  END;
  CREATE TRIGGER original_content_freed AFTER UPDATE OF blob ON originals
    WHEN old.blob IS NOT NULL AND NOT EXISTS (SELECT 1 FROM entries WHERE queue_id = old.queue_id) BEGIN
    INSERT OR REPLACE INTO freed (blob, at) VALUES (old.blob, unixepoch() * 1000);
  END;
  CREATE TRIGGER entry_content_freed AFTER UPDATE OF blob ON entries BEGIN
    INSERT OR REPLACE INTO freed (blob, at) VALUES (old.blob, unixepoch() * 1000);
  END;
  `,
  // Each target has a queue of its own: one that is down holds up no other.
  `
  CREATE INDEX deliveries_target ON deliveries (target, next_at) WHERE next_at IS NOT NULL;
  `,
  // The zone of INTERNALDATE, in minutes east of UTC.
  `
  ALTER TABLE messages ADD COLUMN internal_offset INTEGER NOT NULL DEFAULT 0;
  `,
  // Octets as they are stored, of messages whose 8-bit header fields make them look longer to most (FE-25).
  `
  ALTER TABLE messages ADD COLUMN utf8_size INTEGER;
  `,
  // Deliveries that wait for the operator (QUE-054).
  `
  ALTER TABLE deliveries ADD COLUMN held_by TEXT;
  ALTER TABLE deliveries ADD COLUMN held_reason TEXT;
  ALTER TABLE deliveries ADD COLUMN held_at INTEGER;
  CREATE INDEX deliveries_held ON deliveries (held_by) WHERE held_by IS NOT NULL;
  `,
  // The content of a settled entry goes before the entry does: it is 0 then, and an original may own it alone (SEC-052).
  `
  DROP INDEX entries_open;
  CREATE INDEX entries_open ON entries (received_at, size) WHERE open > 0;
  CREATE INDEX entries_content ON entries (settled_at) WHERE open = 0 AND blob > 0;
  DROP TRIGGER original_freed;
  DROP TRIGGER original_content_freed;
  CREATE TRIGGER original_freed AFTER DELETE ON originals
    WHEN old.blob IS NOT NULL AND NOT EXISTS (SELECT 1 FROM entries WHERE queue_id = old.queue_id AND blob = old.blob) BEGIN
    INSERT OR REPLACE INTO freed (blob, at) VALUES (old.blob, unixepoch() * 1000);
  END;
  CREATE TRIGGER original_content_freed AFTER UPDATE OF blob ON originals
    WHEN old.blob IS NOT NULL AND NOT EXISTS (SELECT 1 FROM entries WHERE queue_id = old.queue_id AND blob = old.blob) BEGIN
    INSERT OR REPLACE INTO freed (blob, at) VALUES (old.blob, unixepoch() * 1000);
  END;
  `,
  // SEARCH FLAGGED costs what is flagged.
  `
  CREATE INDEX messages_flagged ON messages (mailbox, uid) WHERE instr(flags, '\\Flagged') > 0;
  `,
  // Messages that their senders asked to be held (RFC 4865); "until": the date that they named.
  `
  CREATE TABLE sender_holds (
    queue_id TEXT PRIMARY KEY,
    submitter TEXT NOT NULL,
    release_at INTEGER NOT NULL,
    until INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX sender_holds_submitter ON sender_holds (submitter, release_at);
  CREATE INDEX sender_holds_release ON sender_holds (release_at);
  CREATE TRIGGER entry_hold_gone AFTER DELETE ON entries BEGIN
    DELETE FROM sender_holds WHERE queue_id = old.queue_id;
  END;
  `,
]

/**
 * Brings the database to the newest schema, or to that with the number `to`.
 * @throws when it was written by a newer program
 */
export function migrate(db: DatabaseSync, to = migrations.length): void {
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF')
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version > migrations.length)
    throw new Error(`the store has schema ${version}, this program knows ${migrations.length}`)
  migrations.slice(version, to).forEach((sql, i) => {
    db.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${version + i + 1}; COMMIT`)
  })
}
