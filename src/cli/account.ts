/** `lemonade account add|passwd|list|remove|quota|tokens|revoke`: also while the gateway runs. */
import { createInterface } from 'node:readline/promises'
import { loadConfig } from '../config.ts'
import { Fault } from '../model/fault.ts'
import { withOperations } from './open.ts'

type Out = (line: string) => void

export async function accountAdd(address: string, file: string | undefined, out: Out): Promise<number> {
  const config = loadConfig(file)
  const password = await passwordFromInput()
  await withOperations(config, { mustExist: false }, (o) => o.addAccount(address, password))
  out(`added ${address}`)
  return 0
}

export async function accountPasswd(address: string, file: string | undefined, out: Out): Promise<number> {
  const config = loadConfig(file)
  // It would be set back at the next start.
  if (config.accounts.some((a) => a.address.toLowerCase() === address.toLowerCase()))
    throw new Fault(
      'forbidden',
      `the password of ${address} stands in ${file ?? 'the built-in defaults'} (accounts): change it there`,
    )
  const password = await passwordFromInput()
  await withOperations(config, { mustExist: true }, (o) => o.setPassword(address, password))
  out(`changed the password of ${address}`)
  return 0
}

export async function accountList(options: { config?: string; json?: boolean }, out: Out): Promise<number> {
  const accounts = await withOperations(loadConfig(options.config), { mustExist: true }, (o) => o.accounts())
  if (options.json) out(JSON.stringify(accounts))
  else for (const address of accounts) out(address)
  return 0
}

export async function accountRemove(address: string, file: string | undefined, out: Out): Promise<number> {
  await withOperations(loadConfig(file), { mustExist: true }, (o) => o.removeAccount(address))
  out(`removed ${address}`)
  return 0
}

const limit = (text: string | undefined, name: string): number | undefined => {
  if (text === undefined || text === 'none') return undefined
  if (!/^\d{1,15}$/.test(text))
    throw new Fault('malformed', `--${name}: a whole number, or none, is expected`)
  return Number(text)
}

/** Without a limit named, tells what is set and used. */
export async function accountQuota(
  address: string,
  options: { config?: string; octets?: string; messages?: string },
  out: Out,
): Promise<number> {
  const { octets, messages } = options
  const quota = await withOperations(loadConfig(options.config), { mustExist: true }, async (o) => {
    const now = await o.quota(address)
    if (octets === undefined && messages === undefined) return now
    await o.setQuota(address, {
      octets: octets === undefined ? now.octets.limit : limit(octets, 'octets'),
      messages: messages === undefined ? now.messages.limit : limit(messages, 'messages'),
    })
    return o.quota(address)
  })
  for (const [name, { used, limit: most }] of Object.entries(quota))
    out(`${name} ${used} of ${most ?? 'any number'}`)
  return 0
}

export async function accountTokens(address: string, file: string | undefined, out: Out): Promise<number> {
  const tokens = await withOperations(loadConfig(file), { mustExist: true }, (o) => o.tokens(address))
  for (const { client, mechanism, expiresAt } of tokens)
    out(`${client} ${mechanism} until ${new Date(expiresAt).toISOString()}`)
  return 0
}

export async function accountRevoke(
  address: string,
  client: string | undefined,
  file: string | undefined,
  out: Out,
): Promise<number> {
  const ended = await withOperations(loadConfig(file), { mustExist: true }, (o) =>
    o.revokeTokens(address, client),
  )
  out(`${ended} session tokens ended`)
  return 0
}

/** The first line of standard input: never an argument, which others on the machine can see. */
async function passwordFromInput(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Password: ')
  const input = createInterface({ input: process.stdin })
  const first = await input[Symbol.asyncIterator]().next()
  input.close()
  if (first.done || first.value === '')
    throw new Fault('malformed', 'a password is expected on standard input')
  return first.value
}
