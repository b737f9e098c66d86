/** Which addresses a user may send as (RFC 6409 §6.1): what is delivered to the user, and what the operator adds. */
import type { Directory } from '../auth/credentials.ts'
import { mailParty } from '../mapping/addresses.ts'
import { isRefusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'

export function createSenders(
  settings: Settings,
  /** Account to addresses, or `*@domain`. */
  added: Readonly<Record<string, readonly string[]>>,
  directory: Pick<Directory, 'find'>,
): (user: string, path: string) => Promise<boolean> {
  const more = new Map(
    Object.entries(added).map(([user, list]) => [
      user.toLowerCase(),
      new Set(list.map((address) => address.toLowerCase())),
    ]),
  )
  return async (user, path) => {
    const lower = path.toLowerCase()
    const listed = more.get(user.toLowerCase())
    if (listed?.has(lower) || listed?.has(`*${lower.slice(lower.lastIndexOf('@'))}`)) return true
    // Aliases name the account that they lead to.
    const party = mailParty(path, settings)
    if (isRefusal(party) || party.kind !== 'mail') return false
    return (await directory.find(party.value))?.address === user
  }
}
