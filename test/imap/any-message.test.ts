/** Whatever octets a message has, what is told of it is IMAP (SC-43): read by the strict client. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ImapClient } from '../support/imap-client.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'
import type { Value } from '../support/imap-values.ts'

let server: TestImap
let imap: ImapClient

beforeAll(async () => {
  server = await startImap()
  imap = await ImapClient.connect(server.port)
  await imap.next()
  await imap.command('LOGIN alice@example.net secret')
})
afterAll(async () => {
  imap.end()
  await server.close()
})

const items =
  '(UID RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY PREVIEW BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT])'

const list = (value: Value | undefined, what: string): readonly Value[] => {
  if (value?.kind !== 'list') throw new Error(`${what} is no list: ${JSON.stringify(value)?.slice(0, 200)}`)
  return value.items
}
const isNil = (value: Value | undefined): boolean => value?.kind === 'atom' && value.text === 'NIL'
const nstring = (value: Value | undefined, what: string): void => {
  if (value?.kind !== 'string' && !isNil(value)) throw new Error(`${what}: ${JSON.stringify(value)}`)
}
const string = (value: Value | undefined, what: string): string => {
  if (value?.kind !== 'string') throw new Error(`${what} is no string: ${JSON.stringify(value)}`)
  return value.text
}
const number = (value: Value | undefined, what: string): number => {
  if (value?.kind !== 'atom' || !/^\d+$/.test(value.text)) throw new Error(`${what} is no number`)
  return Number(value.text)
}

/** RFC 3501 §9 envelope. */
function checkEnvelope(value: Value | undefined): void {
  const fields = list(value, 'ENVELOPE')
  expect(fields).toHaveLength(10)
  for (const i of [0, 1, 8, 9]) nstring(fields[i], `field ${i} of ENVELOPE`)
  for (const addresses of fields.slice(2, 8)) {
    if (isNil(addresses)) continue
    const each = list(addresses, 'addresses')
    expect(each.length).toBeGreaterThan(0)
    for (const address of each) {
      const parts = list(address, 'address')
      expect(parts).toHaveLength(4)
      for (const part of parts) nstring(part, 'part of an address')
    }
  }
}

const checkParameters = (value: Value | undefined): void => {
  if (isNil(value)) return
  const pairs = list(value, 'parameters')
  expect(pairs.length).toBeGreaterThan(0)
  expect(pairs.length % 2).toBe(0)
  for (const each of pairs) string(each, 'parameter')
}

/** Disposition, language, location. */
function checkExtension(fields: readonly Value[]): void {
  expect(fields).toHaveLength(3)
  const [disposition, language, location] = fields
  if (!isNil(disposition)) {
    const [type, parameters] = list(disposition, 'disposition')
    string(type, 'disposition')
    checkParameters(parameters)
  }
  if (language?.kind === 'list') for (const tag of language.items) string(tag, 'language')
  else nstring(language, 'language')
  nstring(location, 'location')
}

/** RFC 3501 §9 body. */
function checkBody(value: Value | undefined, extended: boolean): void {
  const fields = list(value, 'BODY')
  if (fields[0]?.kind === 'list') {
    const count = fields.findIndex((field) => field.kind !== 'list')
    for (const part of fields.slice(0, count)) checkBody(part, extended)
    string(fields[count], 'subtype')
    if (extended) {
      checkParameters(fields[count + 1])
      checkExtension(fields.slice(count + 2))
    } else expect(fields).toHaveLength(count + 1)
    return
  }
  const type = string(fields[0], 'type')
  const subtype = string(fields[1], 'subtype')
  expect(type).not.toBe('MULTIPART')
  checkParameters(fields[2])
  nstring(fields[3], 'id')
  nstring(fields[4], 'description')
  string(fields[5], 'encoding')
  number(fields[6], 'octets')
  let at = 7
  if (type === 'TEXT') number(fields[at++], 'lines')
  else if (type === 'MESSAGE' && (subtype === 'RFC822' || subtype === 'GLOBAL')) {
    checkEnvelope(fields[at++])
    checkBody(fields[at++], extended)
    number(fields[at++], 'lines')
  }
  if (extended) {
    nstring(fields[at], 'md5')
    checkExtension(fields.slice(at + 1))
  } else expect(fields).toHaveLength(at)
}

/** Delivers, reads all of it back, and checks the grammar and that the sizes agree. */
async function checkAll(box: string, messages: readonly Uint8Array[]): Promise<void> {
  for (const octets of messages) await server.deliver('alice@example.net', box, octets)
  await imap.command(`EXAMINE "${box}"`)
  const { untagged, tagged } = await imap.command(`FETCH 1:* ${items}`)
  expect(tagged.status).toBe('OK')
  const answers = untagged.filter(({ values }) => values[1]?.kind === 'atom' && values[1].text === 'FETCH')
  expect(answers).toHaveLength(messages.length)
  for (const { values } of answers) {
    const pairs = list(values[2], 'FETCH')
    const value = new Map<string, Value>()
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i]
      if (name?.kind === 'atom') value.set(name.text, pairs[i + 1]!)
    }
    checkEnvelope(value.get('ENVELOPE'))
    checkBody(value.get('BODYSTRUCTURE'), true)
    checkBody(value.get('BODY'), false)
    expect(string(value.get('PREVIEW'), 'PREVIEW').length).toBeLessThan(1000)
    const whole = string(value.get('BODY[]'), 'BODY[]')
    expect(whole.length).toBe(number(value.get('RFC822.SIZE'), 'RFC822.SIZE'))
    const header = string(value.get('BODY[HEADER]'), 'BODY[HEADER]')
    expect(header + string(value.get('BODY[TEXT]'), 'BODY[TEXT]')).toBe(whole)
    expect(header).toMatch(/^[\x01-\x7f]*$/)
    expect(whole).not.toContain('\0')
  }
}

/** Octets out of which messages are made, and out of which they are not. */
const piece = fc.oneof(
  fc.constantFrom(
    ...[
      '\r\n',
      '\n',
      '\r',
      '\r\n\r\n',
      ' ',
      '\t',
      '"',
      '\\',
      '(',
      ')',
      '{5}\r\n',
      '<',
      '>',
      '@',
      ',',
      ';',
      ':',
      '=',
      '\0',
    ],
    ...[
      'From:',
      'To: a@b',
      'Sender:',
      'Cc: g:x@y;',
      'Subject: ',
      'Date: Mon, 1 Jan 2024 00:00:00 +0000',
      'Message-ID: <a@b>',
    ],
    ...[
      'Content-Type: multipart/mixed; boundary=b',
      'Content-Type: multipart/digest; boundary="b "',
      'Content-Type: message/rfc822',
    ],
    ...[
      'Content-Type: text/html; charset=utf-8',
      "Content-Type: a/b; name*0*=utf-8''%C3; name*1*=%A9",
      'Content-Type: ;;',
      'Content-Type: message/global',
    ],
    ...[
      'Content-Transfer-Encoding: base64',
      'Content-Transfer-Encoding: "x',
      'Content-Disposition: attachment; filename="\xe9"',
      'Content-Language: a, (b, c',
    ],
    ...[
      '--b',
      '--b--',
      '=?utf-8?B?w6k=?=',
      '=?x?Q?=0D=0A=00?=',
      'Content-ID: ',
      'Content-MD5: \xff',
      'Content-Location: {3}',
      '<b>x</b>',
      '\u00c3\u00a9',
    ],
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }).map((octets) => Buffer.from(octets).toString('latin1')),
)
const message = fc
  .array(piece, { maxLength: 40 })
  .chain((pieces) =>
    fc.constantFrom('', '\r\n').map((between) => Buffer.from(pieces.join(between), 'latin1')),
  )

test('SC-43, SC-09, EN-12, FE-25: any octets as a message give answers of the grammar, and sizes that agree', async () => {
  let box = 0
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 10, maxLength: 10 }), async (messages) => {
      box += 1
      await checkAll(`Any${box}`, messages)
    }),
    { numRuns: 20, endOnFailure: true },
  )
}, 60_000)

const corpus = join(import.meta.dirname, '../../../shared/corpus/mail')
const there = [corpus, join(import.meta.dirname, '../../../../shared/corpus/mail')].find((folder) =>
  existsSync(folder),
)

test('SC-43: real and damaged mail of other projects, listed and read whole', async (context) => {
  if (!there) {
    console.log('skipped: ../shared/corpus/mail is not there')
    return context.skip()
  }
  const files = (readdirSync(there, { recursive: true }) as string[])
    .map((name) => join(there, name))
    .filter((name) => statSync(name).isFile() && !name.endsWith('.md') && statSync(name).size < 300_000)
    .sort()
  for (let i = 0; i < files.length; i += 50)
    await checkAll(
      `Corpus${i}`,
      files.slice(i, i + 50).map((name) => readFileSync(name)),
    )
}, 120_000)
