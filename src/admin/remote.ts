/** The operations of a gateway that runs already, asked over its admin listener. */
import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { request } from 'undici'
import type { SessionToken } from '../auth/session-tokens.ts'
import { Fault, type FaultKind } from '../model/fault.ts'
import type { Requeued } from '../routing/requeue.ts'
import type { Quota } from '../store/store.ts'
import type { Operations, QueueItem } from './operations.ts'

/** How the running gateway can be asked: left in the store folder, for its owner alone. */
interface Door {
  readonly url: string
  readonly token: string
}

const doorFile = (folder: string): string => join(folder, 'admin.json')

export const newToken = (): string => randomBytes(24).toString('base64url')

/** Returns how to take it away again. */
export async function leaveDoor(folder: string, door: Door): Promise<() => Promise<void>> {
  const file = doorFile(folder)
  await rm(file, { force: true })
  await writeFile(file, JSON.stringify(door), { mode: 0o600, flag: 'wx' })
  return () => rm(file, { force: true })
}

/** @throws Fault 'in-use' when the process that holds the store cannot be asked */
export async function remoteOperations(folder: string): Promise<Operations> {
  let door: Door
  try {
    door = JSON.parse(await readFile(doorFile(folder), 'utf8')) as Door
  } catch (error) {
    throw new Fault('in-use', `another process works on the store in ${folder}, and cannot be asked`, {
      cause: error,
    })
  }
  async function ask<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<T> {
    let response: Awaited<ReturnType<typeof request>>
    try {
      response = await request(door.url + path, {
        method,
        headers: {
          authorization: `Bearer ${door.token}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
    } catch (error) {
      throw new Fault('unavailable', `the running gateway does not answer at ${door.url}`, { cause: error })
    }
    const answer = (await response.body.json()) as T & { kind?: FaultKind; message?: string }
    if (response.statusCode !== 200) throw new Fault(answer.kind ?? 'bug', answer.message ?? 'unknown')
    return answer
  }
  const entry = (queueId: string): string => `/api/queue/${encodeURIComponent(queueId)}`
  const account = (address: string): string => `/api/accounts/${encodeURIComponent(address)}`
  return {
    queue: ({ all, limit }) => ask<QueueItem[]>('GET', `/api/queue?all=${all ? 1 : 0}&limit=${limit}`),
    queueEntry: (queueId) => ask<QueueItem>('GET', entry(queueId)),
    retry: async (queueId) => void (await ask('POST', `${entry(queueId)}/retry`)),
    bounce: async (queueId, reason) =>
      (await ask<{ recipients: number }>('POST', `${entry(queueId)}/bounce`, { reason })).recipients,
    hold: async (queueId, reason) =>
      (await ask<{ deliveries: number }>('POST', `${entry(queueId)}/hold`, { reason })).deliveries,
    release: async (queueId) =>
      (await ask<{ deliveries: number }>('POST', `${entry(queueId)}/release`)).deliveries,
    cancel: async (queueId, reason) =>
      (await ask<{ recipients: number }>('POST', `${entry(queueId)}/cancel`, { reason })).recipients,
    withdraw: async (submitter, key) =>
      (await ask<{ recipients: number }>('POST', `${entry(key)}/withdraw`, { submitter })).recipients,
    requeue: (queueId) => ask<Requeued>('POST', `${entry(queueId)}/requeue`),
    erase: async (number) => (await ask<{ records: number }>('POST', '/api/erase', { number })).records,
    accounts: () => ask<string[]>('GET', '/api/accounts'),
    addAccount: async (address, password) => void (await ask('POST', '/api/accounts', { address, password })),
    setPassword: async (address, password) =>
      void (await ask('PUT', `${account(address)}/password`, { password })),
    removeAccount: async (address) => void (await ask('DELETE', account(address))),
    setQuota: async (address, limits) => void (await ask('PUT', `${account(address)}/quota`, limits)),
    quota: (address) => ask<Quota>('GET', `${account(address)}/quota`),
    tokens: (address) => ask<SessionToken[]>('GET', `${account(address)}/tokens`),
    revokeTokens: async (address, client) =>
      (
        await ask<{ ended: number }>(
          'DELETE',
          `${account(address)}/tokens${client === undefined ? '' : `?client=${encodeURIComponent(client)}`}`,
        )
      ).ended,
  }
}
