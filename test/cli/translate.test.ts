import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { findCases } from '../../src/cli/conform/case-folder.ts'
import { translate } from '../../src/cli/translate.ts'
import { Fault } from '../../src/model/fault.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/rfc4356/', import.meta.url))
const folderOf = (id: string): string =>
  join(fixtures, readdirSync(fixtures).find((name) => name.startsWith(`${id}-`))!)
const temp = mkdtempSync(join(tmpdir(), 'lemonade-translate-'))
afterAll(() => rmSync(temp, { recursive: true, force: true }))

async function run(path: string, options: Parameters<typeof translate>[1]) {
  const pieces: Buffer[] = []
  const code = await translate(path, options, (octets) => pieces.push(Buffer.from(octets)))
  return { code, octets: Buffer.concat(pieces), text: Buffer.concat(pieces).toString('latin1') }
}

/** Code and octets, or what is told where it is no message. */
const ending = (path: string, to: Parameters<typeof translate>[1]['to']) =>
  run(path, { fixed: true, explain: true, ...(to ? { to } : {}) }).then(
    ({ code, text }) => ({ code, text }),
    (error: unknown) => {
      if (!(error instanceof Fault)) throw error
      return error.message
    },
  )

describe('lemonade translate', () => {
  test('GEN-001: with --fixed two runs give the same octets, of every case on every carrier', async () => {
    const cases = findCases([join(fixtures, '..')]).filter((one) => !one.json.matrix)
    expect(cases.length).toBeGreaterThan(140)
    let written = 0
    for (const one of cases)
      for (const to of [undefined, 'mail', 'mm7', 'mm4', 'mm1'] as const) {
        const twice = [await ending(one.folder, to), await ending(one.folder, to)]
        expect(twice[0], `${one.json.id} ${to}`).toEqual(twice[1])
        if (typeof twice[0] !== 'string' && twice[0]?.code === 0) written++
      }
    expect(written).toBeGreaterThan(400)
  }, 120_000)

  test('every item: its way out, its envelope, its octets; three groups are three items', async () => {
    const { text } = await run(folderOf('S24'), { fixed: true })
    expect(text.match(/^=== .*/gm)).toEqual([
      '=== 1 mm7-submit:mmsc',
      '=== 2 mm7-submit:mmsc',
      '=== 3 mm7-submit:mmsc',
    ])
    const mail = await run(folderOf('S02'), { fixed: true })
    expect(mail.text).toContain('"BY=86400;R"')
    expect(mail.text).toContain('\r\nSubject: Your ticket\r\n')
  })

  test('--explain names the row of Table 1 for each field and parameter', async () => {
    const { text } = await run(folderOf('S02'), { fixed: true, explain: true })
    expect(text).toContain(
      'Importance: Priority (RFC 4356 §2.1.3.2.1'.replace('§', Buffer.from('§').toString('latin1')),
    )
    expect(text).toMatch(/MAIL FROM BY: Expiry/)
  })

  test('--explain leaves no field and no element without a rule that exists, in any case on any carrier', async () => {
    const rules = JSON.parse(readFileSync(join(fixtures, '../rules.json'), 'utf8')) as { id: string }[]
    const known = new Set(rules.map((rule) => rule.id))
    let explained = 0
    for (const one of findCases([join(fixtures, '..')]).filter((c) => !c.json.matrix))
      for (const to of [undefined, 'mail', 'mm7', 'mm4', 'mm1'] as const) {
        const result = await ending(one.folder, to)
        if (typeof result === 'string') continue
        for (const item of result.text.split(/^=== \d+ /m).slice(1)) {
          const [message = '', list] = item.split(/^--- rules$/m)
          if (list === undefined) continue
          const lines = list.trim().split('\n')
          for (const line of lines) {
            const ids = /^\S.*: .+\(.+\) \[([A-Z0-9, -]+)\]$/.exec(line)?.[1]?.split(', ') ?? []
            expect(ids.length, `${one.json.id} ${to}: ${line}`).toBeGreaterThan(0)
            expect(
              ids.filter((id) => !known.has(id)),
              line,
            ).toEqual([])
          }
          const names = new Set(lines.map((line) => line.slice(0, line.indexOf(': '))))
          // As anyone sees them in what was printed.
          const head = /^\}\n([\s\S]*?)\r\n\r\n/m.exec(message)?.[1] ?? ''
          const fields = head.split('\r\n').flatMap((line) => /^([!-9;-~]+):/.exec(line)?.[1] ?? [])
          const body = /<(?:Submit|Deliver)Req[^>]*>(.*)<\/(?:Submit|Deliver)Req>/s.exec(message)?.[1] ?? ''
          const elements = body.replace(/<(\w+)([^>]*[^/])?>.*?<\/\1>/gs, '<$1/>').match(/(?<=<)\w+/g) ?? []
          for (const name of [...fields, ...elements]) expect(names, `${one.json.id} ${to}`).toContain(name)
          explained += fields.length + elements.length
        }
      }
    expect(explained).toBeGreaterThan(4000)
  }, 120_000)

  test('--to: each carrier, and what is written as MM1 is read again', async () => {
    const file = join(temp, 'pdu.hex')
    const pdu = await run(folderOf('S22'), { fixed: true, to: 'mm1' })
    writeFileSync(file, pdu.text.replace(/^===.*\n/, ''))
    expect((await run(file, { fixed: true, to: 'mail' })).text).toContain('Noon at the usual place?')
    expect((await run(folderOf('S22'), { fixed: true, to: 'mm4' })).text).toContain(
      'X-Mms-Message-Type: MM4_forward.REQ',
    )
  })

  test('a mail without an envelope has that of its header; MM4 is known by its fields', async () => {
    const mail = join(temp, 'plain.eml')
    writeFileSync(mail, 'From: a@example.org\r\nTo: +12025550123@mms.example.net\r\n\r\nhello\r\n')
    expect((await run(mail, { fixed: true })).text).toContain('<Number>+12025550123</Number>')
    const mm4 = join(temp, 'mm4.eml')
    writeFileSync(mm4, readFileSync(join(folderOf('S06'), 'input.eml')))
    expect((await run(mm4, { fixed: true, to: 'mail' })).text).toContain('with MMS')
  })

  test('what is refused says so and ends with 1; what is no input is a Fault that names it', async () => {
    expect(await run(folderOf('S11'), { fixed: true })).toMatchObject({
      code: 1,
      text: expect.stringContaining('refused: reply-charging'),
    })
    expect(await run(folderOf('S60'), { fixed: true })).toMatchObject({
      code: 1,
      text: expect.stringContaining('refused: 4004'),
    })
    await expect(run(join(temp, 'none.eml'), {})).rejects.toThrow(/does not exist/)
    writeFileSync(join(temp, 'x.pdf'), '')
    await expect(run(join(temp, 'x.pdf'), {})).rejects.toThrow(/expected \.http/)
  })
})
