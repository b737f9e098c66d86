/** Which cases can be run against a gateway whose clock, store and configuration are not ours, and why others cannot. */
import type { Case } from '../case-folder.ts'
import type { EnvelopeJson } from '../envelopes.ts'

/** Keys of a case's configuration that tell of its next hops, which we play. */
const ours = new Set(['nextHop'])

/** Undefined: it can be run. */
export function whyNot(one: Case): string | undefined {
  const { json } = one
  // It fails, whatever it would have needed.
  if (one.problems.length > 0) return undefined
  if (json.matrix || one.has('pairs.json')) return 'a table of pairs, not a message'
  if (one.has('expected.model.json')) return 'decoded only, nothing leaves'
  if (one.has('input.hex')) return 'MM1 has no listener here'
  if (json.state) return 'needs stored state'
  if (json.advanceTo !== undefined) return 'the clock must jump'
  const keys = Object.keys(json.config ?? {}).filter((key) => !ours.has(key))
  if (keys.length > 0) return `needs another configuration: ${keys.join(', ')}`
  if (one.has('input.envelope.json')) {
    const { session } = one.parsed<EnvelopeJson>('input.envelope.json')
    if (session?.auth) return 'needs an authenticated submission'
    if (session?.port === 587) return 'needs a submission listener'
  }
  const input = one.has('input.http') ? 'input.http' : 'input.eml'
  if (!one.has(input)) return 'no input that a door takes'
  return undefined
}
