/** Positions of ADDTO and REMOVEFROM: pairs that a client applies from left to right (RFC 5267 §4.3.2; CX-15, CX-16). */

export interface Placed<T> {
  /** From 1, at the time when the pairs before it have been applied. */
  readonly position: number
  /** Neighbours, in the order of the result. */
  readonly items: readonly T[]
}

/** What is left of a list, and how to tell what went. */
export function removals<T>(
  list: readonly T[],
  isGone: (item: T) => boolean,
): { readonly list: T[]; readonly pairs: readonly Placed<T>[] } {
  const left: T[] = []
  const pairs: { position: number; items: T[] }[] = []
  let run: { position: number; items: T[] } | undefined
  for (const item of list) {
    if (!isGone(item)) {
      left.push(item)
      run = undefined
      continue
    }
    if (!run) {
      run = { position: left.length + 1, items: [] }
      pairs.push(run)
    }
    run.items.push(item)
  }
  return { list: left, pairs }
}

/** A list in order with more items put in, and how to tell where. `compare` never gives 0 for two different items. */
export function insertions<T>(
  list: readonly T[],
  added: readonly T[],
  compare: (a: T, b: T) => number,
): { readonly list: T[]; readonly pairs: readonly Placed<T>[] } {
  const whole: T[] = []
  const pairs: { position: number; items: T[] }[] = []
  let from = 0
  for (const item of added.toSorted(compare)) {
    const at = placeOf(list, item, compare, from)
    for (let i = from; i < at; i++) whole.push(list[i] as T)
    const last = pairs[pairs.length - 1]
    if (last && at === from && last.position + last.items.length === whole.length + 1) last.items.push(item)
    else pairs.push({ position: whole.length + 1, items: [item] })
    whole.push(item)
    from = at
  }
  for (let i = from; i < list.length; i++) whole.push(list[i] as T)
  return { list: whole, pairs }
}

/** Index of the first element behind `item`. */
function placeOf<T>(list: readonly T[], item: T, compare: (a: T, b: T) => number, from: number): number {
  let low = from
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(list[middle] as T, item) < 0) low = middle + 1
    else high = middle
  }
  return low
}
