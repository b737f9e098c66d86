/** Plays the scenarios of fixtures/imap, one test a file (format: fixtures/imap/README.md). */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { quickPasswords, startImap, type TestImap } from './support/imap-server.ts'
import { play, startOfPlay } from './support/transcript.ts'
import { parseTranscript } from './support/transcript-file.ts'

const folder = new URL('../fixtures/imap/', import.meta.url).pathname
const files = (readdirSync(folder, { recursive: true }) as string[])
  .filter((name) => /^rfc.*\.txt$/.test(name))
  .filter((name) => name.includes(process.env.TRANSCRIPT ?? ''))
  .sort()

let server: TestImap
let now = startOfPlay

beforeAll(async () => {
  // Accounts of the name "submit" are the submission server's.
  const submit = files.map((_, run) => `submit.${run}@example.net`)
  server = await startImap({
    now: () => now,
    unthrottled: true,
    derive: quickPasswords,
    urlauth: { applications: { submit } },
  })
})
afterAll(() => server.close())

async function quota(address: string, octets: number, messages: number): Promise<void> {
  const account = await server.directory.find(address)
  await server.store.write(account!.id, [{ op: 'quota', octets, messages }])
}

test('there are transcripts', () => {
  expect(files.length).toBeGreaterThan(0)
})

test.each(files)('%s', async (file) => {
  const transcript = parseTranscript(readFileSync(join(folder, file), 'utf8'))
  const leftOut = await play(transcript, {
    server,
    setClock: (at) => {
      now = at
    },
    run: files.indexOf(file),
    // Limits, so that there is a quota root to tell of.
    made: (address) => quota(address, 1_073_741_824, 100_000),
    quota,
  })
  if (leftOut !== undefined) console.warn(`${file} was not played: ${leftOut}`)
})
