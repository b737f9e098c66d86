/**
 * Bounds what is remembered of expunged messages (RFC 7162 §5.3, QR-53): runs of UIDs that touch become one, with the later
 * mod-sequence, once newer expunges stand before them. A client that was away for longer is told a little more than it
 * needs. What is left is at most one run for each live message, and the newest.
 */
import { asNumber, type Statements } from './statements.ts'

/** The newest runs of a mailbox keep their own mod-sequence. */
const keptApart = 1000
/** Mailboxes, and runs of one, that are looked at in one step. */
const mailboxesAtOnce = 20
const runsAtOnce = 2000

export class ExpungedRuns {
  readonly #sql: Statements
  readonly #keptApart: number
  #mailbox = 0
  #first = 0

  constructor(sql: Statements, kept = keptApart) {
    this.#sql = sql
    this.#keptApart = kept
  }

  /** One step through all mailboxes, in turn. */
  step(): void {
    const boxes = this.#sql.tuples(
      `SELECT id FROM mailboxes WHERE id >= ? ORDER BY id LIMIT ${mailboxesAtOnce}`,
      this.#mailbox,
    )
    for (const [id] of boxes) {
      if (!this.#merge(Number(id))) return
      this.#mailbox = Number(id) + 1
      this.#first = 0
    }
    if (boxes.length < mailboxesAtOnce) this.#mailbox = 0
  }

  /** False when there is more to do in this mailbox. */
  #merge(mailbox: number): boolean {
    const newest = this.#sql.get(
      'SELECT mod_seq FROM expunged WHERE mailbox = ? ORDER BY mod_seq DESC LIMIT 1 OFFSET ?',
      mailbox,
      this.#keptApart,
    )
    if (!newest) return true
    const rows = this.#sql.tuples(
      `SELECT first, last, mod_seq FROM expunged WHERE mailbox = ? AND first >= ? ORDER BY first LIMIT ${runsAtOnce}`,
      mailbox,
      this.#first,
    )
    let open: { first: number; last: number; modSeq: number; runs: number } | undefined
    const close = (): void => {
      if (open && open.runs > 1) this.#replace(mailbox, open)
      open = undefined
    }
    for (const [first, last, modSeq] of rows) {
      if (open && open.last + 1 === first && Number(modSeq) <= asNumber(newest.mod_seq)) {
        open.last = Number(last)
        open.modSeq = Math.max(open.modSeq, Number(modSeq))
        open.runs++
        continue
      }
      close()
      if (Number(modSeq) <= asNumber(newest.mod_seq))
        open = { first: Number(first), last: Number(last), modSeq: Number(modSeq), runs: 1 }
    }
    const next = open?.first ?? Number(rows[rows.length - 1]?.[0] ?? 0) + 1
    close()
    // The last run of a step is looked at again as the first of the next: it may go on there.
    this.#first = next
    return rows.length < runsAtOnce
  }

  #replace(mailbox: number, run: { first: number; last: number; modSeq: number }): void {
    this.#sql.run(
      'DELETE FROM expunged WHERE mailbox = ? AND first BETWEEN ? AND ?',
      mailbox,
      run.first,
      run.last,
    )
    this.#sql.run(
      'INSERT INTO expunged (mailbox, first, last, mod_seq) VALUES (?, ?, ?, ?)',
      mailbox,
      run.first,
      run.last,
      run.modSeq,
    )
  }
}
