/** The certificate of the servers: from the files the configuration names, or a self-signed pair made once. */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { Fault } from './model/fault.ts'

export interface TlsPair {
  readonly key: string
  readonly cert: string
}

/** Of a pair made here: nobody is there to renew it. Ten years. */
const lifetimeMs = 10 * 365 * 86_400_000

/** @throws Fault 'malformed' when a named file cannot be read, or the two are no pair */
export async function tlsPair(
  files: { readonly cert: string; readonly key: string } | undefined,
  folder: string,
  host: string,
): Promise<TlsPair> {
  if (files) return namedPair(files)
  const keyFile = join(folder, 'self-signed.key')
  const certFile = join(folder, 'self-signed.crt')
  try {
    return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') }
  } catch {
    const { generate } = await import('selfsigned')
    const made = await generate([{ name: 'commonName', value: host }], {
      keyType: 'ec',
      curve: 'P-256',
      algorithm: 'sha256',
      notAfterDate: new Date(Date.now() + lifetimeMs),
      extensions: [{ name: 'subjectAltName', altNames: namesOf(host) }],
    })
    // The key first, unreadable for others from its first octet on.
    await writeFile(keyFile, made.private, { mode: 0o600 })
    await chmod(keyFile, 0o600)
    await writeFile(certFile, made.cert)
    return { key: made.private, cert: made.cert }
  }
}

/** Clients look for names here alone (RFC 6125 §6.4.4, RFC 9525 §2). On the machine itself it is asked for by others, too. */
function namesOf(host: string): ({ type: 2; value: string } | { type: 7; ip: string })[] {
  const own = isIP(host) === 0 ? { type: 2 as const, value: host } : { type: 7 as const, ip: host }
  return [own, { type: 2, value: 'localhost' }, { type: 7, ip: '127.0.0.1' }, { type: 7, ip: '::1' }]
}

async function namedPair(files: { readonly cert: string; readonly key: string }): Promise<TlsPair> {
  const read = async (name: 'cert' | 'key'): Promise<string> => {
    try {
      return await readFile(files[name], 'utf8')
    } catch (error) {
      throw new Fault('malformed', `tls.${name}: ${(error as Error).message}, expected a PEM file`, {
        cause: error,
      })
    }
  }
  const pair = { key: await read('key'), cert: await read('cert') }
  try {
    createSecureContext(pair)
  } catch (error) {
    throw new Fault(
      'malformed',
      `tls: ${(error as Error).message}, expected a certificate and its key (PEM)`,
      {
        cause: error,
      },
    )
  }
  return pair
}
