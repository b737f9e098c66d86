/** `lemonade config check`, `lemonade store check` and `lemonade store erase`. */
import { loadConfig, storeFolder } from '../config.ts'
import { checkStore } from '../db/sqlite/check.ts'
import { tlsPair } from '../tls.ts'
import { keepToOneself, withOperations } from './open.ts'

type Out = (line: string) => void

export async function configCheck(file: string | undefined, out: Out): Promise<number> {
  const { tls } = loadConfig(file)
  // What serve would stumble over.
  if (tls) await tlsPair(tls, '', '')
  out(`${file ?? 'built-in defaults'}: ok`)
  return 0
}

export async function storeErase(number: string, file: string | undefined, out: Out): Promise<number> {
  const count = await withOperations(loadConfig(file), { mustExist: true }, (o) => o.erase(number))
  out(`${count} records erased`)
  return 0
}

/** Verifies every record's checksum against every row; exit 1 when something is wrong. Best while the gateway is down. */
export async function storeCheck(file: string | undefined, out: Out): Promise<number> {
  keepToOneself()
  const result = await checkStore(storeFolder(loadConfig(file).store))
  for (const problem of result.problems) out(problem)
  out(
    `${result.records} records, ${result.messages} messages, ${result.entries} queue entries, ${result.problems.length} problems`,
  )
  return result.problems.length === 0 ? 0 : 1
}
