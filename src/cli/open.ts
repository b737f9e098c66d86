/** The gateway that a configuration names, for commands: the one that runs, or its store while none does. */
import { existsSync } from 'node:fs'
import type { Operations } from '../admin/operations.ts'
import { remoteOperations } from '../admin/remote.ts'
import { type Config, storeFolder } from '../config.ts'
import { type Engine, openSqlite } from '../db/sqlite/engine.ts'
import { createLog } from '../log.ts'
import { Fault } from '../model/fault.ts'

/** Nothing that is made in the store is anybody else's to read, also in a folder that was there before. */
export const keepToOneself = (): void => void process.umask(0o077)

/** @throws Fault 'not-found' when `mustExist` and there is no store; whatever the operation throws */
export async function withOperations<T>(
  config: Config,
  options: { readonly mustExist: boolean },
  fn: (operations: Operations) => Promise<T>,
): Promise<T> {
  keepToOneself()
  const folder = storeFolder(config.store)
  if (options.mustExist && !existsSync(folder))
    throw new Fault('not-found', `there is no store at ${folder}: nothing was ever taken in`)
  let engine: Engine
  try {
    engine = await openSqlite(folder)
  } catch (error) {
    if (error instanceof Fault && error.kind === 'in-use') return fn(await remoteOperations(folder))
    throw error
  }
  const { assemble } = await import('../compose.ts')
  const { operations, runner, trail } = assemble(engine, config, createLog('warn'))
  try {
    return await fn(operations)
  } finally {
    await runner.stop(0)
    await trail?.flush()
    await engine.close()
  }
}
