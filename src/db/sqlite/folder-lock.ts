/**
 * One process works on a store folder. The kernel holds the lock (by way of SQLite) and drops it with the process: a file
 * with a process id alone says nothing to a process in another container, and two that find it stale could both take it.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '../../model/fault.ts'

/** SQLITE_BUSY. */
const busy = 5
/** By file: a connection that nobody refers to is closed, and its lock is gone. */
const held = new Map<string, DatabaseSync>()

/** Returns how to unlock it. @throws Fault 'in-use' when another process, or this one, has it open */
export function lockFolder(folder: string): () => void {
  // For people, and for the message below; the lock is on the other file, which stays: a name that is removed and made
  // again can be held twice.
  const pidFile = join(folder, 'lock')
  const file = join(folder, 'lock.db')
  if (held.has(file)) throw new Fault('in-use', `the store in ${folder} is open already`)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(file, { timeout: 0 })
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db?.close()
    if ((error as { errcode?: number }).errcode === busy)
      throw new Fault('in-use', `process ${owner(pidFile)} is working on the store in ${folder}`, {
        cause: error,
      })
    throw new Fault('unavailable', `the store in ${folder} cannot be locked: ${(error as Error).message}`, {
      cause: error,
    })
  }
  const locked = db
  writeFileSync(pidFile, String(process.pid))
  held.set(file, locked)
  return () => {
    rmSync(pidFile, { force: true })
    held.delete(file)
    locked.close()
  }
}

function owner(pidFile: string): string {
  try {
    return /^\d{1,20}$/.exec(readFileSync(pidFile, 'utf8'))?.[0] ?? 'another'
  } catch {
    return 'another'
  }
}
