/** Outcomes of a whole attempt, one for each recipient. */
import type { Outcome } from '../model/queue.ts'
import type { Refusal } from '../model/refusal.ts'
import { dsnStatusOf } from '../model/refusal-status.ts'

export const allOf = (serve: readonly number[], outcome: Omit<Outcome, 'index'>): Outcome[] =>
  serve.map((index) => ({ index, ...outcome }))

/** A message that cannot be written for this way out has failed, and its sender is told why. */
export const refusedOutcomes = (serve: readonly number[], refused: Refusal): Outcome[] =>
  allOf(serve, {
    state: refused.refused === 'temporary' || refused.refused === 'too-many' ? 'deferred' : 'failed',
    status: { code: dsnStatusOf[refused.refused], text: refused.text },
  })
