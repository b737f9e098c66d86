/**
 * What is due, oldest first, but of each target no more than it has room for. Mostly the first rows of the index on
 * next_at are it; where those belong to targets without room, each target's own queue is looked at.
 */
import type { Except, Room } from '../../queue/spool.ts'
import type { WriteBody } from './requests.ts'
import { asNumber, asText, optional, type Statements } from './statements.ts'

/** Rows looked at before the targets are asked one by one. */
const firstRows = 256
/** Of a family of targets so many are asked at once. */
const familyTargets = 1000

interface Due {
  readonly id: number
  readonly at: number
  readonly target: string
}

/** The one that takes out what is due. */
export class DueQueue {
  readonly #sql: Statements
  /** Where the next look at a family of targets begins: each has its turn, however many there are. */
  #from = ''

  constructor(sql: Statements) {
    this.#sql = sql
  }

  /** Ids of the deliveries leased; the cost does not grow with the length of the queue. */
  claim({ now, leaseUntil, limit, room }: Extract<WriteBody, { readonly kind: 'claim' }>): number[] {
    const sql = this.#sql
    const first = dueRows(
      sql.all(
        'SELECT id, next_at, target FROM deliveries WHERE next_at <= ? ORDER BY next_at LIMIT ?',
        now,
        room ? Math.max(firstRows, limit) : limit,
      ),
    )
    let taken = room ? roomFor(first, room, limit) : first
    if (room && taken.length < limit && first.length >= firstRows)
      taken = roomFor(this.#eachTarget(now, limit, room), room, limit)
    for (const { id } of taken)
      sql.run('UPDATE deliveries SET next_at = ?, leased = 1 WHERE id = ?', leaseUntil, id)
    return taken.map(({ id }) => id)
  }

  #eachTarget(now: number, limit: number, room: Room): Due[] {
    const { family } = room
    const found = [...targets(this.#sql, family?.prefix)]
    if (family && family.left > 0) {
      const some = someOf(this.#sql, family.prefix, this.#from)
      this.#from = some.length < familyTargets ? '' : (some.at(-1) ?? '')
      found.push(...some)
    }
    return found
      .flatMap((target) =>
        dueRows(
          this.#sql.all(
            'SELECT id, next_at, target FROM deliveries WHERE target = ? AND next_at <= ? ORDER BY next_at LIMIT ?',
            target,
            now,
            Math.max(0, Math.min(limit, room.each - (room.leased.get(target) ?? 0))),
          ),
        ),
      )
      .sort((a, b) => a.at - b.at)
  }
}

const dueRows = (rows: ReturnType<Statements['all']>): Due[] =>
  rows.map((row) => ({ id: asNumber(row.id), at: asNumber(row.next_at), target: asText(row.target) }))

const inFamily = (target: string, prefix: string | undefined): boolean =>
  prefix !== undefined && target.startsWith(prefix)

/** Of rows in the order of their time, those that there is room for. */
function roomFor(rows: readonly Due[], room: Room, limit: number): Due[] {
  const counts = new Map<string, number>()
  let familyLeft = room.family?.left ?? 0
  const taken: Due[] = []
  for (const row of rows) {
    if (taken.length >= limit) break
    const before = counts.get(row.target) ?? room.leased.get(row.target) ?? 0
    const isFamily = inFamily(row.target, room.family?.prefix)
    if (before >= room.each || (isFamily && familyLeft <= 0)) continue
    counts.set(row.target, before + 1)
    if (isFamily) familyLeft--
    taken.push(row)
  }
  return taken
}

/** The instant at which the next delivery is due, or a lease runs out. */
export function nextDue(sql: Statements, except: Except): number | undefined {
  const rows = dueRows(
    sql.all(
      'SELECT id, next_at, target FROM deliveries WHERE next_at IS NOT NULL ORDER BY next_at LIMIT ?',
      except.targets.length === 0 && except.prefix === undefined ? 1 : firstRows,
    ),
  )
  const isOut = (target: string): boolean =>
    except.targets.includes(target) || inFamily(target, except.prefix)
  const first = rows.find(({ target }) => !isOut(target))
  if (first || rows.length < firstRows) return first?.at
  let next: number | undefined
  for (const target of targets(sql, except.prefix)) {
    if (isOut(target)) continue
    const row = sql.get(
      'SELECT min(next_at) AS at FROM deliveries WHERE target = ? AND next_at IS NOT NULL',
      target,
    )
    next = Math.min(next ?? Number.POSITIVE_INFINITY, asNumber(row?.at))
  }
  return next
}

/** The next target with an open delivery in the index, whatever lies between. */
function targetAfter(sql: Statements, after: string): string | undefined {
  const row = sql.get(
    'SELECT min(target) AS target FROM deliveries WHERE next_at IS NOT NULL AND target > ?',
    after,
  )
  return optional(row?.target ?? null)
}

/** Targets with an open delivery, without those of this beginning. */
function* targets(sql: Statements, without: string | undefined): Generator<string> {
  let after = ''
  for (;;) {
    const target = targetAfter(sql, after)
    if (target === undefined) return
    const isOut = inFamily(target, without)
    // Behind all that begin so.
    after = isOut ? `${without}\u{10ffff}` : target
    if (!isOut) yield target
  }
}

/** Some targets of this beginning, behind `from`. */
function someOf(sql: Statements, prefix: string, from: string): string[] {
  const found: string[] = []
  for (let after = from === '' ? prefix : from; found.length < familyTargets; ) {
    const target = targetAfter(sql, after)
    if (target === undefined || !target.startsWith(prefix)) break
    found.push(target)
    after = target
  }
  return found
}
