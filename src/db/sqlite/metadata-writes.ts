/** Annotations (RFC 5464) and mailbox access keys (RFC 4467 §2.2). */
import { randomBytes } from 'node:crypto'
import { Fault } from '../../model/fault.ts'
import { maxMetadataEntries, maxMetadataValue } from '../../store/store.ts'
import type { AccountWrite } from './account-write.ts'
import { asNumber } from './statements.ts'

export function setMetadata(
  write: AccountWrite,
  mailbox: number | null,
  entries: readonly { readonly name: string; readonly value: Uint8Array | null }[],
): void {
  if (mailbox !== null) existing(write, mailbox)
  const changed = new Set<string>()
  for (const { name: given, value } of entries) {
    const name = given.toLowerCase()
    if (value !== null && value.length > maxMetadataValue)
      throw new Fault('too-large', `a value may have ${maxMetadataValue} octets`)
    const rows =
      value === null
        ? write.sql.run(
            'DELETE FROM metadata WHERE account = ? AND mailbox = ? AND name = ?',
            write.id,
            mailbox ?? 0,
            name,
          )
        : write.sql.run(
            'INSERT OR REPLACE INTO metadata (account, mailbox, name, value) VALUES (?, ?, ?, ?)',
            write.id,
            mailbox ?? 0,
            name,
            value,
          )
    if (rows > 0) changed.add(name)
  }
  if (changed.size === 0) return
  const count = write.sql.get(
    'SELECT count(*) AS n FROM metadata WHERE account = ? AND mailbox = ?',
    write.id,
    mailbox ?? 0,
  )
  if (asNumber(count?.n) > maxMetadataEntries)
    throw new Fault('over-quota', `more than ${maxMetadataEntries} annotations`)
  write.tell({ kind: 'metadata', mailbox, entries: [...changed] })
  const modSeq = write.nextModSeq()
  if (mailbox === null) return
  // RFC 7162 §3.2: the mailbox's mod-sequence grows, also where the name only holds children.
  write.forget(mailbox)
  write.sql.run('UPDATE mailboxes SET highest_mod_seq = ? WHERE id = ?', modSeq, mailbox)
}

export function accessKey(write: AccountWrite, mailbox: number): Uint8Array {
  write.selectable(mailbox)
  write.sql.run('INSERT OR IGNORE INTO access_keys (mailbox, key) VALUES (?, ?)', mailbox, randomBytes(32))
  const row = write.sql.of('SELECT key FROM access_keys WHERE mailbox = ?').get(mailbox)
  return row?.key as Uint8Array
}

export function resetKeys(write: AccountWrite, mailbox: number | 'all'): void {
  if (mailbox === 'all') {
    write.sql.run(
      'DELETE FROM access_keys WHERE mailbox IN (SELECT id FROM mailboxes WHERE account = ?)',
      write.id,
    )
    write.tell({ kind: 'access-keys', mailbox: null })
    return
  }
  write.selectable(mailbox)
  write.sql.run('INSERT OR REPLACE INTO access_keys (mailbox, key) VALUES (?, ?)', mailbox, randomBytes(32))
  write.tell({ kind: 'access-keys', mailbox })
}

function existing(write: AccountWrite, mailbox: number): void {
  if (!write.sql.get('SELECT 1 FROM mailboxes WHERE id = ? AND account = ?', mailbox, write.id))
    throw new Fault('not-found', 'no such mailbox')
}
