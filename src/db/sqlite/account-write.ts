/**
 * What one request does to one account, inside the writer's transaction. Account and mailbox rows are read once, counted in
 * memory, and written back by finish(), which also asks the quota.
 */
import { Fault } from '../../model/fault.ts'
import type { Flagged } from '../../store/flagged.ts'
import type { StoreEvent } from '../../store/store.ts'
import type { Touched } from './requests.ts'
import { asNumber, asText, type Row, type Statements } from './statements.ts'

export interface WriteContext {
  readonly sql: Statements
  /** Blob ids of the request's octets, by index. */
  readonly blobs: readonly number[]
  readonly now: number
}

/** The counters of a mailbox row, while they change. */
export interface Box {
  readonly id: number
  readonly name: string
  readonly uidValidity: number
  uidNext: number
  messages: number
  unseen: number
  deleted: number
  deletedOctets: number
  octets: number
  firstRecent: number
  highestModSeq: number
  keywords: string[]
}

interface AccountRow {
  modSeq: number
  uidValidity: number
  octets: number
  messages: number
  limitOctets: number | undefined
  limitMessages: number | undefined
  readonly octetsBefore: number
  readonly messagesBefore: number
}

/** The change was refused; its watchers are told which limit it was. */
export class OverQuota extends Fault {
  readonly touched: Touched

  constructor(message: string, touched: Touched) {
    super('over-quota', message)
    this.touched = touched
  }
}

export class AccountWrite {
  readonly context: WriteContext
  readonly id: number
  readonly events: StoreEvent[] = []
  readonly #boxes = new Map<number, Box>()
  readonly #touched = new Set<number>()
  #touches = 0
  #flagged: Omit<Flagged, 'counters'> | undefined
  #account: AccountRow | undefined

  constructor(context: WriteContext, account: number) {
    this.context = context
    this.id = account
  }

  get sql(): Statements {
    return this.context.sql
  }

  get account(): AccountRow {
    if (this.#account) return this.#account
    const row = this.sql.get('SELECT * FROM accounts WHERE id = ?', this.id)
    if (!row) throw new Fault('not-found', 'no such account')
    const limit = (value: Row[string] | undefined): number | undefined =>
      value === null || value === undefined ? undefined : asNumber(value)
    this.#account = {
      modSeq: asNumber(row.mod_seq),
      uidValidity: asNumber(row.uid_validity),
      octets: asNumber(row.used_octets),
      messages: asNumber(row.used_messages),
      limitOctets: limit(row.limit_octets),
      limitMessages: limit(row.limit_messages),
      octetsBefore: asNumber(row.used_octets),
      messagesBefore: asNumber(row.used_messages),
    }
    return this.#account
  }

  /** The next value of the account's counter (RFC 7162 §3.1: strictly rising). */
  nextModSeq(): number {
    return ++this.account.modSeq
  }

  /** Never the same twice in an account, and never lower than before, whatever the clock does (SE-11). */
  nextUidValidity(): number {
    this.account.uidValidity = Math.max(this.account.uidValidity + 1, Math.floor(this.context.now / 1000))
    return this.account.uidValidity
  }

  /** @throws Fault 'not-found' when there is no such mailbox in the account, or it only holds children */
  selectable(mailbox: number): Box {
    const known = this.#boxes.get(mailbox)
    if (known) return known
    const row = this.sql.get('SELECT * FROM mailboxes WHERE id = ? AND account = ?', mailbox, this.id)
    if (row?.selectable !== 1) throw new Fault('not-found', 'no such mailbox')
    const box: Box = {
      id: mailbox,
      name: asText(row.name),
      uidValidity: asNumber(row.uid_validity),
      uidNext: asNumber(row.uid_next),
      messages: asNumber(row.messages),
      unseen: asNumber(row.unseen),
      deleted: asNumber(row.deleted),
      deletedOctets: asNumber(row.deleted_octets),
      octets: asNumber(row.octets),
      firstRecent: asNumber(row.first_recent),
      highestModSeq: asNumber(row.highest_mod_seq),
      keywords: JSON.parse(asText(row.keywords)) as string[],
    }
    this.#boxes.set(mailbox, box)
    return box
  }

  /** Messages of the mailbox changed: its row is written, and watchers are told. */
  touch(mailbox: number): void {
    this.#touched.add(mailbox)
    this.#touches += 1
  }

  /** The touch that was just reported changed these flags and nothing else. */
  flagged(change: Omit<Flagged, 'counters'>): void {
    this.#flagged = change
  }

  #onlyFlagged(): Flagged | undefined {
    const change = this.#flagged
    const box = change && this.#boxes.get(change.mailbox)
    if (!box || this.#touches > 1) return undefined
    const { unseen, deleted, deletedOctets, highestModSeq, keywords } = box
    return { ...change, counters: { unseen, deleted, deletedOctets, highestModSeq, keywords } }
  }

  /** The mailbox row is about to go; what was counted of it counts no more. */
  forget(mailbox: number): void {
    this.#flush(this.#boxes.get(mailbox))
    this.#boxes.delete(mailbox)
  }

  tell(event: StoreEvent): void {
    this.events.push(event)
  }

  #flush(box: Box | undefined): void {
    if (!box) return
    this.sql.run(
      `UPDATE mailboxes SET uid_next = ?, messages = ?, unseen = ?, deleted = ?, deleted_octets = ?, octets = ?,
       first_recent = ?, highest_mod_seq = ?, keywords = ? WHERE id = ?`,
      box.uidNext,
      box.messages,
      box.unseen,
      box.deleted,
      box.deletedOctets,
      box.octets,
      box.firstRecent,
      box.highestModSeq,
      JSON.stringify(box.keywords),
      box.id,
    )
  }

  /**
   * Writes the counters back. With `enforce` an account that grew beyond a limit is refused.
   * @throws OverQuota
   */
  finish(enforce: boolean, origin: number | undefined): Touched | undefined {
    const account = this.#account
    for (const box of this.#boxes.values()) this.#flush(box)
    if (account) {
      if (enforce) this.#refuseGrowth(account)
      this.#tellWithin(account)
      this.sql.run(
        'UPDATE accounts SET mod_seq = ?, uid_validity = ?, used_octets = ?, used_messages = ?, limit_octets = ?, limit_messages = ? WHERE id = ?',
        account.modSeq,
        account.uidValidity,
        account.octets,
        account.messages,
        account.limitOctets ?? null,
        account.limitMessages ?? null,
        this.id,
      )
    }
    if (this.#touched.size === 0 && this.events.length === 0) return undefined
    return {
      account: this.id,
      modSeq: this.account.modSeq,
      mailboxes: [...this.#touched],
      names: this.events.some((event) => nameKinds.has(event.kind)),
      events: this.events,
      origin,
      flagged: this.#onlyFlagged(),
    }
  }

  #refuseGrowth(account: AccountRow): void {
    for (const resource of ['octets', 'messages'] as const) {
      const limit = resource === 'octets' ? account.limitOctets : account.limitMessages
      const before = resource === 'octets' ? account.octetsBefore : account.messagesBefore
      const used = account[resource]
      if (limit === undefined || used <= limit || used <= before) continue
      throw new OverQuota(`the account would have ${used} ${resource} of ${limit}`, {
        account: this.id,
        modSeq: account.modSeq,
        mailboxes: [],
        names: false,
        events: [{ kind: 'quota', state: 'exceeded', resource, used: before, limit }],
        origin: undefined,
      })
    }
  }

  #tellWithin(account: AccountRow): void {
    const { octets, messages, octetsBefore, messagesBefore, limitOctets, limitMessages } = account
    if (limitOctets !== undefined && octetsBefore >= limitOctets && octets < limitOctets)
      this.tell({ kind: 'quota', state: 'within', resource: 'octets', used: octets, limit: limitOctets })
    if (limitMessages !== undefined && messagesBefore >= limitMessages && messages < limitMessages)
      this.tell({
        kind: 'quota',
        state: 'within',
        resource: 'messages',
        used: messages,
        limit: limitMessages,
      })
  }
}

const nameKinds: ReadonlySet<StoreEvent['kind']> = new Set([
  'created',
  'deleted',
  'renamed',
  'subscription',
  'special-use',
])

/** INBOX in any case is INBOX, and so is the first level of its children (MB-01). */
export const canonicalName = (name: string): string => name.replace(/^inbox(?=$|\/)/i, 'INBOX')
