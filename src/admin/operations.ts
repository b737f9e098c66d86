/** What an operator may ask of a gateway, running or not (QUE-054): the console's API and the command line are over this. */
import type { Account, Directory } from '../auth/credentials.ts'
import type { SessionToken, SessionTokens } from '../auth/session-tokens.ts'
import { Fault } from '../model/fault.ts'
import type { DeliveryRecord, QueueEntry } from '../model/queue.ts'
import type { Runner } from '../queue/runner.ts'
import type { Spool } from '../queue/spool.ts'
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
  /** Deferred and held deliveries become due now. @throws Fault 'not-found' */
  retry(queueId: string): Promise<void>
  /** Gives the open recipients up; the sender gets a DSN. Resolves to how many. Faults: 'not-found', 'in-use'. */
  bounce(queueId: string, reason: string): Promise<number>
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

const addressPattern = /^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$/u

export function createOperations(options: {
  readonly spool: Spool
  readonly directory: Directory
  readonly store: Pick<MailStore, 'read' | 'write'>
  readonly tokens: Pick<SessionTokens, 'list' | 'revoke'>
  readonly runner: Runner
  readonly now: () => number
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
  return {
    queue: ({ all, limit }) => spool.list({ open: !all, limit }),
    queueEntry: entryOf,
    async retry(queueId) {
      if (!(await spool.retry(queueId, options.now())))
        throw new Fault('not-found', `no queue entry ${queueId}`)
      runner.wake()
    },
    async bounce(queueId, reason) {
      await entryOf(queueId)
      const text = `Given up by the operator${reason === '' ? '' : `: ${reason}`}`
      const count = await runner.giveUp(queueId, { code: '5.0.0', text })
      if (count > 0) return count
      const open = (await entryOf(queueId)).deliveries.some((d) =>
        d.recipients.some((r) => r.state === 'pending' || r.state === 'deferred'),
      )
      if (open) throw new Fault('in-use', `${queueId} is being delivered at this moment; try again`)
      return 0
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
}
