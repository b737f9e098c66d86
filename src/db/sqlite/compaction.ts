/**
 * Segments of which little is alive are emptied in small steps, so that their files can go: live records are appended to
 * the newest segment and synced like any others, and their rows are changed in one transaction. At any instant a row names
 * a whole record: before the commit the old one, after it the new one. The old file stays for a while after that, for
 * readers that were told the old place.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { CompactionTimes } from './compaction-times.ts'
import { headOctets, recordHead, type SegmentWriter, segmentFile } from './segments.ts'
import { asNumber, type Statements } from './statements.ts'

/** Of the octets of a file: a segment with less alive is emptied. */
const sparse = 0.3
/** What one step moves at the most; it holds the writer for some tens of milliseconds. */
const stepOctets = 4 * 1024 * 1024
const stepRecords = 256

interface Live {
  readonly blob: number
  readonly offset: number
  readonly length: number
}

export class Compaction {
  readonly #sql: Statements
  readonly #folder: string
  readonly #segments: SegmentWriter
  readonly #times: Required<CompactionTimes>
  /** The segment that is being emptied. */
  #victim: number | undefined
  /** Those below were looked at in this round. */
  #next = 0
  /** When each was measured, by performance.now(). */
  readonly #measured = new Map<number, number>()
  /** Holds a record that is not what its row says: for `store check`, and not to be moved. */
  readonly #damaged = new Set<number>()
  /** Emptied segments, and until when their files stay, by performance.now(). */
  readonly #emptied = new Map<number, number>()

  constructor(sql: Statements, folder: string, segments: SegmentWriter, times: Required<CompactionTimes>) {
    this.#sql = sql
    this.#folder = folder
    this.#segments = segments
    this.#times = times
  }

  /** Somebody may still read from the segment, though no row names it. */
  isInGrace(segment: number): boolean {
    const until = this.#emptied.get(segment)
    if (until === undefined) return false
    if (performance.now() < until) return true
    this.#emptied.delete(segment)
    return false
  }

  /** One step. False: nothing is left to move in this round. */
  step(): boolean {
    if (this.#victim === undefined) return this.#look()
    const victim = this.#victim
    const records = this.#recordsOf(victim)
    if (records.length > 0) {
      // What fails here, such as a full disk, changes nothing; the next round begins anew.
      this.#victim = undefined
      if (!this.#move(victim, records)) return true
      this.#victim = victim
    } else {
      this.#measured.delete(victim)
      this.#emptied.set(victim, performance.now() + this.#times.graceMs)
      this.#victim = undefined
    }
    return true
  }

  /** Measures one segment more. False: there is none whose turn it is. */
  #look(): boolean {
    for (;;) {
      const row = this.#sql.get('SELECT min(segment) AS segment FROM blobs WHERE segment >= ?', this.#next)
      const segment = row?.segment === null || row === undefined ? undefined : asNumber(row.segment)
      if (segment === undefined || segment >= this.#segments.current) {
        this.#next = 0
        return false
      }
      this.#next = segment + 1
      const before = this.#measured.get(segment) ?? Number.NEGATIVE_INFINITY
      if (this.#damaged.has(segment) || performance.now() - before < this.#times.lookEveryMs) continue
      this.#measured.set(segment, performance.now())
      if (this.#liveOf(segment) < sparse * this.#sizeOf(segment)) this.#victim = segment
      return true
    }
  }

  #liveOf(segment: number): number {
    const row = this.#sql.get(
      'SELECT sum(length + ?) AS live FROM blobs WHERE segment = ?',
      headOctets,
      segment,
    )
    return asNumber(row?.live)
  }

  /** 0 when there is no file. */
  #sizeOf(segment: number): number {
    const fd = this.#open(segment)
    if (fd === undefined) return 0
    try {
      return fstatSync(fd).size
    } finally {
      closeSync(fd)
    }
  }

  #open(segment: number): number | undefined {
    try {
      return openSync(segmentFile(this.#folder, segment), 'r')
    } catch {
      return undefined
    }
  }

  /** Some of the live records, in their order. */
  #recordsOf(segment: number): Live[] {
    const rows = this.#sql.all(
      'SELECT id, offset, length FROM blobs WHERE segment = ? ORDER BY id LIMIT ?',
      segment,
      stepRecords,
    )
    const some: Live[] = []
    let octets = 0
    for (const row of rows) {
      const live = { blob: asNumber(row.id), offset: asNumber(row.offset), length: asNumber(row.length) }
      octets += live.length
      if (some.length > 0 && octets > stepOctets) break
      some.push(live)
    }
    return some
  }

  /** False: the segment is damaged, and nothing was moved. */
  #move(segment: number, records: readonly Live[]): boolean {
    const payloads = this.#read(segment, records)
    if (!payloads) {
      this.#damaged.add(segment)
      return false
    }
    const places = this.#segments.append(payloads)
    this.#sql.run('BEGIN IMMEDIATE')
    try {
      for (const [i, { blob, offset }] of records.entries()) {
        const place = places[i]
        if (place)
          this.#sql.run(
            'UPDATE blobs SET segment = ?, offset = ? WHERE id = ? AND segment = ? AND offset = ?',
            place.segment,
            place.offset,
            blob,
            segment,
            offset,
          )
      }
      this.#sql.run('COMMIT')
    } catch (error) {
      if (this.#sql.db.isTransaction) this.#sql.db.exec('ROLLBACK')
      this.#segments.failed(places)
      throw error
    }
    return true
  }

  /** undefined: a record is not what its row says. A damaged one is not copied with a good checksum. */
  #read(segment: number, records: readonly Live[]): Uint8Array[] | undefined {
    const fd = this.#open(segment)
    if (fd === undefined) return undefined
    try {
      const payloads: Uint8Array[] = []
      for (const { offset, length } of records) {
        const record = Buffer.allocUnsafe(headOctets + length)
        if (readSync(fd, record, 0, record.length, offset - headOctets) !== record.length) return undefined
        const payload = record.subarray(headOctets)
        if (!record.subarray(0, headOctets).equals(recordHead(length, crc32(payload)))) return undefined
        payloads.push(payload)
      }
      return payloads
    } finally {
      closeSync(fd)
    }
  }
}
