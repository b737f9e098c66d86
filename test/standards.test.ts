import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { standardsTable } from '../src/standards.ts'

test('LP-04: the README has the table that the registry gives', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const printed = /<!-- standards -->\n([\s\S]*?)\n<!-- \/standards -->/.exec(readme)?.[1]
  expect(printed).toBe(standardsTable())
})
