/** Accounts: the Directory, the Credentials and the SCRAM verifiers that the servers ask. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Account, Credentials, Directory, ScramVerifiers } from '../../auth/credentials.ts'
import { prepareUser } from '../../auth/saslprep.ts'
import { readScramKeys } from '../../auth/scram-keys.ts'
import { Fault } from '../../model/fault.ts'
import type { Kernel } from './engine.ts'
import type { Passwords } from './passwords.ts'
import { asNumber, asText, optional, type Row } from './statements.ts'

/** A phone reconnects often: a password that was right is known again for a while by its keyed digest. */
const rememberMs = 600_000
const maxRemembered = 10_000
/** Addresses whose account is known without asking: each message that comes in asks. */
const maxKnown = 10_000

export function createAccounts(
  kernel: Kernel,
  passwords: Passwords,
): { credentials: Credentials; directory: Directory; scram: ScramVerifiers } {
  const secret = randomBytes(32)
  const verified = new Map<string, { digest: Buffer; until: number }>()
  const digestOf = (hash: string, password: string): Buffer =>
    createHash('sha256').update(secret).update(hash).update('\0').update(password).digest()
  /** A name that cannot be prepared is looked up all the same, as one that nobody has. */
  const row = (user: string): Row | undefined =>
    kernel.latest.get(
      'SELECT id, address, password, scram FROM accounts WHERE address = ?',
      prepareUser(user) ?? '',
    )
  // One process owns the folder, and all changes of accounts come by here.
  const byAddress = new Map<string, Account>()
  const accountOf = (found: Row): Account => ({ id: asNumber(found.id), address: asText(found.address) })
  const keptOf = (found: Row) => ({ password: asText(found.password), scram: optional(found.scram) })

  return {
    credentials: {
      async verify(user, password) {
        const found = row(user)
        const kept = found && keptOf(found)
        const hash = kept?.password ?? ''
        const digest = digestOf(hash, password)
        const known = verified.get(hash)
        const right =
          (known !== undefined && known.until > kernel.now() && timingSafeEqual(known.digest, digest)) ||
          (await passwords.matches(password, kept))
        if (!right || !found || !kept) return undefined
        const account = accountOf(found)
        if (kept.scram === undefined) await upgrade(account, kept.password, password)
        if (verified.size >= maxRemembered) verified.clear()
        verified.set(hash, { digest, until: kernel.now() + rememberMs })
        return account
      },
    },
    scram: {
      async scram(user) {
        const found = row(user)
        const keys = found && readScramKeys(asText(found.scram))
        return found && keys && { account: accountOf(found), keys }
      },
    },
    directory: {
      async find(address) {
        const known = byAddress.get(address)
        if (known) return known
        const found = row(address)
        if (!found) return undefined
        const account = accountOf(found)
        if (byAddress.size >= maxKnown) byAddress.clear()
        byAddress.set(address, account)
        return account
      },
      async list() {
        return kernel.latest.all('SELECT id, address FROM accounts ORDER BY address').map(accountOf)
      },
      async put(address, password) {
        const prepared = prepareUser(address)
        if (prepared === undefined)
          throw new Fault(
            'malformed',
            'the address is empty or has a character that SASLprep forbids (RFC 4013)',
          )
        const found = row(prepared)
        // The configuration names its accounts at each start: nothing changes, no session token ends.
        if (found?.scram && (await passwords.matches(password, keptOf(found)))) return false
        return kernel.write<boolean>({
          kind: 'put-account',
          address: prepared,
          ...(await passwords.keep(password)),
        })
      },
      async remove(address) {
        const removed = await kernel.write<boolean>({
          kind: 'remove-account',
          address: prepareUser(address) ?? '',
        })
        // After the commit: what was asked meanwhile may have been kept again.
        byAddress.clear()
        return removed
      },
    },
  }

  /** SCRAM keys for an account from before there were any. A password that SASLprep forbids stays as it is. */
  async function upgrade({ id }: Account, replaces: string, password: string): Promise<void> {
    const kept = await passwords.keep(password).catch(() => undefined)
    if (kept) await kernel.write({ kind: 'upgrade-password', id, replaces, ...kept })
  }
}
