/**
 * Authorization tokens of the INTERNAL mechanism (RFC 4467 §2.4.1, §5, §6): an algorithm marker and an HMAC of the rump
 * URL under the mailbox access key, in hexadecimal.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { OctetString } from '../model/units.ts'

export type TokenAlgorithm = 'sha1' | 'sha256'

/** First two hex digits of a token. A new algorithm gets a new marker, and both are accepted for a while (UA-04). */
const markers: Readonly<Record<TokenAlgorithm, string>> = { sha1: '01', sha256: '02' }

export const currentAlgorithm: TokenAlgorithm = 'sha256'

/** 128 bits of entropy are asked (RFC 4467 §2.2). */
export const minKeyOctets = 16

export const newAccessKey = (): Uint8Array => randomBytes(32)

/** A key that can be used at all: an empty or short one is a broken table, and fails closed (UA-12, SC-18). */
export const isUsableKey = (key: Uint8Array | undefined): key is Uint8Array =>
  key !== undefined && key.length >= minKeyOctets

/** @throws RangeError for a key that is too short */
export function makeToken(
  rump: OctetString,
  key: Uint8Array,
  algorithm: TokenAlgorithm = currentAlgorithm,
): string {
  if (!isUsableKey(key)) throw new RangeError('mailbox access key below 128 bits')
  return markers[algorithm] + hmac(rump, key, algorithm).toString('hex')
}

/**
 * Whether the token is that of the rump URL. Without a key the same work is done with a random one (UA-25, SC-21); time
 * does not depend on where tokens differ. Hex digits have no case.
 */
export function verifyToken(
  rump: OctetString,
  token: string,
  key: Uint8Array | undefined,
  accepted: readonly TokenAlgorithm[] = [currentAlgorithm],
): boolean {
  const marked = accepted.find((name) => token.startsWith(markers[name]))
  const wanted = hmac(rump, isUsableKey(key) ? key : randomBytes(32), marked ?? currentAlgorithm)
  const given = Buffer.alloc(wanted.length)
  const digits = token.slice(2)
  const fits = /^[0-9A-Fa-f]+$/.test(digits) && digits.length === wanted.length * 2
  if (fits) given.write(digits, 'hex')
  const equal = timingSafeEqual(wanted, given)
  return equal && fits && marked !== undefined && isUsableKey(key)
}

const hmac = (rump: OctetString, key: Uint8Array, algorithm: TokenAlgorithm): Buffer =>
  createHmac(algorithm, key).update(Buffer.from(rump, 'latin1')).digest()
