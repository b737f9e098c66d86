/** Work that pauses, done without a pause. */
import type { Paced } from '../../src/imap/turns.ts'

export function finished<T>(work: Paced<T>): T {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}
