/** The mailbox store's reading side, and the way of its operations to the writer. */
import { Fault } from '../../model/fault.ts'
import type { MailStore, OctetRange, OperationResult, StoreEvent } from '../../store/store.ts'
import type { Kernel } from './engine.ts'
import { flagList } from './flags.ts'
import { joined } from './joined.ts'
import type { FlagsAnswer, OperationRow, StoreAnswer } from './requests.ts'
import { type Place, readWherever } from './segments.ts'
import { asNumber } from './statements.ts'
import { quotaOf, viewOf } from './view.ts'

const chunkOctets = 65_536
/** Accounts remembered as having no limit. */
const maxUnlimited = 10_000

export function createStore(kernel: Kernel): MailStore {
  const place = (blob: number): Place => {
    const row = kernel.latest.get('SELECT segment, offset, length FROM blobs WHERE id = ?', blob)
    if (!row) throw new Fault('not-found', `no octets ${blob}`)
    return { segment: asNumber(row.segment), offset: asNumber(row.offset), length: asNumber(row.length) }
  }
  /** Accounts without a limit; none can get one but through write(). */
  const unlimited = new Set<number>()
  const within = (at: Place, range: OctetRange | undefined): OctetRange => {
    const start = Math.min(range?.start ?? 0, at.length)
    return { start, end: Math.max(start, Math.min(range?.end ?? at.length, at.length)) }
  }
  return {
    read: (account, fn) => kernel.snapshot((sql) => fn(viewOf(sql, account, kernel.reader))),
    async write(account, operations, origin) {
      const octets: Uint8Array[] = []
      const rows = operations.map((operation): OperationRow => {
        // A view would take its whole underlying buffer along to the writer.
        if (operation.op === 'metadata')
          return {
            ...operation,
            entries: operation.entries.map(({ name, value }) => ({
              name,
              value: value === null ? null : Uint8Array.from(value),
            })),
          }
        if (operation.op !== 'append') return operation
        const messages = operation.messages.map((message) => ({
          octets: octets.push(joined(message.octets)) - 1,
          digest: message.digest,
          internalDate: message.internalDate,
          internalOffsetMinutes: message.internalOffsetMinutes ?? 0,
          flags: message.flags,
        }))
        return { op: 'append', mailbox: operation.mailbox, messages }
      })
      const answers = await kernel.write<StoreAnswer>(
        { kind: 'store', account, operations: rows, now: kernel.now(), origin },
        octets,
      )
      // After the commit: what was asked meanwhile may have been kept again.
      if (operations.some(({ op }) => op === 'quota')) unlimited.delete(account)
      return answers.map((answer) => ('modSeqs' in answer ? flagsResult(answer) : answer))
    },
    async hasRoom(account, octets) {
      if (unlimited.has(account)) return true
      const quota = quotaOf(kernel.latest, account)
      if (quota.octets.limit === undefined && quota.messages.limit === undefined) {
        if (unlimited.size >= maxUnlimited) unlimited.clear()
        unlimited.add(account)
        return true
      }
      const full = (['octets', 'messages'] as const).filter((resource) => {
        const { used, limit } = quota[resource]
        return limit !== undefined && used + (resource === 'octets' ? octets : 1) > limit
      })
      if (full.length === 0) return true
      const events = full.map(
        (resource): StoreEvent => ({
          kind: 'quota',
          state: 'exceeded',
          resource,
          ...quota[resource],
        }),
      )
      const modSeq = await viewOf(kernel.latest, account).highestModSeq()
      kernel.tell({ account, modSeq, mailboxes: [], names: false, events, origin: undefined })
      return false
    },
    watch: (account, onChange) => kernel.watch(account, onChange),
    watchAll: (onChange) => kernel.watch('all', onChange),
    readBlob(blob, range) {
      const at = place(blob)
      const { start, end } = within(at, range)
      return readWherever(kernel.segments, () => place(blob), at, start, end)
    },
    async *streamBlob(blob, range) {
      const at = place(blob)
      const { start, end } = within(at, range)
      for (let from = start; from < end; from += chunkOctets)
        yield await readWherever(
          kernel.segments,
          () => place(blob),
          at,
          from,
          Math.min(from + chunkOctets, end),
        )
    },
  }
}

function flagsResult({ op, modified, uids, modSeqs, flags }: FlagsAnswer): OperationResult {
  return {
    op,
    modified,
    changed: uids.map((uid, i) => ({ uid, modSeq: modSeqs[i] ?? 0, flags: flagList(flags[i] ?? '') })),
  }
}
