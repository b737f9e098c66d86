/**
 * Identifiers outside of fixtures. Those of a message are derived from its queue id, so that a retry or a restart sends
 * what was sent before without storing it (GEN-003); the queue id carries 96 random bits (SEC-050). They stand behind the
 * time: rows that are written together, and read together, lie together in every index that begins with the id.
 */
import { hash, randomBytes } from 'node:crypto'
import type { IdSource, Ids } from './model/providers.ts'
import type { EpochMs } from './model/units.ts'

export function createIds(host: string, now: () => EpochMs = Date.now): IdSource {
  return {
    queueId: () =>
      stamp(now()) + randomBytes(12).toString('base64url').replaceAll('_', 'x').replaceAll('-', 'y'),
    of: (queueId, scope) => derived(queueId, scope, host),
    random: Math.random,
  }
}

/** Eight letters and digits that sort as the time does, until 2059. */
const stamp = (at: EpochMs): string => Math.max(0, Math.floor(at)).toString(36).padStart(8, '0')

/** The time that a queue id begins with: what is looked for by an id of the message lies together too. */
const stampOf = (queueId: string): string => /^([0-9a-z]{8})[0-9A-Za-z]{16}$/.exec(queueId)?.[1] ?? ''

function derived(queueId: string, scope: string, host: string): Ids {
  const counters = new Map<string, number>()
  const next = (kind: string): string => {
    const n = (counters.get(kind) ?? 0) + 1
    counters.set(kind, n)
    return hash('sha256', `${queueId}\n${scope}\n${kind}\n${n}`, 'hex').slice(0, 24)
  }
  return {
    transactionId: () => next('transaction'),
    messageId: () => `<${stampOf(queueId)}${next('message')}@${host}>`,
    mmsMessageId: () => `${stampOf(queueId)}${next('mms')}`,
    contentId: () => `<${next('part')}@${host}>`,
    boundary: () => `b${next('boundary')}`,
  }
}
