/** fixtures/imap/examples.txt names a transcript, or a reason, for every dialogue that the RFCs print. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { standards } from '../src/standards.ts'
import { printedExamples } from './support/printed-examples.ts'

const fixtures = new URL('../fixtures/imap/', import.meta.url)
const rfcs = new URL('../../shared/rfc/', import.meta.url)

interface Row {
  readonly rfc: string
  /** undefined: the RFC prints no dialogue. */
  readonly section: string | undefined
  readonly transcripts: readonly string[]
  readonly note: string
}

const rows: Row[] = readFileSync(new URL('examples.txt', fixtures), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [where = '', transcripts = '', note = ''] = line.split('|').map((cell) => cell.trim())
    const [rfc = '', section] = where.split(' ')
    return { rfc, section, transcripts: transcripts.split(' ').filter((name) => name !== ''), note }
  })

test('every row names transcripts that exist, or says why there is none', () => {
  expect(rows.length).toBeGreaterThan(200)
  for (const { rfc, section, transcripts, note } of rows) {
    const where = `RFC ${rfc} §${section}`
    if (section !== undefined) expect(transcripts.length > 0 || note !== '', where).toBe(true)
    for (const name of transcripts)
      expect(existsSync(new URL(name, fixtures)), `${where}: ${name}`).toBe(true)
    for (const [file] of note.matchAll(/test\/\S+\w/g))
      expect(existsSync(new URL(`../${file}`, import.meta.url)), `${where}: ${file}`).toBe(true)
  }
})

test('the table has all sections with a dialogue, and no others', (context) => {
  if (!existsSync(rfcs)) context.skip('the texts of the RFCs are not here')
  for (const rfc of new Set(rows.map((row) => row.rfc))) {
    const text = new URL(`rfc${rfc}.txt`, rfcs)
    if (!existsSync(text)) continue
    const printed = printedExamples(readFileSync(text, 'latin1'))
    const listed = rows.flatMap((row) => (row.rfc === rfc && row.section !== undefined ? [row.section] : []))
    expect([...new Set(printed.map(({ section }) => section))].sort(), `RFC ${rfc}`).toEqual(listed.sort())
  }
})

test('all RFCs of the IMAP store are in the table', () => {
  for (const { specification, what } of standards())
    if (what.startsWith('IMAP: '))
      expect(
        rows.map(({ rfc }) => `RFC ${rfc}`),
        what,
      ).toContain(specification)
})
