/** How a password is kept: scrypt (RFC 7914) for those that are sent to us, SCRAM-SHA-256 keys for those that are not. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { saslprep } from '../../auth/saslprep.ts'
import { saltOctets, scramKeysOf, writeScramKeys } from '../../auth/scram-keys.ts'
import { Fault } from '../../model/fault.ts'

const cost = { N: 16_384, r: 8, p: 1 }
const keyOctets = 32

/** The columns `password` and `scram` of an account. */
export interface KeptPassword {
  readonly password: string
  readonly scram: string
}

export interface Passwords {
  /** @throws Fault 'malformed' when SASLprep forbids it */
  keep(password: string): Promise<KeptPassword>
  /** One derivation, whatever the hash; undefined: for a user that does not exist, always false. */
  matches(
    password: string,
    kept: { readonly password: string; readonly scram?: string | undefined } | undefined,
  ): Promise<boolean>
}

/** Derivations at once: they share their threads with the reading of message files. */
const atOnce = 2

export type Derive = (password: string, salt: Buffer) => Promise<Buffer>

export function createPasswords(derive: Derive = scryptOf): Passwords {
  const limited = limit(atOnce)
  /** Unknown users are checked against this one: the answer takes as long (ST-07). */
  const nobody = `scrypt$${randomBytes(16).toString('base64')}$${randomBytes(keyOctets).toString('base64')}`

  return {
    keep: (password) =>
      limited(async () => {
        const prepared = saslprep(password)
        if (prepared === undefined)
          throw new Fault(
            'malformed',
            'the password is empty or has a character that SASLprep forbids (RFC 4013)',
          )
        const salt = randomBytes(16)
        const key = await derive(prepared, salt)
        return {
          password: `scrypt$${salt.toString('base64')}$${key.toString('base64')}`,
          scram: writeScramKeys(await scramKeysOf(prepared, randomBytes(saltOctets))),
        }
      }),
    matches: (password, kept) =>
      limited(async () => {
        // Before SCRAM keys were kept, passwords were normalised only.
        const legacy = kept !== undefined && kept.scram === undefined
        const prepared = legacy ? password.normalize('NFKC') : saslprep(password)
        const [, salt = '', key = ''] = (kept?.password ?? nobody).split('$')
        const derived = await derive(prepared ?? '', Buffer.from(salt, 'base64'))
        const wanted = Buffer.from(key, 'base64')
        const equal = wanted.length === derived.length && timingSafeEqual(derived, wanted)
        return equal && kept !== undefined && prepared !== undefined
      }),
  }
}

export const scryptOf: Derive = (password, salt) =>
  new Promise((resolve, reject) => {
    scrypt(password, salt, keyOctets, cost, (error, key) => (error ? reject(error) : resolve(key)))
  })

/** Waiting ones are bounded by the connections there can be. */
function limit(most: number): <T>(fn: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (fn) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await fn()
    } finally {
      // The place is handed on, so that nobody overtakes who waits.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}
