import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { translate } from '../../src/cli/translate.ts'

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

describe('lemonade translate', () => {
  test('GEN-001: with --fixed two runs give the same octets', async () => {
    for (const id of ['S02', 'S08', 'S24', 'S32', 'S69']) {
      const [first, second] = [
        await run(folderOf(id), { fixed: true }),
        await run(folderOf(id), { fixed: true }),
      ]
      expect(first.code, id).toBe(0)
      expect(first.octets.equals(second.octets), id).toBe(true)
    }
  })

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
