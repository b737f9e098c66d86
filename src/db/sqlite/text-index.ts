/**
 * The full-text index, a database of its own beside the store: its writer is another thread, so that delivery waits for none
 * of it. It is derived and may be deleted; it is made again. Texts are casemapped (RFC 5051), and every run of three characters
 * is a term: what IMAP's substring search (RFC 3501 §6.4.4) can be narrowed down by. Rows are numbered account, blob.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { casemap } from '../../model/casemap.ts'
import { asNumber, type Statements } from './statements.ts'

const version = 1
/** Low bits of a row number: the blob. The account stands above, so that one account's rows lie together. */
export const blobBits = 40
export const blobMask = 2 ** blobBits - 1

const fileOf = (folder: string): string => join(folder, 'search.sqlite')
const brokenMark = (folder: string): string => join(folder, 'search.broken')

/** The index for writing; made when it is missing, of another version, or was found broken. */
export function openTextIndex(folder: string): DatabaseSync {
  if (existsSync(brokenMark(folder))) dropTextIndex(folder)
  try {
    return opened(folder)
  } catch {
    dropTextIndex(folder)
    return opened(folder)
  }
}

/** It is made anew at the next start: readers of this process have it open. */
export const markBroken = (folder: string): void => writeFileSync(brokenMark(folder), '')

function dropTextIndex(folder: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(fileOf(folder) + suffix, { force: true })
  rmSync(brokenMark(folder), { force: true })
}

function opened(folder: string): DatabaseSync {
  const db = new DatabaseSync(fileOf(folder))
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384')
    const found = asNumber(Object.values(db.prepare('PRAGMA user_version').get() ?? {})[0] as number)
    if (found === version) return db
    if (found !== 0) throw new Error(`the index has version ${found}`)
    db.exec(`BEGIN;
      CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', contentless_delete = 1, detail = none,
        tokenize = 'trigram case_sensitive 1');
      CREATE VIRTUAL TABLE terms USING fts5vocab (texts, 'row');
      CREATE TABLE progress (blob INTEGER NOT NULL);
      INSERT INTO progress VALUES (0);
      CREATE TABLE skipped (blob INTEGER PRIMARY KEY);
      PRAGMA user_version = ${version};
      COMMIT`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Lets a reader of the store see the index as schema `search`. */
export const attachTextIndex = (db: DatabaseSync, folder: string): void => {
  db.prepare('ATTACH DATABASE ? AS search').run(fileOf(folder))
}

/** Text as it is indexed. Two ends of line behind it: every character has two after it, so that it begins a term. */
export const indexedText = (text: string): string => `${unbroken(casemap(text))}\n\n`

/** A needle as it is looked for in texts and header lines: no NUL in either. */
export const unbroken = (text: string): string => text.toWellFormed().replaceAll('\0', ' ')

/** Terms that a short needle may begin; with more of them the index says too little. */
const maxTerms = 200
/** Terms of a long needle that are asked for. */
const askedTerms = 16

/** What the index has to be asked for texts that may hold the needle; 'any' when it cannot rule out anything. */
export function termsFor(sql: Statements, needle: string): string | 'any' | 'none' {
  const characters = Array.from(needle)
  if (characters.length >= 3) {
    const all = [
      ...new Set(characters.slice(2).map((last, i) => `${characters[i]}${characters[i + 1]}${last}`)),
    ]
    const step = Math.max(1, all.length / askedTerms)
    const asked = Array.from(
      { length: Math.min(all.length, askedTerms) },
      (_, i) => all[Math.floor(i * step)] ?? '',
    )
    return asked.map(quoted).join(' AND ')
  }
  if (needle === '') return 'any'
  const terms = sql.tuples(
    `SELECT term FROM search.terms WHERE term >= ? AND term < ? LIMIT ${maxTerms + 1}`,
    needle,
    `${needle}\u{10ffff}`,
  )
  if (terms.length === 0) return 'none'
  return terms.length > maxTerms ? 'any' : terms.map(([term]) => quoted(String(term))).join(' OR ')
}

const quoted = (term: string): string => `"${term.replaceAll('"', '""')}"`
