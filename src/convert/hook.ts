/** The place where a media converter would stand (CNT-070). Without one every conversion is refused. */
import type { Part } from '../model/neutral.ts'
import type { Octets } from '../model/units.ts'

export type Leaf = Extract<Part, { kind: 'leaf' }>

export interface ConversionTarget {
  /** Media types that the target can show, in lower case. */
  readonly types: ReadonlySet<string>
  /** Decoded octets that the result may have at the most. */
  readonly maxOctets?: Octets | undefined
}

/** A part that fits the target, or undefined = refused. What it throws counts as a refusal. */
export type Convert = (part: Leaf, target: ConversionTarget) => Leaf | undefined

export const refuseAll: Convert = () => undefined

export function converted(
  convert: Convert | undefined,
  part: Leaf,
  target: ConversionTarget,
): Leaf | undefined {
  try {
    return (convert ?? refuseAll)(part, target)
  } catch {
    return undefined
  }
}
