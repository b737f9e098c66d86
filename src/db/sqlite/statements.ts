/** Prepared statements of one connection, each prepared once. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

export type Row = Record<string, number | string | null>

export class Statements {
  readonly db: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  constructor(db: DatabaseSync) {
    this.db = db
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

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.of(sql).get(...values) as Row | undefined
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
