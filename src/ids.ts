/**
 * Identifiers outside of fixtures. Those of a message are derived from its queue id, so that a retry or a restart sends
 * what was sent before without storing it (GEN-003); the queue id carries 96 random bits (SEC-050).
 */
import { hash, randomBytes } from 'node:crypto'
import type { IdSource, Ids } from './model/providers.ts'

export function createIds(host: string): IdSource {
  return {
    queueId: () => randomBytes(12).toString('base64url').replaceAll('_', 'x').replaceAll('-', 'y'),
    of: (queueId, scope) => derived(queueId, scope, host),
    random: Math.random,
  }
}

function derived(queueId: string, scope: string, host: string): Ids {
  const counters = new Map<string, number>()
  const next = (kind: string): string => {
    const n = (counters.get(kind) ?? 0) + 1
    counters.set(kind, n)
    return hash('sha256', `${queueId}\n${scope}\n${kind}\n${n}`, 'hex').slice(0, 24)
  }
  return {
    transactionId: () => next('transaction'),
    messageId: () => `<${next('message')}@${host}>`,
    mmsMessageId: () => next('mms'),
    contentId: () => `<${next('part')}@${host}>`,
    boundary: () => `b${next('boundary')}`,
  }
}
