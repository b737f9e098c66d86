/** Semantic comparison of mail: header, MIME tree, report groups (fixtures/rfc4356/README.md, rules 2, 3, 4, 6, 7). */
import { parseAddressList } from '../../wire/mime/addresses.ts'
import { decodeText } from '../../wire/mime/charset.ts'
import { decodeWords } from '../../wire/mime/encoded-words.ts'
import type { MimeNode } from '../../wire/mime/node.ts'
import { parseContentType, parseDisposition } from '../../wire/mime/parameters.ts'
import { decodeBody, fieldValue, partRanges, scanEntity, scanMessage } from '../../wire/mime/scan.ts'
import type { Comparison } from './comparison.ts'

export interface Entity {
  readonly octets: Buffer
  readonly node: MimeNode
}

interface HeaderField {
  readonly name: string
  readonly value: string
}

const addressFields =
  /^(from|sender|reply-to|to|cc|bcc|resent-(from|sender|to|cc|bcc)|disposition-notification-to)$/
const legalEncodings = new Set(['7bit', '8bit', 'binary', 'base64', 'quoted-printable'])

export function compareMail(expected: Buffer, actual: Buffer, cmp: Comparison): void {
  if (/[^\x00-\x7f]/.test(actual.toString('latin1')))
    cmp.out.push('the message holds octets that are not ASCII')
  compareEntity('', whole(expected), whole(actual), cmp, true)
}

const whole = (octets: Buffer): Entity => ({ octets, node: scanMessage(octets) })

export function compareEntity(
  at: string,
  expected: Entity,
  actual: Entity,
  cmp: Comparison,
  isMessage: boolean,
): void {
  compareHeader(at, expected, actual, cmp, isMessage)
  compareType(at, contentType(expected), contentType(actual), cmp)
  const encoding = fieldValue(actual.octets, actual.node, 'Content-Transfer-Encoding')
  if (encoding !== undefined && !legalEncodings.has(encoding.toLowerCase()))
    cmp.out.push(`${at}Content-Transfer-Encoding: ${encoding} is not legal`)
  const [want, got] = [children(expected), children(actual)]
  if (want && got) {
    if (want.length !== got.length) {
      cmp.differ(`${at}parts`, want.map(typeName).join(', '), got.map(typeName).join(', '))
      return
    }
    want.forEach((part, i) => {
      const enclosed = /^message\/(rfc822|global)$/.test(`${expected.node.type}/${expected.node.subtype}`)
      const other = got[i]
      if (other) compareEntity(`${at}part ${i + 1}: `, part, other, cmp, enclosed)
    })
    return
  }
  compareBody(at, expected, actual, cmp)
}

/** The parts of a multipart, the message of a message/rfc822; a multipart under its WAP name has parts too. */
function children({ octets, node }: Entity): Entity[] | undefined {
  if (node.type === 'multipart' || node.parts.length > 0)
    return node.parts.map((part) => ({ octets, node: part }))
  if (!`${node.type}/${node.subtype}`.startsWith('application/vnd.wap.multipart.')) return undefined
  const boundary = node.params.find((p) => p.name === 'boundary')?.value ?? ''
  return partRanges(octets, node.bodyStart, node.bodyEnd, boundary).ranges.map((r) => ({
    octets,
    node: scanEntity(octets, r.start, r.end),
  }))
}

const typeName = ({ node }: Entity): string => `${node.type}/${node.subtype}`

const contentType = (entity: Entity): string =>
  fieldValue(entity.octets, entity.node, 'Content-Type') ?? 'text/plain; charset=us-ascii'

/** Type, subtype, parameters as a set; boundary ignored, charset without case. */
export function compareType(at: string, expected: string, actual: string, cmp: Comparison): void {
  const [want, got] = [parseContentType(expected), parseContentType(actual)]
  if (want?.type !== got?.type) cmp.differ(`${at}Content-Type`, expected, actual)
  compareParams(`${at}Content-Type`, want?.params ?? [], got?.params ?? [], cmp)
}

function compareParams(
  where: string,
  expected: readonly { readonly name: string; readonly value: string }[],
  actual: readonly { readonly name: string; readonly value: string }[],
  cmp: Comparison,
): void {
  const value = (p: { readonly name: string; readonly value: string }): string =>
    p.name === 'charset' ? p.value.toLowerCase() : p.value
  for (const want of expected) {
    if (want.name === 'boundary') continue
    const got = actual.find((p) => p.name === want.name)
    if (!got) cmp.out.push(`${where}: parameter ${want.name} is missing (expected ${want.value})`)
    else cmp.text(`${where} ${want.name}`, value(want), value(got))
  }
  for (const got of actual)
    if (got.name !== 'boundary' && !expected.some((p) => p.name === got.name))
      cmp.out.push(`${where}: unexpected parameter ${got.name}=${got.value}`)
}

function headerOf({ octets, node }: Entity, cmp: Comparison, isMessage: boolean): HeaderField[] {
  return node.fields
    .map((f) => ({
      name: f.name.toLowerCase(),
      value: fieldValue(octets, { ...node, fields: [f] }, f.name) ?? '',
    }))
    .filter((f) => f.name !== 'content-type' && f.name !== 'content-transfer-encoding')
    .filter((f) => isMessage || !cmp.ignore.has(f.name))
}

function compareHeader(
  at: string,
  expected: Entity,
  actual: Entity,
  cmp: Comparison,
  isMessage: boolean,
): void {
  const [want, got] = [headerOf(expected, cmp, isMessage), headerOf(actual, cmp, isMessage)]
  if (isMessage) compareTrace(at, want, got, cmp)
  const report = isMessage ? reportKind(expected) : undefined
  const names = new Set([...want, ...got].map((f) => f.name))
  for (const name of names) {
    if (isMessage && isTrace(name)) continue
    const mine = want.filter((f) => f.name === name)
    const theirs = got.filter((f) => f.name === name)
    if (mine.length !== theirs.length) {
      cmp.differ(
        `${at}${name}`,
        mine.map((f) => f.value).join(' | ') || 'absent',
        theirs.map((f) => f.value).join(' | ') || 'absent',
      )
      continue
    }
    if (name === 'subject' && report) {
      compareReportSubject(at, expected, theirs[0]?.value ?? '', report, cmp)
      continue
    }
    // Several of one name are a set.
    const left = [...theirs]
    for (const field of mine) {
      const found = left.findIndex((f) => sameValue(name, field.value, f.value, cmp))
      if (found < 0) cmp.differ(`${at}${name}`, field.value, left.map((f) => f.value).join(' | '))
      else left.splice(found, 1)
    }
  }
}

const isTrace = (name: string): boolean => name === 'received' || name.startsWith('resent-')

/** Received among themselves, Resent-* among themselves, both before the rest. */
function compareTrace(
  at: string,
  want: readonly HeaderField[],
  got: readonly HeaderField[],
  cmp: Comparison,
): void {
  for (const mine of [(n: string) => n === 'received', (n: string) => n.startsWith('resent-')]) {
    const [left, right] = [want.filter((f) => mine(f.name)), got.filter((f) => mine(f.name))]
    const line = (f: HeaderField): string => `${f.name}: ${f.value}`
    const same =
      left.length === right.length &&
      left.every(
        (f, i) => f.name === right[i]?.name && sameValue(f.name, f.value, right[i]?.value ?? '', cmp),
      )
    if (!same) cmp.differ(`${at}trace`, left.map(line).join(' | '), right.map(line).join(' | '))
  }
  const firstOther = got.findIndex((f) => !isTrace(f.name))
  if (firstOther >= 0 && got.slice(firstOther).some((f) => isTrace(f.name)))
    cmp.out.push(`${at}a trace field stands below other fields`)
}

function sameValue(name: string, expected: string, actual: string, cmp: Comparison): boolean {
  if (addressFields.test(name)) return cmp.same(addressList(expected), addressList(actual))
  if (name === 'content-disposition') {
    const [want, got] = [parseDisposition(expected), parseDisposition(actual)]
    const text = (d: typeof want): string =>
      [d.disposition, ...d.params.map((p) => `${p.name}=${p.value}`).sort()].join('; ')
    return cmp.same(text(want), text(got))
  }
  if (name === 'received') return cmp.received(words(expected), words(actual))
  return cmp.same(words(expected), words(actual))
}

const words = (value: string): string => decodeWords(value).replace(/\s+/g, ' ').trim()

/** Display name and addr-spec of each mailbox; group syntax kept. */
function addressList(value: string): string {
  const items = parseAddressList(value)
  if (items.length === 0) return words(value)
  return items
    .map((item) => {
      if (item.kind === 'group-start') return `${words(item.name)}:`
      if (item.kind === 'group-end') return ';'
      const name = item.name === undefined ? '' : `${words(item.name)} `
      return `${name}<${item.local}@${item.domain.toLowerCase()}>`
    })
    .join(' ')
}

const reportKind = (entity: Entity): string | undefined =>
  `${entity.node.type}/${entity.node.subtype}` === 'multipart/report'
    ? entity.node.params.find((p) => p.name === 'report-type')?.value.toLowerCase()
    : undefined

/** The Subject of a DSN is free but holds the Action word; that of an MDN is free. */
function compareReportSubject(
  at: string,
  expected: Entity,
  subject: string,
  kind: string,
  cmp: Comparison,
): void {
  const text = words(subject)
  if (text === '') cmp.out.push(`${at}subject: empty`)
  if (kind !== 'delivery-status') return
  const status = expected.node.parts.find((p) => p.subtype === 'delivery-status')
  const body = status ? Buffer.from(decodeBody(expected.octets, status)).toString('latin1') : ''
  const actions = [...body.matchAll(/^action:\s*(\S+)/gim)].map((m) => (m[1] ?? '').toLowerCase())
  if (!actions.some((action) => text.toLowerCase().includes(action)))
    cmp.differ(`${at}subject`, `one that holds ${[...new Set(actions)].join(' or ')}`, text)
}

function compareBody(at: string, expected: Entity, actual: Entity, cmp: Comparison): void {
  const type = typeName(expected)
  const [want, got] = [decodeBody(expected.octets, expected.node), decodeBody(actual.octets, actual.node)]
  if (type === 'message/delivery-status' || type === 'message/disposition-notification') {
    compareGroups(at, Buffer.from(want).toString('utf8'), Buffer.from(got).toString('utf8'), cmp)
    return
  }
  if (isText(type)) {
    cmp.text(`${at}body`, normalText(want, expected.node), normalText(got, actual.node))
    return
  }
  if (!Buffer.from(want).equals(Buffer.from(got))) cmp.differ(`${at}body`, digest(want), digest(got))
}

const isText = (type: string): boolean => /^text\/|^application\/(smil|xml|xhtml\+xml)$/.test(type)

const normalText = (octets: Uint8Array, node: MimeNode): string =>
  decodeText(octets, node.params.find((p) => p.name === 'charset')?.value)
    .replace(/\r\n|\r/g, '\n')
    .replace(/\n+$/, '')

const digest = (octets: Uint8Array): string =>
  `${octets.length} octets ${Buffer.from(octets.subarray(0, 48)).toString('hex')}`

/** Groups of fields in their order (rule 7). */
function compareGroups(at: string, expected: string, actual: string, cmp: Comparison): void {
  const groups = (text: string): string[][] =>
    text
      .replace(/\r\n/g, '\n')
      .replace(/\n[ \t]+/g, ' ')
      .split(/\n{2,}/)
      .map((group) => group.split('\n').filter((line) => line.trim() !== ''))
      .filter((group) => group.length > 0)
      .map((group) => group.filter((line) => !cmp.ignoreDsn.has(fieldName(line))))
  const [want, got] = [groups(expected), groups(actual)]
  if (want.length !== got.length) {
    cmp.differ(`${at}groups`, expected, actual)
    return
  }
  want.forEach((group, g) => {
    const other = got[g] ?? []
    if (group.map(fieldName).join() !== other.map(fieldName).join()) {
      cmp.differ(`${at}group ${g + 1}`, group.join('\n'), other.join('\n'))
      return
    }
    group.forEach((line, i) => {
      const value = (text: string): string => words(text.slice(text.indexOf(':') + 1)).replace(/;\s*/g, ';')
      cmp.text(`${at}group ${g + 1} ${fieldName(line)}`, value(line), value(other[i] ?? ''))
    })
  })
}

const fieldName = (line: string): string => line.slice(0, line.indexOf(':')).trim().toLowerCase()
