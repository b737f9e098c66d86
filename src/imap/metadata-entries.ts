/** Names of METADATA entries, and those that are kept elsewhere than among the annotations. */
import { createTokenEntries, isTokenEntry, type TokenEntries } from '../auth/token-entries.ts'
import { Fault } from '../model/fault.ts'
import { type AccountView, type Mailbox, type MetadataEntry, specialUses } from '../store/store.ts'
import type { CommandInput } from '../wire/imap/tokens.ts'
import { coded } from './response-for.ts'
import type { Session } from './session.ts'
import type { Urls } from './urls.ts'

const maxNameOctets = 1024

/** Lower case (MD-11). `root`: /private and /shared themselves, to ask what lies below. @throws Fault 'malformed' (MD-10) */
export function entryName(input: CommandInput, root = false): string {
  const name = input.astring().toLowerCase()
  const legal =
    /^\/(?:private|shared)(?:\/[^\x00-\x1f\x7f-\xff*%/]+)*$/.test(name) &&
    (root || name.lastIndexOf('/') > 0) &&
    name.length <= maxNameOctets
  return legal ? name : input.fail('an entry under /private or /shared')
}

/** Which uses a mailbox has, as an annotation (RFC 6154 §4; MD-17). */
export const specialUseEntry = '/private/specialuse'
/** Where attachments can be played (RFC 5616 §3.2; MD-18): as it is configured. */
const mediaServersEntry = '/shared/mediaservers'
/** The operator's, and no client's (MD-12, SM-08). */
const readOnly: ReadonlySet<string> = new Set(['/shared/admin', mediaServersEntry])

/** What a client sees under a mailbox, or under "" when there is none; by name. */
export async function entriesOf(
  view: AccountView,
  mailbox: Mailbox | null,
  { mediaServers }: Pick<Urls, 'mediaServers'>,
): Promise<readonly MetadataEntry[]> {
  const stored = await view.metadata(mailbox?.id ?? null)
  const name = mailbox ? specialUseEntry : mediaServersEntry
  const value = mailbox ? mailbox.specialUse.join(' ') : mediaServers
  if (!value) return stored
  const made = { name, value: Buffer.from(value) }
  return [...stored.filter((entry) => entry.name !== name), made].sort((a, b) => (a.name < b.name ? -1 : 1))
}

export interface EntryChange {
  readonly name: string
  readonly value: Uint8Array | null
}

/** @throws Fault for an entry that no client may set */
export function refuseReadOnly(changes: readonly EntryChange[], mailbox: Mailbox | null): void {
  for (const { name } of changes)
    if (!mailbox && readOnly.has(name)) throw new Fault('forbidden', 'the entry is read-only')
}

/** @throws Fault answered USEATTR for a word that is no use (LX-21) */
export function usesNamed(value: Uint8Array | null): (typeof specialUses)[number][] {
  const words = value === null ? [] : Buffer.from(value).toString('latin1').split(/\s+/).filter(Boolean)
  return words.map((word) => {
    const use = specialUses.find((known) => known.toLowerCase() === word.toLowerCase())
    if (!use) throw coded('content-refused', 'there is no such use', 'USEATTR')
    return use
  })
}

/** Session tokens are asked for and got as entries under "" (RC-17); undefined: there are none here. */
export function tokenEntriesOf(session: Session): TokenEntries | undefined {
  const { tokens } = session.services.sasl
  if (!tokens || !session.login) return undefined
  session.tokenEntries ??= createTokenEntries(
    tokens,
    session.user.id,
    session.login,
    session.channel.encrypted,
  )
  return session.tokenEntries
}

export { isTokenEntry }
