/**
 * Message octets in append-only segment files. A record is a head of 16 octets (magic, length, CRC-32 of the payload,
 * zero) and the payload. A row in `blobs` says where a record is; a record without a row was never acknowledged.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writevSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

export const headOctets = 16
const magic = 0x4c4d5231 // "LMR1"

export const segmentFile = (folder: string, segment: number): string =>
  join(folder, `segment-${String(segment).padStart(6, '0')}.lmr`)

export function recordHead(length: number, checksum: number): Buffer {
  const head = Buffer.alloc(headOctets)
  head.writeUInt32BE(magic, 0)
  head.writeUInt32BE(length, 4)
  head.writeUInt32BE(checksum, 8)
  return head
}

export interface Place {
  readonly segment: number
  /** Of the payload's first octet. */
  readonly offset: number
  readonly length: number
}

/** The one writer's side. */
export class SegmentWriter {
  readonly #folder: string
  readonly #limit: number
  #segment: number
  #fd: number
  #length: number
  /** Where the octets of a commit that failed begin: whether it failed for good is known after the next one. */
  #doubtfulFrom: number | undefined

  /** Cuts the newest segment back to `end`: what lies behind the last row was never acknowledged (torn tail). */
  constructor(folder: string, limit: number, last: { readonly segment: number; readonly end: number }) {
    this.#folder = folder
    this.#limit = limit
    this.#segment = last.segment
    this.#fd = this.#open(last.segment)
    this.#length = last.end
    ftruncateSync(this.#fd, last.end)
  }

  #open(segment: number): number {
    const file = segmentFile(this.#folder, segment)
    const fresh = !existsSync(file)
    const fd = openSync(file, fresh ? 'w+' : 'r+')
    if (fresh) {
      // The name of a new file is durable only after its folder was synced.
      const folder = openSync(this.#folder, 'r')
      fsyncSync(folder)
      closeSync(folder)
    }
    return fd
  }

  /** Appends all payloads and syncs once. After an error nothing of them is kept, and the next call may succeed. */
  append(payloads: readonly Uint8Array[]): Place[] {
    if (payloads.length === 0) return []
    if (this.#length >= this.#limit) {
      const fd = this.#open(this.#segment + 1)
      ftruncateSync(fd, 0)
      closeSync(this.#fd)
      this.#fd = fd
      this.#segment += 1
      this.#length = 0
    }
    const places: Place[] = []
    const vector: Uint8Array[] = []
    let end = this.#length
    for (const payload of payloads) {
      vector.push(recordHead(payload.length, crc32(payload)), payload)
      places.push({ segment: this.#segment, offset: end + headOctets, length: payload.length })
      end += headOctets + payload.length
    }
    try {
      this.#writeAll(vector)
      fdatasyncSync(this.#fd)
    } catch (error) {
      ftruncateSync(this.#fd, this.#length)
      throw error
    }
    this.#length = end
    return places
  }

  /** writev takes 1024 vectors at most and may write less than asked. */
  #writeAll(vector: readonly Uint8Array[]): void {
    let position = this.#length
    for (let i = 0; i < vector.length; i += 1000) {
      let rest = vector.slice(i, i + 1000)
      while (rest.length > 0) {
        let written = writevSync(this.#fd, rest, position)
        position += written
        while (rest.length > 0 && written >= (rest[0]?.length ?? 0)) {
          written -= rest[0]?.length ?? 0
          rest = rest.slice(1)
        }
        const first = rest[0]
        if (first && written > 0) rest = [first.subarray(written), ...rest.slice(1)]
      }
    }
  }

  /** The number of the segment that is being written. */
  get current(): number {
    return this.#segment
  }

  /** These records belong to a transaction that was rolled back before its commit: their room is used again. */
  takeBack(places: readonly Place[]): void {
    const [first] = places
    if (first === undefined || first.segment !== this.#segment) return
    this.#length = Math.min(this.#length, first.offset - headOctets)
    ftruncateSync(this.#fd, this.#length)
  }

  /**
   * The commit of these records failed. It may still be found in the write-ahead log after a crash, and then its rows
   * count: the records stay until another commit has taken its place there (settleDoubts).
   */
  failed(places: readonly Place[]): void {
    const [first] = places
    if (first === undefined || first.segment !== this.#segment) return
    this.#doubtfulFrom = Math.min(this.#doubtfulFrom ?? Number.POSITIVE_INFINITY, first.offset - headOctets)
  }

  get isInDoubt(): boolean {
    return this.#doubtfulFrom !== undefined
  }

  /** A commit went through after that which failed: the room of its records is used again. */
  settleDoubts(): void {
    if (this.#doubtfulFrom === undefined) return
    this.#length = this.#doubtfulFrom
    this.#doubtfulFrom = undefined
    ftruncateSync(this.#fd, this.#length)
  }

  /** Removes the files of segments without a live record; the one being written stays. */
  reclaim(isLive: (segment: number) => boolean): void {
    for (const name of readdirSync(this.#folder)) {
      const segment = Number(/^segment-(\d+)\.lmr$/.exec(name)?.[1] ?? this.#segment)
      if (segment !== this.#segment && !isLive(segment)) rmSync(join(this.#folder, name), { force: true })
    }
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** Any reader's side: positioned reads, open files kept. */
export class SegmentReader {
  readonly #folder: string
  readonly #files = new Map<number, number>()
  readonly #handles = new Map<number, Promise<FileHandle>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** One positioned read: for small ranges, which the page cache answers at once. */
  readNow(place: Place, start: number, end: number): Uint8Array {
    let fd = this.#files.get(place.segment)
    if (fd === undefined) {
      fd = openSync(segmentFile(this.#folder, place.segment), 'r')
      this.#files.set(place.segment, fd)
    }
    const buffer = Buffer.allocUnsafe(end - start)
    const read = readSync(fd, buffer, 0, buffer.length, place.offset + start)
    if (read !== buffer.length)
      throw new Error(`segment ${place.segment} ends before octet ${place.offset + end}`)
    return buffer
  }

  async read(place: Place, start: number, end: number): Promise<Uint8Array> {
    if (end - start <= 65_536) return this.readNow(place, start, end)
    let handle = this.#handles.get(place.segment)
    if (!handle) {
      handle = open(segmentFile(this.#folder, place.segment), 'r')
      this.#handles.set(place.segment, handle)
    }
    const buffer = Buffer.allocUnsafe(end - start)
    const { bytesRead } = await (await handle).read(buffer, 0, buffer.length, place.offset + start)
    if (bytesRead !== buffer.length)
      throw new Error(`segment ${place.segment} ends before octet ${place.offset + end}`)
    return buffer
  }

  /** Lets go of segments whose file was removed: an open one still takes its room on the disk. */
  async closeRemoved(): Promise<void> {
    const removed = (segment: number): boolean => !existsSync(segmentFile(this.#folder, segment))
    for (const [segment, fd] of [...this.#files])
      if (removed(segment)) {
        this.#files.delete(segment)
        closeSync(fd)
      }
    for (const [segment, handle] of [...this.#handles])
      if (removed(segment)) {
        this.#handles.delete(segment)
        await (await handle).close()
      }
  }

  async close(): Promise<void> {
    for (const fd of this.#files.values()) closeSync(fd)
    for (const handle of this.#handles.values()) await (await handle).close()
    this.#files.clear()
    this.#handles.clear()
  }
}

/** What is wrong with the record at a place; undefined when its checksum fits. */
export function recordProblem(folder: string, place: Place): string | undefined {
  let fd: number
  try {
    fd = openSync(segmentFile(folder, place.segment), 'r')
  } catch {
    return `segment ${place.segment} is missing`
  }
  try {
    if (place.offset + place.length > fstatSync(fd).size) return `segment ${place.segment} is too short`
    const record = Buffer.allocUnsafe(headOctets + place.length)
    readSync(fd, record, 0, record.length, place.offset - headOctets)
    if (record.readUInt32BE(0) !== magic) return 'no record begins here'
    if (record.readUInt32BE(4) !== place.length) return 'the record has another length'
    if (record.readUInt32BE(8) !== crc32(record.subarray(headOctets))) return 'the checksum does not fit'
    return undefined
  } finally {
    closeSync(fd)
  }
}

/** Reads a record that may be moved meanwhile (compaction): when its file is gone, `place` knows where it is now. */
export async function readWherever(
  reader: SegmentReader,
  place: () => Place,
  first: Place,
  start: number,
  end: number,
): Promise<Uint8Array> {
  try {
    return await reader.read(first, start, end)
  } catch (error) {
    const now = place()
    if (now.segment === first.segment && now.offset === first.offset) throw error
    return reader.read(now, start, end)
  }
}
