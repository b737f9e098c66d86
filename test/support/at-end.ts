/** What a test file made is taken away at its end, the newest first. Unlike afterAll, it may be called inside a test. */
import { afterAll } from 'vitest'

const ends: (() => unknown)[] = []

afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end()
}, 60_000)

export function atEnd(end: () => unknown): void {
  ends.push(end)
}
