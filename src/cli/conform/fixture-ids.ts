/** The ids of the worked cases: counted from 1 per kind, in order of first need (GEN-002). */
import type { IdSource, Ids } from '../../model/providers.ts'

export function fixtureIds(host: string): IdSource {
  const counters = new Map<string, number>()
  const next = (kind: string): string => {
    const n = (counters.get(kind) ?? 0) + 1
    counters.set(kind, n)
    return String(n).padStart(4, '0')
  }
  // What a scope was given once it gets again when it is opened again: a retry sends the same ids (GEN-003).
  const scopes = new Map<string, Map<string, string[]>>()
  return {
    queueId: () => `Q-${next('queue')}`,
    random: () => 0.5,
    of(queueId, scope): Ids {
      const key = `${queueId}\n${scope}`
      const given = scopes.get(key) ?? new Map<string, string[]>()
      scopes.set(key, given)
      const used = new Map<string, number>()
      const id = (kind: string, make: (n: string) => string): string => {
        const list = given.get(kind) ?? []
        given.set(kind, list)
        const at = used.get(kind) ?? 0
        used.set(kind, at + 1)
        const known = list[at]
        if (known !== undefined) return known
        const made = make(next(kind))
        list.push(made)
        return made
      }
      return {
        transactionId: () => id('transaction', (n) => `TX-${n}`),
        messageId: () => id('message', (n) => `<M-${n}@${host}>`),
        mmsMessageId: () => id('mms', (n) => `MMS-${n}`),
        contentId: () => id('part', (n) => `<P-${n}@${host}>`),
        boundary: () => id('boundary', (n) => `=_B-${n}`),
      }
    },
  }
}
