/** LIST and LSUB patterns (RFC 3501 §6.3.8): "*" is anything, "%" anything but the delimiter. */

/**
 * Time is the product of both lengths whatever the pattern is (SC-35). INBOX has no case, alone and as the first level
 * of its children (MX-22).
 */
export function listMatcher(pattern: string, delimiter = '/'): (name: string) => boolean {
  // Runs of wildcards are one: "%*%" is "*".
  const steps = [...pattern.replace(/[*%]{2,}/g, (run) => (run.includes('*') ? '*' : '%'))]
  return (name) => {
    const folded = /^INBOX(?:\/|$)/.test(name) ? 5 : 0
    // live[i]: steps before i have matched what was read.
    let live = new Uint8Array(steps.length + 1)
    live[0] = 1
    skipWildcards(steps, live)
    const characters = [...name]
    for (let at = 0; at < characters.length; at++) {
      const character = characters[at] ?? ''
      const next = new Uint8Array(steps.length + 1)
      let any = false
      for (let i = 0; i < steps.length; i++) {
        if (!live[i]) continue
        const step = steps[i]
        if (step === '*' || (step === '%' && character !== delimiter)) next[i] = 1
        else if (step !== '%' && (step === character || (at < folded && step?.toUpperCase() === character)))
          next[i + 1] = 1
        else continue
        any = true
      }
      if (!any) return false
      skipWildcards(steps, next)
      live = next
    }
    return live[steps.length] === 1
  }
}

/** A wildcard also matches nothing. */
function skipWildcards(steps: readonly string[], live: Uint8Array): void {
  for (let i = 0; i < steps.length; i++)
    if (live[i] && (steps[i] === '*' || steps[i] === '%')) live[i + 1] = 1
}
