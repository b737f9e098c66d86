/** The certificate of the servers: from the files the configuration names, or a self-signed pair made once. */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface TlsPair {
  readonly key: string
  readonly cert: string
}

/** Of a pair made here: nobody is there to renew it. Ten years. */
const lifetimeMs = 10 * 365 * 86_400_000

/** @throws when a named file cannot be read */
export async function tlsPair(
  files: { readonly cert: string; readonly key: string } | undefined,
  folder: string,
  host: string,
): Promise<TlsPair> {
  if (files) return { key: await readFile(files.key, 'utf8'), cert: await readFile(files.cert, 'utf8') }
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
    })
    // The key first, unreadable for others from its first octet on.
    await writeFile(keyFile, made.private, { mode: 0o600 })
    await chmod(keyFile, 0o600)
    await writeFile(certFile, made.cert)
    return { key: made.private, cert: made.cert }
  }
}
