/** The hosts of a mail domain (RFC 5321 §5.1, RFC 7505; ADR-042). */

import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'

export type MxAnswer =
  | { readonly kind: 'hosts'; readonly hosts: readonly string[] }
  | { readonly kind: 'never' | 'later'; readonly status: string; readonly text: string }

type Lookup = (domain: string) => Promise<readonly { readonly priority: number; readonly exchange: string }[]>

const resolver = new Resolver({ timeout: 5000, tries: 2 })

export async function resolveMx(
  domain: string,
  lookup: Lookup = (d) => resolver.resolveMx(d),
): Promise<MxAnswer> {
  const literal = /^\[(?:IPv6:)?([^\]]+)\]$/i.exec(domain)?.[1]
  if (literal !== undefined && isIP(literal)) return { kind: 'hosts', hosts: [literal] }
  try {
    const records = [...(await lookup(domain))]
    if (records.length === 0) return { kind: 'hosts', hosts: [domain] }
    if (records.every((r) => r.exchange === '' || r.exchange === '.'))
      return { kind: 'never', status: '5.1.10', text: `${domain} takes no mail` }
    // Hosts of one preference in any order (RFC 5321 §5.1): as the name server gave them, which turns them round.
    return { kind: 'hosts', hosts: records.sort((a, b) => a.priority - b.priority).map((r) => r.exchange) }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // No MX record: the domain's own address stands for one.
    if (code === 'ENODATA') return { kind: 'hosts', hosts: [domain] }
    if (code === 'ENOTFOUND') return { kind: 'never', status: '5.1.2', text: `${domain} does not exist` }
    return { kind: 'later', status: '4.4.3', text: `${domain} cannot be looked up` }
  }
}
