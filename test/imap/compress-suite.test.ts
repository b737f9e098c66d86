/** CO-11: suites that know nothing of it, once more over COMPRESS. */
import { afterAll, beforeAll, describe } from 'vitest'
import { compressAlways } from '../support/raw-imap.ts'

beforeAll(() => compressAlways(true))
afterAll(() => compressAlways(false))

describe('CO-11: over COMPRESS', async () => {
  await import('./sessions.test.ts')
  await import('./catenate.test.ts')
  await import('./binary.test.ts')
  await import('./contexts.test.ts')
})
