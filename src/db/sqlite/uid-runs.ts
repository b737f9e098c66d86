import type { UidSet } from '../../store/store.ts'

/** Every UID there can be. */
export const everything: UidSet = [{ from: 1, to: 4_294_967_295 }]

/** Ascending numbers as the fewest ranges. */
export function runsOf(uids: Iterable<number>): UidSet {
  const runs: { from: number; to: number }[] = []
  let last: { from: number; to: number } | undefined
  for (const uid of uids) {
    if (last && last.to === uid - 1) last.to = uid
    else {
      last = { from: uid, to: uid }
      runs.push(last)
    }
  }
  return runs
}

/** Ranges in any order, joined where they touch or overlap. */
export function joinedRuns(ranges: Iterable<{ readonly from: number; readonly to: number }>): UidSet {
  const runs: { from: number; to: number }[] = []
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = runs[runs.length - 1]
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to)
    else runs.push({ from, to })
  }
  return runs
}
