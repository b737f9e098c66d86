/** SCRAM-SHA-256 keys of a password (RFC 5802 §3, RFC 7677 §3) and how they are written down (RFC 5803 §3). */
import { createHash, createHmac, pbkdf2 } from 'node:crypto'
import type { ScramKeys } from './credentials.ts'

/** RFC 7677 §4: at least 4096, more where the client is no toy; the client pays it, once (it may keep the ClientKey). */
export const scramIterations = 32_768
export const saltOctets = 16

/** A string as key counts as its UTF-8 octets, and is quicker by far. */
export const hmac = (key: Uint8Array | string, data: string | Uint8Array): Buffer =>
  createHmac('sha256', key).update(data).digest()
export const hash = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest()

/** @param password prepared with SASLprep */
export async function scramKeysOf(
  password: string,
  salt: Uint8Array,
  iterations = scramIterations,
): Promise<ScramKeys> {
  const salted = await new Promise<Buffer>((resolve, reject) => {
    pbkdf2(password, salt, iterations, 32, 'sha256', (error, key) => (error ? reject(error) : resolve(key)))
  })
  return {
    salt,
    iterations,
    storedKey: hash(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  }
}

/** For a user we do not have: the same salt each time, not to be told from a real one (SA-11, RFC 5802 §9). */
export const fakeScramKeys = (secret: Uint8Array, user: string): ScramKeys => {
  const key = hmac(secret, `scram\0${user}`)
  return {
    salt: hmac(key, 'salt').subarray(0, saltOctets),
    iterations: scramIterations,
    storedKey: hmac(key, 'stored key'),
    serverKey: hmac(key, 'server key'),
  }
}

export const writeScramKeys = ({ salt, iterations, storedKey, serverKey }: ScramKeys): string => {
  const [s, stored, server] = [salt, storedKey, serverKey].map((octets) =>
    Buffer.from(octets).toString('base64'),
  )
  return `SCRAM-SHA-256$${iterations}:${s}$${stored}:${server}`
}

/** undefined: not what writeScramKeys writes. */
export function readScramKeys(text: string): ScramKeys | undefined {
  const match = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/.exec(text)
  const [salt, storedKey, serverKey] = (match?.slice(2) ?? []).map((part) => Buffer.from(part, 'base64'))
  if (!match || !salt || storedKey?.length !== 32 || serverKey?.length !== 32) return undefined
  return { salt, iterations: Number(match[1]), storedKey, serverKey }
}
