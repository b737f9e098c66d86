import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'

/** Who may import whom: the first folder below src decides. */
const allowed: Record<string, readonly string[]> = {
  model: [],
  wire: ['model'],
  convert: ['model', 'wire'],
  mapping: ['model', 'wire', 'convert'],
  store: ['model'],
  queue: ['model'],
  auth: ['model'],
  urlauth: ['model', 'wire', 'store'],
  routing: ['model', 'wire', 'mapping', 'queue', 'auth'],
  inbound: ['model', 'wire', 'routing', 'urlauth', 'auth'],
  outbound: ['model', 'wire', 'mapping', 'queue', 'store'],
  imap: ['model', 'wire', 'store', 'convert', 'urlauth', 'auth'],
  audit: ['model', 'queue'],
  db: ['model', 'store', 'queue', 'routing', 'auth'],
}
/** May know all parts: the entry, what composes them, and the command line. */
const composers = new Set([
  'main.ts',
  'compose.ts',
  'standards.ts',
  'config.ts',
  'config',
  'tls.ts',
  'listening.ts',
  'log.ts',
  'ids.ts',
  'cli',
  'admin',
  'bin',
])

const src = new URL('../src/', import.meta.url).pathname
const files = (readdirSync(src, { recursive: true }) as string[]).filter((name) => name.endsWith('.ts'))

test('every import goes where the architecture allows it', () => {
  expect(files.length).toBeGreaterThan(5)
  const broken: string[] = []
  for (const file of files) {
    const area = file.split('/')[0]!
    if (composers.has(area)) continue
    for (const match of readFileSync(join(src, file), 'utf8').matchAll(/from '(\.[^']+)'/g)) {
      const target = relative(src, join(src, dirname(file), match[1]!)).split('/')[0]!
      const may = target === area || target === 'log.ts' || (allowed[area] ?? []).includes(target)
      if (!may) broken.push(`${file} imports ${match[1]}`)
    }
  }
  expect(broken).toEqual([])
})

test('SQL stays in db', () => {
  const outside = files.filter(
    (file) =>
      !file.startsWith('db/') &&
      /from 'node:sqlite'|INSERT INTO|SELECT .* FROM /.test(readFileSync(join(src, file), 'utf8')),
  )
  expect(outside).toEqual([])
})
