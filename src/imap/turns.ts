/** Gives other sessions their turn in the middle of long work (SC-40). */
import { performance } from 'node:perf_hooks'

/** One session computes about so long before others run. */
const sliceMs = 10

export class Turns {
  #since = performance.now()

  /** Asked between pieces of work that are short themselves. */
  get isDue(): boolean {
    return performance.now() - this.#since >= sliceMs
  }

  /** Resolves when the others had their turn. */
  async give(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#since = performance.now()
  }
}

/** Work that pauses between pieces that are short themselves. */
export type Paced<T> = Generator<void, T, void>

/** Does it, and lets others run in its pauses. */
export async function inTurns<T>(work: Paced<T>, turns = new Turns()): Promise<T> {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
    if (turns.isDue) await turns.give()
  }
}
