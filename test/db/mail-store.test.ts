import { checkStore } from '../../src/db/sqlite/check.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { tempFolder } from '../support/temp.ts'
import { mailStoreContract } from './mail-store.contract.ts'

const searchText = new URL('../../src/wire/mime/search-text.ts', import.meta.url)

for (const hasIndex of [true, false]) {
  const folder = tempFolder()
  mailStoreContract(`embedded engine, ${hasIndex ? 'with' : 'without'} full-text index`, async () => {
    const engine = await openSqlite(folder, hasIndex ? { searchText } : {})
    return {
      store: engine.store,
      directory: engine.directory,
      indexed: () => engine.indexed(),
      hasIndex,
      check: async () => (await checkStore(folder)).problems,
      close: () => engine.close(),
    }
  })
}
