/** Names of mailboxes: create, rename, delete, subscribe, special use (RFC 3501 §6.3.3 to §6.3.7, RFC 6154). */
import { randomBytes } from 'node:crypto'
import { Fault } from '../../model/fault.ts'
import type { SpecialUse } from '../../store/store.ts'
import { type AccountWrite, canonicalName } from './account-write.ts'
import { moveAll } from './message-writes.ts'
import { asNumber, asText, type Row } from './statements.ts'

/** The mailbox of that name, made with its parents when it does not exist. */
export function ensureMailbox(write: AccountWrite, name: string): number {
  const row = find(write, name)
  return row?.selectable === 1 ? asNumber(row.id) : createMailbox(write, name, [])
}

export function createMailbox(write: AccountWrite, given: string, use: readonly SpecialUse[]): number {
  const name = canonicalName(given)
  const existing = find(write, name)
  if (existing && existing.selectable === 1) throw new Fault('exists', `mailbox ${name} exists`)
  if (!existing) makeParents(write, name)
  const id = existing ? revive(write, asNumber(existing.id)) : insertMailbox(write, name)
  write.tell({ kind: 'created', mailbox: id, name, implied: false })
  if (use.length > 0) setSpecialUse(write, id, use, false)
  return id
}

/** A name that only held children becomes a mailbox: new UIDVALIDITY and MAILBOXID, its annotations stay (OB-03). */
function revive(write: AccountWrite, id: number): number {
  write.sql.run(
    'UPDATE mailboxes SET selectable = 1, uid_validity = ?, uid_next = 1, first_recent = 1, highest_mod_seq = ?, object_id = ? WHERE id = ?',
    write.nextUidValidity(),
    write.nextModSeq(),
    newObjectId(),
    id,
  )
  return id
}

function makeParents(write: AccountWrite, name: string): void {
  const levels = name.split('/')
  for (let i = 1; i < levels.length; i++) {
    const parent = levels.slice(0, i).join('/')
    if (!find(write, parent))
      write.tell({ kind: 'created', mailbox: insertMailbox(write, parent), name: parent, implied: true })
  }
}

function insertMailbox(write: AccountWrite, name: string, selectable = 1): number {
  const row = write.sql.get(
    'INSERT INTO mailboxes (account, name, selectable, uid_validity, highest_mod_seq, object_id) VALUES (?, ?, ?, ?, ?, ?) RETURNING id',
    write.id,
    name,
    selectable,
    write.nextUidValidity(),
    write.nextModSeq(),
    newObjectId(),
  )
  return asNumber(row?.id)
}

const newObjectId = (): string => `F${randomBytes(12).toString('hex')}`

const find = (write: AccountWrite, name: string): Row | undefined =>
  write.sql.get(
    'SELECT id, name, selectable FROM mailboxes WHERE account = ? AND name = ?',
    write.id,
    canonicalName(name),
  )

/** A range instead of LIKE: names may hold % and _. '0' is the character after '/'. */
const children = (write: AccountWrite, name: string): Row[] =>
  write.sql.all(
    'SELECT id, name FROM mailboxes WHERE account = ? AND name >= ? AND name < ? ORDER BY name',
    write.id,
    `${name}/`,
    `${name}0`,
  )

export function renameMailbox(write: AccountWrite, givenFrom: string, givenTo: string): void {
  const from = canonicalName(givenFrom)
  const to = canonicalName(givenTo)
  const source = find(write, from)
  if (!source) throw new Fault('not-found', `no mailbox ${from}`)
  if (find(write, to)) throw new Fault('exists', `mailbox ${to} exists`)
  if (to.startsWith(`${from}/`) && from !== 'INBOX')
    throw new Fault('forbidden', 'a mailbox cannot become its own child')
  makeParents(write, to)
  const id = asNumber(source.id)
  if (from === 'INBOX') {
    // RFC 3501 §6.3.5: the messages move, INBOX stays and so do its children; annotations are copied (RFC 5464 §4.1).
    const target = insertMailbox(write, to)
    write.tell({ kind: 'renamed', mailbox: target, from, to, implied: false })
    write.sql.run(
      'INSERT INTO metadata (account, mailbox, name, value) SELECT account, ?, name, value FROM metadata WHERE account = ? AND mailbox = ?',
      target,
      write.id,
      id,
    )
    moveAll(write, id, target)
    return
  }
  const rename = (mailbox: number, before: string, name: string, implied: boolean): void => {
    write.sql.run('UPDATE mailboxes SET name = ? WHERE id = ?', name, mailbox)
    write.tell({ kind: 'renamed', mailbox, from: before, to: name, implied })
  }
  rename(id, from, to, false)
  for (const child of children(write, from)) {
    const name = asText(child.name)
    rename(asNumber(child.id), name, to + name.slice(from.length), true)
  }
  write.nextModSeq()
}

export function deleteMailbox(write: AccountWrite, given: string): void {
  const name = canonicalName(given)
  if (name === 'INBOX') throw new Fault('forbidden', 'INBOX cannot be deleted')
  const row = find(write, name)
  if (!row) throw new Fault('not-found', `no mailbox ${name}`)
  const hasChildren = children(write, name).length > 0
  if (hasChildren && row.selectable === 0) throw new Fault('has-children', `${name} holds other mailboxes`)
  const id = asNumber(row.id)
  dropMailbox(write, id)
  // The name stays, under an id of its own: what is left of the messages goes with the old one.
  if (hasChildren) insertMailbox(write, name, 0)
  write.tell({ kind: 'deleted', mailbox: id, name, implied: false })
  write.touch(id)
}

/** The row goes at once; its messages follow in the background, however many they are. */
export function dropMailbox(write: AccountWrite, id: number): void {
  write.forget(id)
  const row = write.sql.get('DELETE FROM mailboxes WHERE id = ? RETURNING messages, octets', id)
  write.account.messages -= asNumber(row?.messages)
  write.account.octets -= asNumber(row?.octets)
  write.nextModSeq()
  write.sql.run('DELETE FROM metadata WHERE account = ? AND mailbox = ?', write.id, id)
  write.sql.run('DELETE FROM access_keys WHERE mailbox = ?', id)
  write.sql.run("INSERT INTO doomed (kind, id) VALUES ('mailbox', ?)", id)
}

export function setSubscribed(write: AccountWrite, given: string, subscribed: boolean): void {
  const name = canonicalName(given)
  const changed = write.sql.run(
    subscribed
      ? 'INSERT OR IGNORE INTO subscriptions (account, name) VALUES (?, ?)'
      : 'DELETE FROM subscriptions WHERE account = ? AND name = ?',
    write.id,
    name,
  )
  if (changed > 0) write.tell({ kind: 'subscription', name, subscribed })
}

export function setSpecialUse(
  write: AccountWrite,
  mailbox: number,
  use: readonly SpecialUse[],
  take: boolean,
): void {
  const own = write.sql.get('SELECT 1 FROM mailboxes WHERE id = ? AND account = ?', mailbox, write.id)
  if (!own) throw new Fault('not-found', 'no such mailbox')
  const holders = write.sql.all(
    "SELECT id, name, special_use FROM mailboxes WHERE account = ? AND special_use <> '' AND id <> ?",
    write.id,
    mailbox,
  )
  const set = (id: number, uses: readonly string[]): void => {
    write.sql.run('UPDATE mailboxes SET special_use = ? WHERE id = ?', uses.join(' '), id)
    write.tell({ kind: 'special-use', mailbox: id, use: uses as readonly SpecialUse[] })
  }
  for (const holder of holders) {
    const held = asText(holder.special_use).split(' ')
    const left = held.filter((one) => !use.includes(one as SpecialUse))
    if (left.length === held.length) continue
    if (!take) throw new Fault('in-use', `${asText(holder.name)} is that mailbox already`)
    set(asNumber(holder.id), left)
  }
  set(mailbox, [...new Set(use)])
  write.nextModSeq()
}
