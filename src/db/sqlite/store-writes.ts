/** The operations of the mailbox store, inside the writer's transaction. Counters live in the mailbox row. */
import { randomBytes } from 'node:crypto'
import { Fault } from '../../model/fault.ts'
import type { FlagChange, OperationResult, UidSet } from '../../store/store.ts'
import type { MessageRow, OperationRow, Touched } from './requests.ts'
import { asNumber, asText, type Row, type Statements } from './statements.ts'

/** Keywords of one mailbox at the most (SE-18). */
const maxKeywords = 200

export interface WriteContext {
  readonly sql: Statements
  /** Blob ids of the request's octets, by index. */
  readonly blobs: readonly number[]
  readonly now: number
}

/** Collects what one request changed; one mod-sequence for each change. */
export class AccountWrite {
  readonly #context: WriteContext
  readonly account: number
  readonly #mailboxes = new Set<number>()
  #names = false
  #modSeq: number | undefined

  constructor(context: WriteContext, account: number) {
    this.#context = context
    this.account = account
  }

  /** The next value of the account's counter (RFC 7162 §3.1: strictly rising). */
  nextModSeq(): number {
    const row = this.#context.sql.get(
      'UPDATE accounts SET mod_seq = mod_seq + 1 WHERE id = ? RETURNING mod_seq',
      this.account,
    )
    if (!row) throw new Fault('not-found', 'no such account')
    this.#modSeq = asNumber(row.mod_seq)
    return this.#modSeq
  }

  touch(mailbox: number): void {
    this.#mailboxes.add(mailbox)
  }

  touchNames(): void {
    this.#names = true
  }

  touched(): Touched | undefined {
    if (this.#mailboxes.size === 0 && !this.#names) return undefined
    const modSeq =
      this.#modSeq ??
      asNumber(this.#context.sql.get('SELECT mod_seq FROM accounts WHERE id = ?', this.account)?.mod_seq)
    return { account: this.account, modSeq, mailboxes: [...this.#mailboxes], names: this.#names }
  }

  run(operation: OperationRow): OperationResult {
    switch (operation.op) {
      case 'create':
        this.create(operation.name)
        return { op: 'create' }
      case 'rename':
        this.#rename(operation.from, operation.to)
        return { op: 'rename' }
      case 'delete':
        this.#delete(operation.name)
        return { op: 'delete' }
      case 'subscribe':
        this.#context.sql.run(
          operation.subscribed
            ? 'INSERT OR IGNORE INTO subscriptions (account, name) VALUES (?, ?)'
            : 'DELETE FROM subscriptions WHERE account = ? AND name = ?',
          this.account,
          canonicalName(operation.name),
        )
        this.touchNames()
        return { op: 'subscribe' }
      case 'append': {
        const box = this.#selectable(operation.mailbox)
        return {
          op: 'append',
          uidValidity: asNumber(box.uid_validity),
          uids: operation.messages.map((message) => this.append(operation.mailbox, message)),
        }
      }
      case 'copy':
      case 'move':
        return {
          op: operation.op,
          copied: this.#copy(operation.from, operation.uids, operation.to, operation.op),
        }
      case 'flags':
        return { op: 'flags', ...this.#flags(operation.mailbox, operation.uids, operation.change) }
      case 'expunge':
        return {
          op: 'expunge',
          uids: this.#expunge(operation.mailbox, operation.uids, operation.onlyDeleted),
        }
      case 'claim-recent': {
        const box = this.#selectable(operation.mailbox)
        this.#context.sql.run('UPDATE mailboxes SET first_recent = uid_next WHERE id = ?', operation.mailbox)
        return { op: 'claim-recent', firstRecent: asNumber(box.first_recent) }
      }
    }
  }

  /** The mailbox of that name, made with its parents when it does not exist. */
  ensure(name: string): number {
    return this.#find(name)?.id === undefined ? this.create(name) : asNumber(this.#find(name)?.id)
  }

  create(given: string): number {
    const name = canonicalName(given)
    const existing = this.#find(name)
    if (existing && existing.selectable === 1) throw new Fault('exists', `mailbox ${name} exists`)
    this.touchNames()
    if (existing) {
      // A name that only held children becomes a mailbox, with new UIDs under a new UIDVALIDITY.
      this.#context.sql.run(
        'UPDATE mailboxes SET selectable = 1, uid_validity = ?, uid_next = 1, highest_mod_seq = ? WHERE id = ?',
        this.#nextUidValidity(),
        this.nextModSeq(),
        asNumber(existing.id),
      )
      return asNumber(existing.id)
    }
    const levels = name.split('/')
    for (let i = 1; i < levels.length; i++) {
      const parent = levels.slice(0, i).join('/')
      if (!this.#find(parent)) this.#insertMailbox(canonicalName(parent))
    }
    return this.#insertMailbox(name)
  }

  #insertMailbox(name: string): number {
    const row = this.#context.sql.get(
      'INSERT INTO mailboxes (account, name, selectable, uid_validity, highest_mod_seq, object_id) VALUES (?, ?, 1, ?, ?, ?) RETURNING id',
      this.account,
      name,
      this.#nextUidValidity(),
      this.nextModSeq(),
      `F${randomBytes(12).toString('hex')}`,
    )
    return asNumber(row?.id)
  }

  /** Never the same twice in an account, and never lower than before, whatever the clock does (SE-11). */
  #nextUidValidity(): number {
    const row = this.#context.sql.get(
      'UPDATE accounts SET uid_validity = max(uid_validity + 1, ?) WHERE id = ? RETURNING uid_validity',
      Math.floor(this.#context.now / 1000),
      this.account,
    )
    return asNumber(row?.uid_validity)
  }

  #find(name: string): Row | undefined {
    return this.#context.sql.get(
      'SELECT id, name, selectable FROM mailboxes WHERE account = ? AND name = ?',
      this.account,
      canonicalName(name),
    )
  }

  #children(name: string): Row[] {
    // A range instead of LIKE: names may hold % and _. '0' is the character after '/'.
    return this.#context.sql.all(
      'SELECT id, name FROM mailboxes WHERE account = ? AND name >= ? AND name < ? ORDER BY name',
      this.account,
      `${name}/`,
      `${name}0`,
    )
  }

  #selectable(mailbox: number): Row {
    const row = this.#context.sql.get(
      'SELECT * FROM mailboxes WHERE id = ? AND account = ?',
      mailbox,
      this.account,
    )
    if (row?.selectable !== 1) throw new Fault('not-found', 'no such mailbox')
    return row
  }

  #rename(givenFrom: string, givenTo: string): void {
    const from = canonicalName(givenFrom)
    const to = canonicalName(givenTo)
    const source = this.#find(from)
    if (!source) throw new Fault('not-found', `no mailbox ${from}`)
    if (this.#find(to)) throw new Fault('exists', `mailbox ${to} exists`)
    if (to.startsWith(`${from}/`)) throw new Fault('forbidden', 'a mailbox cannot become its own child')
    this.touchNames()
    if (from === 'INBOX') {
      // RFC 3501 §6.3.5: the messages move, INBOX stays and so do its children.
      const target = this.create(to)
      this.#copy(asNumber(source.id), everything, target, 'move')
      return
    }
    const levels = to.split('/')
    for (let i = 1; i < levels.length; i++) {
      const parent = levels.slice(0, i).join('/')
      if (!this.#find(parent)) this.#insertMailbox(canonicalName(parent))
    }
    for (const child of this.#children(from)) {
      const name = to + asText(child.name).slice(from.length)
      this.#context.sql.run('UPDATE mailboxes SET name = ? WHERE id = ?', name, asNumber(child.id))
    }
    this.#context.sql.run('UPDATE mailboxes SET name = ? WHERE id = ?', to, asNumber(source.id))
    this.nextModSeq()
  }

  #delete(given: string): void {
    const name = canonicalName(given)
    if (name === 'INBOX') throw new Fault('forbidden', 'INBOX cannot be deleted')
    const row = this.#find(name)
    if (!row) throw new Fault('not-found', `no mailbox ${name}`)
    const hasChildren = this.#children(name).length > 0
    if (hasChildren && row.selectable === 0) throw new Fault('has-children', `${name} holds other mailboxes`)
    const id = asNumber(row.id)
    for (const table of ['messages', 'expunged'])
      this.#context.sql.run(`DELETE FROM ${table} WHERE mailbox = ?`, id)
    if (hasChildren)
      this.#context.sql.run(
        'UPDATE mailboxes SET selectable = 0, messages = 0, unseen = 0, deleted = 0, octets = 0, highest_mod_seq = ? WHERE id = ?',
        this.nextModSeq(),
        id,
      )
    else this.#context.sql.run('DELETE FROM mailboxes WHERE id = ?', id)
    this.touchNames()
    this.touch(id)
  }

  append(mailbox: number, message: MessageRow): number {
    const { sql, blobs, now } = this.#context
    const blob = blobs[message.octets] ?? 0
    const { envelope, bodyStructure, body, ...detail } = message.digest
    sql.run(
      'INSERT INTO digests (blob, envelope, body_structure, body, detail) VALUES (?, ?, ?, ?, ?)',
      blob,
      envelope,
      bodyStructure,
      body,
      JSON.stringify(detail),
    )
    const flags = this.#known(mailbox, message.flags)
    return this.#insert(mailbox, {
      flags,
      internalDate: message.internalDate,
      savedAt: now,
      size: message.digest.size,
      blob,
    })
  }

  #insert(
    mailbox: number,
    message: { flags: readonly string[]; internalDate: number; savedAt: number; size: number; blob: number },
  ): number {
    const { sql } = this.#context
    const modSeq = this.nextModSeq()
    const row = sql.get(
      `UPDATE mailboxes SET uid_next = uid_next + 1, messages = messages + 1, octets = octets + ?, unseen = unseen + ?,
       deleted = deleted + ?, highest_mod_seq = ? WHERE id = ? RETURNING uid_next - 1 AS uid`,
      message.size,
      message.flags.includes('\\Seen') ? 0 : 1,
      message.flags.includes('\\Deleted') ? 1 : 0,
      modSeq,
      mailbox,
    )
    const uid = asNumber(row?.uid)
    if (uid > 4_294_967_295) throw new Fault('over-quota', 'the mailbox has no UIDs left')
    sql.run(
      'INSERT INTO messages (mailbox, uid, mod_seq, created_mod_seq, flags, internal_date, saved_at, size, blob) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      mailbox,
      uid,
      modSeq,
      modSeq,
      message.flags.join(' '),
      message.internalDate,
      message.savedAt,
      message.size,
      message.blob,
    )
    this.touch(mailbox)
    return uid
  }

  /** Flags in the spelling of their first use; new keywords are added to the mailbox (SE-16, SE-18). */
  #known(mailbox: number, flags: readonly string[]): string[] {
    const wanted = new Map<string, string>()
    for (const flag of flags) wanted.set(flag.toLowerCase(), systemFlags.get(flag.toLowerCase()) ?? flag)
    wanted.delete('\\recent')
    const keywords = [...wanted.values()].filter((flag) => !flag.startsWith('\\'))
    if (keywords.length > 0) {
      const row = this.#context.sql.get('SELECT keywords FROM mailboxes WHERE id = ?', mailbox)
      const list = JSON.parse(asText(row?.keywords) || '[]') as string[]
      const before = list.length
      for (const keyword of keywords) {
        const spelt = list.find((k) => k.toLowerCase() === keyword.toLowerCase())
        if (spelt) wanted.set(keyword.toLowerCase(), spelt)
        else list.push(keyword)
      }
      if (list.length > maxKeywords)
        throw new Fault('over-quota', `more than ${maxKeywords} keywords in one mailbox`)
      if (list.length > before)
        this.#context.sql.run('UPDATE mailboxes SET keywords = ? WHERE id = ?', JSON.stringify(list), mailbox)
    }
    return [...wanted.values()]
  }

  *#rows(mailbox: number, uids: UidSet): Generator<Row> {
    for (const { from, to } of uids)
      yield* this.#context.sql.all(
        'SELECT * FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid',
        mailbox,
        from,
        to,
      )
  }

  #copy(
    from: number,
    uids: UidSet,
    to: number,
    op: 'copy' | 'move',
  ): { uidValidity: number; source: number[]; target: number[] } {
    this.#selectable(from)
    const uidValidity = asNumber(this.#selectable(to).uid_validity)
    const source: number[] = []
    const target: number[] = []
    for (const row of [...this.#rows(from, uids)]) {
      source.push(asNumber(row.uid))
      target.push(
        this.#insert(to, {
          flags: this.#known(to, flagList(row.flags)),
          internalDate: asNumber(row.internal_date),
          savedAt: this.#context.now,
          size: asNumber(row.size),
          blob: asNumber(row.blob),
        }),
      )
    }
    if (op === 'move') this.#remove(from, source)
    return { uidValidity, source, target }
  }

  #flags(
    mailbox: number,
    uids: UidSet,
    change: FlagChange,
  ): Pick<Extract<OperationResult, { op: 'flags' }>, 'modified' | 'changed'> {
    this.#selectable(mailbox)
    const flags = this.#known(mailbox, change.flags)
    const modified: number[] = []
    const changed: { uid: number; modSeq: number; flags: string[] }[] = []
    let modSeq: number | undefined
    let unseen = 0
    let deleted = 0
    for (const row of [...this.#rows(mailbox, uids)]) {
      const uid = asNumber(row.uid)
      if (change.unchangedSince !== undefined && asNumber(row.mod_seq) > change.unchangedSince) {
        modified.push(uid)
        continue
      }
      const before = flagList(row.flags)
      const after =
        change.mode === 'replace'
          ? flags
          : change.mode === 'add'
            ? [...before, ...flags.filter((flag) => !before.includes(flag))]
            : before.filter((flag) => !flags.includes(flag))
      if (before.length === after.length && before.every((flag) => after.includes(flag))) {
        changed.push({ uid, modSeq: asNumber(row.mod_seq), flags: before })
        continue
      }
      modSeq ??= this.nextModSeq()
      unseen += Number(!after.includes('\\Seen')) - Number(!before.includes('\\Seen'))
      deleted += Number(after.includes('\\Deleted')) - Number(before.includes('\\Deleted'))
      this.#context.sql.run(
        'UPDATE messages SET flags = ?, mod_seq = ? WHERE mailbox = ? AND uid = ?',
        after.join(' '),
        modSeq,
        mailbox,
        uid,
      )
      changed.push({ uid, modSeq, flags: after })
    }
    if (modSeq !== undefined) {
      this.#context.sql.run(
        'UPDATE mailboxes SET unseen = unseen + ?, deleted = deleted + ?, highest_mod_seq = ? WHERE id = ?',
        unseen,
        deleted,
        modSeq,
        mailbox,
      )
      this.touch(mailbox)
    }
    return { modified, changed }
  }

  #expunge(mailbox: number, uids: UidSet | 'all', onlyDeleted: boolean): number[] {
    const box = this.#selectable(mailbox)
    // Nothing is marked: no message need be looked at.
    if (onlyDeleted && box.deleted === 0) return []
    const rows = [...this.#rows(mailbox, uids === 'all' ? everything : uids)]
    const gone = rows
      .filter((row) => !onlyDeleted || flagList(row.flags).includes('\\Deleted'))
      .map((row) => asNumber(row.uid))
    this.#remove(mailbox, gone)
    return gone
  }

  /** Deletes messages and leaves their UIDs behind with one mod-sequence. */
  #remove(mailbox: number, uids: readonly number[]): void {
    if (uids.length === 0) return
    const { sql } = this.#context
    const modSeq = this.nextModSeq()
    let octets = 0
    let unseen = 0
    let deleted = 0
    for (const uid of uids) {
      const row = sql.get(
        'DELETE FROM messages WHERE mailbox = ? AND uid = ? RETURNING size, flags',
        mailbox,
        uid,
      )
      const flags = flagList(row?.flags ?? '')
      octets += asNumber(row?.size)
      unseen += flags.includes('\\Seen') ? 0 : 1
      deleted += flags.includes('\\Deleted') ? 1 : 0
      sql.run('INSERT INTO expunged (mailbox, uid, mod_seq) VALUES (?, ?, ?)', mailbox, uid, modSeq)
    }
    sql.run(
      'UPDATE mailboxes SET messages = messages - ?, octets = octets - ?, unseen = unseen - ?, deleted = deleted - ?, highest_mod_seq = ? WHERE id = ?',
      uids.length,
      octets,
      unseen,
      deleted,
      modSeq,
      mailbox,
    )
    this.touch(mailbox)
  }
}

const everything: UidSet = [{ from: 1, to: 4_294_967_295 }]

const systemFlags = new Map(
  ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft'].map((flag) => [flag.toLowerCase(), flag]),
)

export const flagList = (flags: number | string | null | undefined): string[] =>
  flags === null || flags === undefined || flags === '' ? [] : String(flags).split(' ')

/** INBOX in any case is INBOX, and so is the first level of its children (MB-01). */
export const canonicalName = (name: string): string => name.replace(/^inbox(?=$|\/)/i, 'INBOX')
