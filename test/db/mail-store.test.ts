import { checkStore } from '../../src/db/sqlite/check.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { tempFolder } from '../support/temp.ts'
import { mailStoreContract } from './mail-store.contract.ts'

const folder = tempFolder()

mailStoreContract('embedded engine', async () => {
  const engine = await openSqlite(folder)
  return {
    store: engine.store,
    directory: engine.directory,
    check: async () => (await checkStore(folder)).problems,
    close: () => engine.close(),
  }
})
