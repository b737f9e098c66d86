/** Case folders that are wrong themselves (fixtures/rfc4356/README.md): each is told, none stops the others. */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { conform } from '../../src/cli/conform/command.ts'
import { folder } from '../support/gateway.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/rfc4356/', import.meta.url))

/** A copy of a worked case below `root`, with an id of its own, and then changed. */
function made(root: string, id: string, from: string, change: (at: (file: string) => string) => void): void {
  const source = readdirSync(fixtures).find((name) => name.startsWith(`${from}-`))!
  cpSync(join(fixtures, source), join(root, id), { recursive: true })
  const at = (file: string): string => join(root, id, file)
  edit(at('case.json'), (json) => ({ ...json, id }))
  change(at)
}

function edit(file: string, change: (json: Record<string, unknown>) => object): void {
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')))))
}

async function conformed(roots: readonly string[], only: readonly string[] = []) {
  let text = ''
  const code = await conform(roots, { only }, (piece) => {
    text += piece
  })
  return { code, text }
}

const broken: readonly [
  name: string,
  from: string,
  change: (at: (f: string) => string) => void,
  told: string,
][] = [
  ['json', 'S01', (at) => writeFileSync(at('case.json'), '{ "id": '), 'JSON'],
  ['list', 'S01', (at) => writeFileSync(at('case.json'), '[]'), 'case.json: must be object'],
  ['typo', 'S01', (at) => edit(at('case.json'), (j) => ({ ...j, peeer: 'x' })), 'properties: peeer'],
  ['peer', 'S01', (at) => edit(at('case.json'), (j) => ({ ...j, peer: 'x' })), 'no peer is called x'],
  [
    'config',
    'S01',
    (at) => edit(at('case.json'), (j) => ({ ...j, config: { peers: { mmsc: { maxsize: 1 } } } })),
    'config: peers.mmsc.maxsize: ',
  ],
  ['no-input', 'S01', (at) => rmSync(at('input.http')), 'input.http: listed in files, but not there'],
  ['no-envelope', 'S22', (at) => rmSync(at('input.envelope.json')), 'input.envelope.json: expected both'],
  ['envelope', 'S22', (at) => writeFileSync(at('input.envelope.json'), '{}'), "required property 'mailFrom'"],
  ['gap', 'S22', (at) => renameSync(at('expected.1.http'), at('expected.2.http')), 'expected.1.*: not there'],
  ['name', 'S22', (at) => renameSync(at('expected.1.http'), at('expected.1.htm')), 'no such file is known'],
  ['form', 'S71', (at) => edit(at('pairs.json'), (j) => ({ ...j, form: 'x' })), 'no form is called x'],
  ['rows', 'S71', (at) => edit(at('pairs.json'), (j) => ({ ...j, rows: [] })), 'fewer than 1 items'],
  ['hex', 'S69', (at) => writeFileSync(at('input.hex'), '8c8'), 'pairs of hexadecimal digits'],
  [
    'lf',
    'S01',
    (at) => writeFileSync(at('input.http'), readFileSync(at('input.http'), 'latin1').replace(/\r/g, '')),
    'the first ends in LF alone',
  ],
  [
    'link',
    'S01',
    (at) => {
      rmSync(at('input.http'))
      symlinkSync('/etc/hosts', at('input.http'))
    },
    'input.http: a link out of ',
  ],
  [
    'link-json',
    'S01',
    (at) => {
      rmSync(at('case.json'))
      symlinkSync('/etc/hosts', at('case.json'))
    },
    'case.json: a link out of ',
  ],
  [
    'dangling',
    'S22',
    (at) => {
      rmSync(at('input.eml'))
      symlinkSync('/nowhere/at/all', at('input.eml'))
    },
    'input.eml: a link to nothing',
  ],
  [
    'pipe',
    'S01',
    (at) => {
      rmSync(at('input.http'))
      execFileSync('mkfifo', [at('input.http')])
    },
    'input.http: not a file',
  ],
  ['huge', 'S22', (at) => truncateSync(at('input.eml'), 200_000_000), 'expected at most 134217728'],
]

test('what is wrong with a folder is told for each, exit code 1; the one that is right still passes', async () => {
  const root = folder()
  for (const [name, from, change] of broken) made(root, name, from, change)
  made(root, 'z-right', 'S01', () => {})
  // Links to folders are not followed, so that none is a loop.
  symlinkSync(root, join(root, 'loop'))
  const { code, text } = await conformed([root])
  const told = new Map(
    [...text.matchAll(/^(?:FAIL|ok {2}) (\S+) {2}([\s\S]*?)(?=^(?:FAIL|ok {2}|\d+ passed))/gm)].map((m) => [
      m[1],
      m[2],
    ]),
  )
  for (const [name, , , expected] of broken) expect(told.get(name), name).toContain(expected)
  expect(text).toMatch(/^ok {3}z-right /m)
  expect(text).toMatch(new RegExp(`^1 passed, ${broken.length} failed$`, 'm'))
  expect(text).not.toMatch(/\n\s+at /)
  expect(code).toBe(1)
}, 30_000)

test('two cases with one id: the second fails and names the first', async () => {
  const root = folder()
  mkdirSync(join(root, 'x'))
  made(join(root, 'x'), 'same', 'S01', () => {})
  made(root, 'same', 'S01', () => {})
  const { code, text } = await conformed([root])
  expect(text).toMatch(/^ok {3}same [\s\S]*^FAIL same [\s\S]*the id same is that of .*same too$/m)
  expect(code).toBe(1)
})

test('input of 100 MB is answered as the gateway answers it', async () => {
  const root = folder()
  made(root, 'large', 'S22', (at) => {
    const line = `${'x'.repeat(76)}\r\n`
    writeFileSync(at('input.eml'), readFileSync(at('input.eml'), 'latin1') + line.repeat(1_300_000))
  })
  const { code, text } = await conformed([root])
  expect(text).toMatch(/^FAIL large [\s\S]*got end-of-data 552 5\.3\.4/m)
  expect(code).toBe(1)
}, 60_000)

test('an id that no case has, a folder without a case: 2; a folder that is none: a Fault', async () => {
  expect(await conformed([folder()])).toEqual({ code: 2, text: 'no case was found\n' })
  expect(await conformed([fixtures], ['S99'])).toEqual({ code: 2, text: 'no case has the id S99\n' })
  const some = await conformed([fixtures], ['S01', 'S99'])
  expect(some.text).toMatch(/^no case has the id S99\nok {3}S01 .*\n1 passed, 0 failed\n$/)
  expect(some.code).toBe(2)
  await expect(conform(['/nowhere/at/all'], {}, () => {})).rejects.toThrow(/does not exist/)
})
