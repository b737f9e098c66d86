/**
 * A secret of the installation, 32 octets in a file beside the database: fake SCRAM salts and the session tokens rest on
 * it, so that a copy of the database alone is not enough to log in. Without it all session tokens are void.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../../model/fault.ts'

const octets = 32

/** Made at the first start. @throws Fault 'unavailable' when the file is there but is not such a secret */
export function authSecret(folder: string): Uint8Array {
  const file = join(folder, 'auth-secret')
  try {
    return read(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  // Whole before it has its name: a crash leaves no half secret behind.
  const draft = `${file}.${process.pid}`
  rmSync(draft, { force: true })
  const fd = openSync(draft, 'wx', 0o600)
  try {
    writeSync(fd, randomBytes(octets))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  try {
    linkSync(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  return read(file)
}

function read(file: string): Uint8Array {
  const secret = readFileSync(file)
  if (secret.length !== octets) throw new Fault('unavailable', `${file} has not ${octets} octets`)
  return secret
}
