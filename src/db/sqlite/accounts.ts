/** Accounts: the Directory and the Credentials that the servers ask. */
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { Account, Credentials, Directory } from '../../auth/credentials.ts'
import type { Kernel } from './engine.ts'
import { asNumber, asText } from './statements.ts'

const cost = { N: 16_384, r: 8, p: 1 }
const keyOctets = 32

const derive = (password: string, salt: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, keyOctets, cost, (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })

const hashOf = async (password: string): Promise<string> => {
  const salt = randomBytes(16)
  return `scrypt$${salt.toString('base64')}$${(await derive(password, salt)).toString('base64')}`
}

/** Unknown users are checked against this one: the answer takes as long (ST-07). */
const nobody = `scrypt$${randomBytes(16).toString('base64')}$${randomBytes(keyOctets).toString('base64')}`

const matches = async (password: string, hash: string): Promise<boolean> => {
  const [, salt = '', key = ''] = hash.split('$')
  return timingSafeEqual(await derive(password, Buffer.from(salt, 'base64')), Buffer.from(key, 'base64'))
}

/** A phone reconnects often: a password that was right is known again for a while by its keyed digest. */
const rememberMs = 600_000

export function createAccounts(kernel: Kernel): { credentials: Credentials; directory: Directory } {
  const secret = randomBytes(32)
  const verified = new Map<string, { digest: Buffer; until: number }>()
  const digestOf = (hash: string, password: string): Buffer =>
    createHash('sha256').update(secret).update(hash).update('\0').update(password).digest()
  const row = (address: string) =>
    kernel.latest.get('SELECT id, address, password FROM accounts WHERE address = ?', address.toLowerCase())

  return {
    credentials: {
      async verify(user, password) {
        const found = row(user)
        const hash = found ? asText(found.password) : nobody
        const digest = digestOf(hash, password)
        const known = verified.get(hash)
        const right =
          (known !== undefined && known.until > kernel.now() && timingSafeEqual(known.digest, digest)) ||
          (await matches(password, hash))
        if (!right || !found) return undefined
        if (verified.size > 10_000) verified.clear()
        verified.set(hash, { digest, until: kernel.now() + rememberMs })
        return { id: asNumber(found.id), address: asText(found.address) }
      },
    },
    directory: {
      async find(address) {
        const found = row(address)
        return found && { id: asNumber(found.id), address: asText(found.address) }
      },
      async list() {
        return kernel.latest
          .all('SELECT id, address FROM accounts ORDER BY address')
          .map((found): Account => ({ id: asNumber(found.id), address: asText(found.address) }))
      },
      put: async (address, password) =>
        kernel.write<boolean>({
          kind: 'put-account',
          address: address.toLowerCase(),
          password: await hashOf(password),
        }),
      remove: (address) => kernel.write<boolean>({ kind: 'remove-account', address: address.toLowerCase() }),
    },
  }
}
