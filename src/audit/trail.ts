/**
 * The audit trail (SEC-051): one JSON object a line, a file a day in a folder that only its owner reads. Lines are only
 * added; they tell of messages, never what is in them.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { appendFile, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import type { EpochMs } from '../model/units.ts'

export interface AuditTrail {
  /** Soon on disk; nobody waits for it. */
  add(record: Readonly<Record<string, unknown>>): void
  /** Resolves when what was added before is written. */
  flush(): Promise<void>
  /** Puts `by` for `text` in all that was written, the text not being a part of a longer number (SEC-053). */
  erase(text: string, by: string): Promise<void>
  /** Removes the files of days that need not be kept any more. */
  purge(): Promise<void>
}

/** What waits to be written; more is left out, and that is told. Octets. */
const maxWaiting = 16 * 1024 * 1024
const dayMs = 86_400_000
const fileName = /^(\d{4}-\d{2}-\d{2})\.jsonl$/

export const auditFolder = (store: string): string => join(store, 'audit')

export const auditFiles = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => fileName.test(name)).sort()

export function createAuditTrail(options: {
  readonly folder: string
  readonly keepDays: number
  readonly now: () => EpochMs
  readonly log: (level: 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}): AuditTrail {
  const { folder } = options
  let waiting: { readonly file: string; readonly line: string }[] = []
  let octets = 0
  let leftOut = 0
  let writing: Promise<void> | undefined

  async function write(): Promise<void> {
    // One turn of the event loop is one write.
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const lines = waiting
      waiting = []
      octets = 0
      const byFile = new Map<string, string>()
      for (const { file, line } of lines) byFile.set(file, `${byFile.get(file) ?? ''}${line}`)
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        for (const [file, text] of byFile) await appendFile(join(folder, file), text, { mode: 0o600 })
      } catch (error) {
        leftOut += lines.length
        options.log('error', 'the audit trail cannot be written', {
          records: leftOut,
          error: String(error),
        })
      }
    }
    writing = undefined
  }

  return {
    add(record) {
      const at = new Date(options.now()).toISOString()
      const line = `${JSON.stringify({ at, ...record })}\n`
      if (octets + line.length > maxWaiting) {
        leftOut++
        return
      }
      octets += line.length
      waiting.push({ file: `${at.slice(0, 10)}.jsonl`, line })
      writing ??= write()
    },
    async flush() {
      while (writing) await writing
    },
    async erase(text, by) {
      while (writing) await writing
      // What is added meanwhile waits.
      writing = (async () => {
        for (const name of await auditFiles(folder)) await replaced(join(folder, name), text, by)
        writing = undefined
      })()
      await writing
      if (waiting.length > 0) writing ??= write()
    },
    async purge() {
      const first = new Date(options.now() - options.keepDays * dayMs).toISOString().slice(0, 10)
      for (const name of await auditFiles(folder))
        if (name.slice(0, 10) < first) await rm(join(folder, name), { force: true })
    },
  }
}

/** A line at a time, into a file that takes the place of the old one when it is whole. */
async function replaced(file: string, text: string, by: string): Promise<void> {
  const whole = new RegExp(`(?<!\\d)${text.replace(/[^0-9A-Za-z]/g, '\\$&')}(?!\\d)`, 'g')
  const lines = createInterface({
    input: createReadStream(file, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
  const next = `${file}.new`
  await pipeline(
    async function* () {
      for await (const line of lines) yield `${line.replace(whole, () => by)}\n`
    },
    createWriteStream(next, { mode: 0o600 }),
  )
  await rename(next, file)
}
