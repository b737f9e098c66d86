/** Which way a recipient goes (ADR-040, ADR-041): exact address, number prefix, short code, domain, in that order. */
import type { Party } from '../model/neutral.ts'
import type { Route, Settings } from '../model/settings.ts'

/** A target of ADR-041; undefined: there is no way. `by-number` is never returned. */
export function routeOf(party: Party, settings: Settings): string | undefined {
  const found = party.kind === 'mail' ? mailRoute(party.value, settings.routes) : numberRoute(party, settings)
  // A name at a domain of numbers is no number: nobody is there (ADR-027).
  return found === 'by-number' ? undefined : found
}

function mailRoute(addrSpec: string, routes: readonly Route[]): string | undefined {
  const lower = addrSpec.toLowerCase()
  const exact = routes.find((r) => r.match.toLowerCase() === `address:${lower}`)
  if (exact) return exact.to
  const domain = lower.slice(lower.lastIndexOf('@') + 1)
  const named = routes.find((r) => r.match.toLowerCase() === `domain:${domain}`)
  if (named) return named.to
  for (let dot = domain.indexOf('.'); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
    const parent = routes.find((r) => r.match.toLowerCase() === `domain:${domain.slice(dot)}`)
    if (parent) return parent.to
  }
  return routes.find((r) => r.match === 'domain:*')?.to
}

function numberRoute(party: Party, { routes, gateway }: Settings): string | undefined {
  if (party.kind !== 'shortcode' && party.kind !== 'number') return undefined
  const exact = [party.value, `${party.value}@${gateway.mmsDomain}`].map((a) => `address:${a.toLowerCase()}`)
  const own = routes.find((r) => exact.includes(r.match.toLowerCase()))
  if (own) return own.to
  if (party.kind === 'shortcode') return routes.find((r) => r.match === `shortcode:${party.value}`)?.to
  let best: { length: number; to: string } | undefined
  for (const route of routes) {
    if (!route.match.startsWith('number:')) continue
    const prefix = route.match.slice('number:'.length)
    // The longest prefix wins, the first of equal ones.
    if (party.value.startsWith(prefix) && prefix.length > (best?.length ?? -1))
      best = { length: prefix.length, to: route.to }
  }
  return best?.to
}

/** The peer that a target names; undefined for store, mx:DOMAIN, reject. */
export const peerOfTarget = (target: string): string | undefined => {
  const colon = target.indexOf(':')
  return colon < 0 || /^(?:reject|mx:)/.test(target) ? undefined : target.slice(colon + 1)
}
