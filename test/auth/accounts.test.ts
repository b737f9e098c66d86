import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { passwordLogin } from '../../src/auth/sasl.ts'
import { createSaslServices } from '../../src/auth/services.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { scryptOf } from '../../src/db/sqlite/passwords.ts'
import { migrate } from '../../src/db/sqlite/schema.ts'
import { tempFolder } from '../support/temp.ts'
import { scramLogin, tlsChannel } from './support.ts'

test('ST-07, SA-11: known or unknown, right or wrong: the same number of key derivations', async () => {
  let derived = 0
  const engine = await openSqlite(tempFolder(), {
    derive: (password, salt) => {
      derived++
      return scryptOf(password, salt)
    },
  })
  try {
    await engine.directory.put('alice@example.net', 'pencil')
    const context = { ...createSaslServices(engine, {}), sleep: async () => {}, channel: tlsChannel() }
    for (const [user, password] of [
      ['alice@example.net', 'wrong'],
      ['nobody@example.net', 'wrong'],
      ['nobody@example.net', 'bell\u0007'],
      ['alice@example.net', 'bell\u0007'],
      ['alice@example.net', 'pencil'],
    ] as const) {
      const before = derived
      await passwordLogin(user, password, context)
      expect(derived - before, `${user} ${password}`).toBe(1)
    }
    const before = derived
    for (const user of ['alice@example.net', 'nobody@example.net'])
      await scramLogin(context, 'SCRAM-SHA-256', { user, password: 'wrong' })
    expect(derived).toBe(before)
  } finally {
    await engine.close()
  }
})

test('SA-05: an account from before SCRAM keys gets them at its next PLAIN login', async () => {
  const folder = tempFolder()
  let engine = await openSqlite(folder)
  await engine.directory.put('alice@example.net', 'pencil')
  await engine.directory.put('bell@example.net', 'pencil')
  await engine.close()
  const db = new DatabaseSync(join(folder, 'lemonade.sqlite'))
  const legacy = async (address: string, password: string) => {
    const salt = randomBytes(16)
    const hash = `scrypt$${salt.toString('base64')}$${(await scryptOf(password.normalize('NFKC'), salt)).toString('base64')}`
    db.prepare('UPDATE accounts SET password = ?, scram = NULL WHERE address = ?').run(hash, address)
  }
  await legacy('alice@example.net', 'pencil')
  await legacy('bell@example.net', 'bell\u0007')
  db.close()

  engine = await openSqlite(folder)
  try {
    const context = { ...createSaslServices(engine, {}), sleep: async () => {}, channel: tlsChannel() }
    const scram = async () =>
      (await scramLogin(context, 'SCRAM-SHA-256', { user: 'alice@example.net', password: 'pencil' })).last
    expect(await scram()).toMatchObject({ failed: 'credentials' })
    expect(await engine.credentials.verify('alice@example.net', 'wrong')).toBeUndefined()
    expect(await scram()).toMatchObject({ failed: 'credentials' })
    expect(await engine.credentials.verify('alice@example.net', 'pencil')).toBeDefined()
    expect(await scram()).toMatchObject({ done: { address: 'alice@example.net' } })
    expect(await engine.credentials.verify('alice@example.net', 'pencil')).toBeDefined()
    // SASLprep forbids it now: it goes on as it is.
    expect(await engine.credentials.verify('bell@example.net', 'bell\u0007')).toBeDefined()
    expect(await engine.credentials.verify('bell@example.net', 'bell')).toBeUndefined()
  } finally {
    await engine.close()
  }
})

test('a store of the first schema is brought up, its accounts with it', async () => {
  const folder = tempFolder()
  const db = new DatabaseSync(join(folder, 'lemonade.sqlite'))
  migrate(db, 1)
  const salt = randomBytes(16)
  const hash = `scrypt$${salt.toString('base64')}$${(await scryptOf('pencil', salt)).toString('base64')}`
  db.prepare('INSERT INTO accounts (address, password) VALUES (?, ?)').run('alice@example.net', hash)
  db.close()
  const engine = await openSqlite(folder)
  try {
    const account = await engine.credentials.verify('alice@example.net', 'pencil')
    expect(account).toEqual({ id: 1, address: 'alice@example.net' })
    expect(await engine.scram.scram('alice@example.net')).toMatchObject({ account })
    expect(await engine.tokens.list(1)).toEqual([])
  } finally {
    await engine.close()
  }
})

test('the secret of the installation: made once, for the owner only, the same after a restart', async () => {
  const folder = tempFolder()
  let engine = await openSqlite(folder)
  const { secret } = engine
  await engine.close()
  expect(statSync(join(folder, 'auth-secret')).mode & 0o777).toBe(0o600)
  engine = await openSqlite(folder)
  expect(Buffer.from(engine.secret)).toEqual(Buffer.from(secret))
  await engine.close()
})
