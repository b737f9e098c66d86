/** `lemonade account add|passwd|list|remove`: also while the gateway runs. */
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
