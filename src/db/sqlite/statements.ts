/** Prepared statements of one connection, each prepared once. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

export type Row = Record<string, number | string | null>
/** A row as a plain array, in the order of the columns: half the cost of an object. */
export type Tuple = readonly (number | string | null)[]

export class Statements {
  readonly db: DatabaseSync
  /** The full-text index is attached as schema `search`. */
  readonly indexed: boolean
  readonly #prepared = new Map<string, StatementSync>()
  readonly #arrays = new Map<string, StatementSync>()

  constructor(db: DatabaseSync, indexed = false) {
    this.db = db
    this.indexed = indexed
  }

  of(sql: string): StatementSync {
    let statement = this.#prepared.get(sql)
    if (!statement) {
      statement = this.db.prepare(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.of(sql).all(...values) as Row[]
  }

  tuples(sql: string, ...values: SQLInputValue[]): Tuple[] {
    let statement = this.#arrays.get(sql)
    if (!statement) {
      statement = this.db.prepare(sql)
      statement.setReturnArrays(true)
      this.#arrays.set(sql, statement)
    }
    return statement.all(...values) as unknown as Tuple[]
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.of(sql).get(...values) as Row | undefined
  }

  /** The id of the row that an INSERT made. */
  insert(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.of(sql).run(...values).lastInsertRowid)
  }

  /** Number of rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.of(sql).run(...values).changes)
  }
}

export const asNumber = (value: number | string | null | undefined): number => Number(value ?? 0)
export const asText = (value: number | string | null | undefined): string => String(value ?? '')
export const optional = (value: number | string | null | undefined): string | undefined =>
  value === null || value === undefined ? undefined : String(value)
