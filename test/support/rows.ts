/** What the tables of a store hold, as text. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Rows of all tables that contain the text, as JSON. */
export function rowsWith(store: string, text: string): string[] {
  const db = new DatabaseSync(join(store, 'lemonade.sqlite'), { readOnly: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as {
      name: string
    }[]
    return tables
      .flatMap(({ name }) =>
        db
          .prepare(`SELECT * FROM "${name}"`)
          .all()
          .map((row) => `${name}: ${JSON.stringify(row)}`),
      )
      .filter((row) => row.includes(text))
  } finally {
    db.close()
  }
}
