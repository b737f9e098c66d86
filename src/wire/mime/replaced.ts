/** A message some of whose octets are shown as others: its positions, and where its octets come from. */
import type { Replacement } from '../../model/message-digest.ts'
import type { HeaderRange, MimeNode } from './node.ts'

/** The octets as they are shown. */
export function replaced(octets: Uint8Array, replacements: readonly Replacement[]): Buffer {
  const pieces: Uint8Array[] = []
  let at = 0
  for (const { start, end, by } of replacements) {
    pieces.push(octets.subarray(at, start), Buffer.from(by, 'latin1'))
    at = end
  }
  pieces.push(octets.subarray(at))
  return Buffer.concat(pieces)
}

/** The same tree with the positions that its parts have in what is shown. */
export function replacedNode(root: MimeNode, replacements: readonly Replacement[]): MimeNode {
  const shifted = shiftOf(replacements)
  const field = (each: HeaderRange): HeaderRange => {
    const start = shifted(each.start)
    return {
      ...each,
      start,
      // A field that was written anew has its colon behind its name.
      valueStart: Math.min(
        start + (shifted(each.valueStart) === start ? each.name.length + 1 : each.valueStart - each.start),
        shifted(each.end),
      ),
      end: shifted(each.end),
    }
  }
  const node = (each: MimeNode): MimeNode => ({
    ...each,
    headerStart: shifted(each.headerStart),
    bodyStart: shifted(each.bodyStart),
    bodyEnd: shifted(each.bodyEnd),
    fields: each.fields.map(field),
    parts: each.parts.map(node),
  })
  return node(root)
}

/** Where a position stands in what is shown; one inside a replacement is its beginning. */
function shiftOf(replacements: readonly Replacement[]): (position: number) => number {
  const shifts: number[] = []
  let shift = 0
  for (const { start, end, by } of replacements) {
    shift += by.length - (end - start)
    shifts.push(shift)
  }
  return (position) => {
    // The number of replacements that end at the position or before it.
    let low = 0
    let high = replacements.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((replacements[middle]?.end ?? 0) <= position) low = middle + 1
      else high = middle
    }
    const before = low === 0 ? 0 : (shifts[low - 1] ?? 0)
    const next = replacements[low]
    return (next && next.start < position ? next.start : position) + before
  }
}

/** Either octets of the message, or what stands in their place. */
export type ShownPiece = { readonly start: number; readonly end: number } | { readonly by: string }

/** What [start, end) of what is shown consists of. */
export function shownPieces(replacements: readonly Replacement[], start: number, end: number): ShownPiece[] {
  const pieces: ShownPiece[] = []
  /** Position in the message, and the same in what is shown. */
  let stored = 0
  let shown = 0
  const take = (from: number, to: number): void => {
    const low = Math.max(start, shown)
    const high = Math.min(end, shown + to - from)
    if (low < high) pieces.push({ start: from + low - shown, end: from + high - shown })
    shown += to - from
  }
  for (const replacement of replacements) {
    if (shown >= end) return pieces
    take(stored, replacement.start)
    const low = Math.max(start - shown, 0)
    const high = Math.min(end - shown, replacement.by.length)
    if (low < high) pieces.push({ by: replacement.by.slice(low, high) })
    shown += replacement.by.length
    stored = replacement.end
  }
  if (shown < end) take(stored, stored + end - shown)
  return pieces
}
