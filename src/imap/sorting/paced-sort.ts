/** A stable sort that pauses: short runs are sorted at once, and merged two by two. */
import type { Paced } from '../turns.ts'

/** Sorted at once, and merged between two pauses. */
const atOnce = 2000

/** The list itself where it is short, else a new one. */
export function* pacedSort<T>(list: T[], compare: (a: T, b: T) => number): Paced<T[]> {
  if (list.length <= atOnce) return list.sort(compare)
  let runs: T[][] = []
  for (let i = 0; i < list.length; i += atOnce) {
    runs.push(list.slice(i, i + atOnce).sort(compare))
    yield
  }
  while (runs.length > 1) {
    const next: T[][] = []
    for (let i = 0; i < runs.length; i += 2) {
      const [left = [], right] = [runs[i], runs[i + 1]]
      next.push(right ? yield* merged(left, right, compare) : left)
    }
    runs = next
  }
  return runs[0] ?? []
}

function* merged<T>(left: readonly T[], right: readonly T[], compare: (a: T, b: T) => number): Paced<T[]> {
  const out: T[] = []
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    const a = left[i] as T
    const b = right[j] as T
    // Of equal ones the left one goes first.
    if (j >= right.length || (i < left.length && compare(a, b) <= 0)) {
      out.push(a)
      i += 1
    } else {
      out.push(b)
      j += 1
    }
    if (out.length % atOnce === 0) yield
  }
  return out
}
