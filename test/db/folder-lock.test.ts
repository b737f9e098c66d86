/** The store folder belongs to one process, whatever a file in it says. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { atEnd } from '../support/at-end.ts'
import { tempFolder } from '../support/temp.ts'

const module = new URL('../../src/db/sqlite/folder-lock.ts', import.meta.url).href

test('a folder is locked by the kernel: not twice, not past a kill, not by a process id alone', async () => {
  const folder = tempFolder()
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { lockFolder } from ${JSON.stringify(module)}
       lockFolder(${JSON.stringify(folder)}); console.log('locked'); setInterval(() => {}, 1000)`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  atEnd(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  await expect(openSqlite(folder)).rejects.toThrow(`process ${child.pid} is working on the store`)
  // As from another container: nobody here has that process id, or the file is gone.
  writeFileSync(join(folder, 'lock'), '999999999')
  await expect(openSqlite(folder)).rejects.toMatchObject({ kind: 'in-use' })
  rmSync(join(folder, 'lock'))
  await expect(openSqlite(folder)).rejects.toMatchObject({ kind: 'in-use' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  // The id of a process that lives, left behind by one that is dead.
  writeFileSync(join(folder, 'lock'), String(process.ppid))
  const engine = await openSqlite(folder)
  await expect(openSqlite(folder)).rejects.toThrow('open already')
  await engine.close()
  await (await openSqlite(folder)).close()
})
