/** What an operator may ask of a gateway, running or not (QUE-054): the console's API and the command line are over this. */

import type { Audit } from '../audit/audit.ts'
import type { AuditRecords } from '../audit/records.ts'
import type { Account, Directory } from '../auth/credentials.ts'
import type { SessionToken, SessionTokens } from '../auth/session-tokens.ts'
import { maskAddress } from '../log.ts'
import { fromXtext } from '../mapping/xtext.ts'
import { asFault, Fault } from '../model/fault.ts'
import type { DeliveryRecord, QueueEntry } from '../model/queue.ts'
import type { Runner } from '../queue/runner.ts'
import type { Spool } from '../queue/spool.ts'
import type { Requeued } from '../routing/requeue.ts'
import type { MailStore, Quota } from '../store/store.ts'

export interface QueueItem {
  readonly entry: QueueEntry
  readonly deliveries: readonly DeliveryRecord[]
}

export interface Operations {
  /** Oldest first; with `all` settled entries too. */
  queue(filter: { readonly all: boolean; readonly limit: number }): Promise<readonly QueueItem[]>
  /** @throws Fault 'not-found' */
  queueEntry(queueId: string): Promise<QueueItem>
  /** Deferred deliveries become due now. Faults: 'not-found'; 'in-use' when the operator holds them. */
  retry(queueId: string): Promise<void>
  /** Gives the open recipients up; the sender gets a DSN. Resolves to how many. Faults: 'not-found', 'in-use'. */
  bounce(queueId: string, reason: string): Promise<number>
  /** Keeps the open deliveries from being tried until they are let go. Resolves to how many. @throws Fault 'not-found' */
  hold(queueId: string, reason: string): Promise<number>
  /** Ends a hold, also that of a dead letter. Resolves to how many deliveries were held. @throws Fault 'not-found' */
  release(queueId: string): Promise<number>
  /** Ends the open recipients; nobody is told. Resolves to how many. Faults: 'not-found', 'in-use'. */
  cancel(queueId: string, reason: string): Promise<number>
  /**
   * What a user submitted is cancelled for that user, named by its queue id or by its ENVID (RFC 4865); nobody is told.
   * Resolves to how many recipients. Faults: 'not-found' for what is not there or not of that user, 'in-use'.
   */
  withdraw(submitter: string, key: string): Promise<number>
  /** Its open recipients go by today's routes, now, held or not. Faults: 'not-found', 'in-use'. */
  requeue(queueId: string): Promise<Requeued>
  /**
   * Takes a telephone number out of queue, correlation and audit trail; what waits for it is ended (SEC-053). Resolves to
   * how many records. @throws Fault 'malformed' for what is no number
   */
  erase(number: string): Promise<number>
  accounts(): Promise<readonly string[]>
  /** @throws Fault 'exists' */
  addAccount(address: string, password: string): Promise<void>
  /** @throws Fault 'not-found' */
  setPassword(address: string, password: string): Promise<void>
  /** @throws Fault 'not-found' */
  removeAccount(address: string): Promise<void>
  /** What the account may hold; undefined: no limit. What is over a new limit stays. @throws Fault 'not-found' */
  setQuota(address: string, limits: QuotaLimits): Promise<void>
  /** @throws Fault 'not-found' */
  quota(address: string): Promise<Quota>
  /** Tokens by which clients log in again (RC-17). @throws Fault 'not-found' */
  tokens(address: string): Promise<readonly SessionToken[]>
  /** Ends those of one client, or all. Resolves to how many. @throws Fault 'not-found' */
  revokeTokens(address: string, client: string | undefined): Promise<number>
}

export interface QuotaLimits {
  readonly octets?: number | undefined
  readonly messages?: number | undefined
}

const isOpen = (delivery: DeliveryRecord): boolean =>
  delivery.recipients.some((r) => r.state === 'pending' || r.state === 'deferred')

/** As the client gave it. */
const envidOf = ({ origin }: QueueEntry): string | undefined => {
  const { ENVID } = origin.carrier === 'mail' ? origin.envelope.mailFrom.params : {}
  return ENVID === undefined ? undefined : fromXtext(ENVID)
}

const addressPattern = /^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$/u

/** Changes that are on record, and what of their arguments is: the first is what they act on (QUE-054, SEC-051). */
const recorded: Readonly<Record<string, 'queueId' | 'address'>> = {
  retry: 'queueId',
  bounce: 'queueId',
  hold: 'queueId',
  release: 'queueId',
  cancel: 'queueId',
  requeue: 'queueId',
  withdraw: 'address',
  erase: 'address',
  addAccount: 'address',
  setPassword: 'address',
  removeAccount: 'address',
  setQuota: 'address',
  revokeTokens: 'address',
}

export function createOperations(options: {
  readonly spool: Spool
  readonly directory: Directory
  readonly store: Pick<MailStore, 'read' | 'write'>
  readonly tokens: Pick<SessionTokens, 'list' | 'revoke'>
  readonly runner: Runner
  readonly requeue: (queueId: string, now: number) => Promise<Requeued>
  readonly now: () => number
  readonly audit?: Audit | undefined
}): Operations {
  const { spool, directory, runner, store, tokens } = options
  const accountOf = async (address: string): Promise<Account> => {
    const account = await directory.find(address)
    if (!account) throw new Fault('not-found', `no account ${address}`)
    return account
  }
  const entryOf = async (queueId: string): Promise<QueueItem> => {
    const [found] = await spool.list({ queueId, open: false })
    if (!found) throw new Fault('not-found', `no queue entry ${queueId}`)
    return found
  }
  /** @throws Fault 'in-use' when it is open all the same: then an attempt is under way */
  const refuseUnderWay = async (queueId: string): Promise<void> => {
    if ((await entryOf(queueId)).deliveries.some(isOpen))
      throw new Fault('in-use', `${queueId} is being delivered at this moment; try again`)
  }
  const operations: Operations = {
    queue: ({ all, limit }) => spool.list({ open: !all, limit }),
    queueEntry: entryOf,
    async retry(queueId) {
      const { deliveries } = await entryOf(queueId)
      const open = deliveries.filter(isOpen)
      const [held] = open.flatMap((d) => (d.held ? [d.held] : []))
      if (held && open.every((d) => d.held))
        throw new Fault('in-use', `${queueId} is held (${held.reason}): release it, requeue it, or bounce it`)
      await spool.retry(queueId, options.now())
      runner.wake()
    },
    async hold(queueId, reason) {
      await entryOf(queueId)
      return spool.hold(queueId, reason === '' ? 'by the operator' : reason, options.now())
    },
    async release(queueId) {
      await entryOf(queueId)
      const count = await spool.letGo(queueId, options.now())
      runner.wake()
      return count
    },
    async cancel(queueId, reason) {
      const { deliveries } = await entryOf(queueId)
      const indices = deliveries.flatMap((d) => d.recipients.map((r) => r.index))
      const text = `Cancelled by the operator${reason === '' ? '' : `: ${reason}`}`
      const { cancelled } = await spool.cancel(queueId, indices, options.now(), text)
      if (cancelled === 0) await refuseUnderWay(queueId)
      return cancelled
    },
    async withdraw(submitter, key) {
      const mine = (await spool.list({ submitter, open: true })).filter(
        ({ entry }) => entry.queueId === key || envidOf(entry) === key,
      )
      if (mine.length === 0) throw new Fault('not-found', `${submitter} has no message ${key} in the queue`)
      let count = 0
      for (const { entry, deliveries } of mine) {
        const indices = deliveries.flatMap((d) => d.recipients.map((r) => r.index))
        const { cancelled } = await spool.cancel(
          entry.queueId,
          indices,
          options.now(),
          'Cancelled by its sender',
        )
        count += cancelled
        if (cancelled === 0) await refuseUnderWay(entry.queueId)
      }
      return count
    },
    async requeue(queueId) {
      await entryOf(queueId)
      const requeued = await options.requeue(queueId, options.now())
      if (requeued.recipients === 0) await refuseUnderWay(queueId)
      runner.wake()
      return requeued
    },
    async bounce(queueId, reason) {
      await entryOf(queueId)
      const text = `Given up by the operator${reason === '' ? '' : `: ${reason}`}`
      const count = await runner.giveUp(queueId, { code: '5.0.0', text })
      if (count === 0) await refuseUnderWay(queueId)
      return count
    },
    async erase(number) {
      const digits = /^\+?(\d{7,15})$/.exec(number.replace(/[ ().-]/g, ''))?.[1]
      if (digits === undefined)
        throw new Fault('malformed', `${number} is no telephone number in international form`)
      const count = await spool.erase(digits, options.now())
      await options.audit?.trail.erase(digits, `${digits.slice(0, -4)}****`)
      return count
    },
    accounts: async () => (await directory.list()).map((account) => account.address),
    async addAccount(address, password) {
      if (!addressPattern.test(address)) throw new Fault('malformed', `${address} is not a mail address`)
      if (await directory.find(address)) throw new Fault('exists', `account ${address} exists`)
      await directory.put(address, password)
    },
    async setPassword(address, password) {
      await accountOf(address)
      await directory.put(address, password)
    },
    async removeAccount(address) {
      if (!(await directory.remove(address))) throw new Fault('not-found', `no account ${address}`)
    },
    async setQuota(address, { octets, messages }) {
      await store.write((await accountOf(address)).id, [{ op: 'quota', octets, messages }])
    },
    quota: async (address) => store.read((await accountOf(address)).id, (view) => view.quota()),
    tokens: async (address) => tokens.list((await accountOf(address)).id),
    revokeTokens: async (address, client) => tokens.revoke((await accountOf(address)).id, client),
  }
  return options.audit ? onRecord(operations, options.audit.records) : operations
}

/** Each change is told to the audit trail with its result; a reason is, a password is not. */
function onRecord(operations: Operations, records: AuditRecords): Operations {
  const told = { ...operations } as Record<string, (...args: unknown[]) => Promise<unknown>>
  for (const [name, subject] of Object.entries(recorded)) {
    const run = told[name]
    if (!run) continue
    told[name] = async (first, ...rest) => {
      const [reason] = rest
      const about = {
        // The number that is erased is not written down once more.
        [subject]: name === 'erase' ? maskAddress(String(first)) : first,
        ...(subject === 'queueId' && typeof reason === 'string' && reason !== '' ? { reason } : {}),
      }
      try {
        const result = await run(first, ...rest)
        records.operated(name, about, 'ok')
        return result
      } catch (error) {
        records.operated(name, about, asFault(error).kind)
        throw error
      }
    }
  }
  return told as unknown as Operations
}
