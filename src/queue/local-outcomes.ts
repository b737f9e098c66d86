/** Outcomes that no next hop had a part in. */
import type { Outcome } from '../model/queue.ts'

export const expired = (index: number): Outcome => ({
  index,
  state: 'expired',
  status: { code: '5.4.7', text: 'The time allowed for delivery has passed' },
})

export const temporary = (index: number, text: string): Outcome => ({
  index,
  state: 'deferred',
  status: { code: '4.3.0', text },
})
