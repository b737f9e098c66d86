/** SMTP envelopes as the case files write them, and their comparison (fixtures/rfc4356/README.md, rule 1). */
import type { OutgoingEnvelope } from '../../outbound/transports.ts'
import type { Comparison } from './comparison.ts'
import type { SessionOfCase } from './gateway.ts'

export interface PathJson {
  /** With angle brackets. */
  readonly path: string
  readonly params: readonly string[]
}

export interface EnvelopeJson {
  readonly session?: SessionOfCase
  readonly via?: string
  readonly mailFrom: PathJson
  readonly rcptTo: readonly PathJson[]
}

export function compareEnvelope(
  expected: EnvelopeJson,
  via: string,
  actual: OutgoingEnvelope,
  cmp: Comparison,
): void {
  if (expected.via !== undefined && expected.via !== via)
    cmp.out.push(`via: expected ${expected.via}, got ${via}`)
  comparePath('MAIL FROM', expected.mailFrom, pathJson(actual.mailFrom), cmp)
  const paths = actual.rcptTo.map(pathJson)
  if (expected.rcptTo.length !== paths.length)
    cmp.out.push(
      `RCPT TO: expected ${expected.rcptTo.map((r) => r.path).join(' ')}, got ${paths.map((r) => r.path).join(' ')}`,
    )
  else
    expected.rcptTo.forEach((want, i) => {
      comparePath(`RCPT TO ${i + 1}`, want, paths[i] ?? { path: '', params: [] }, cmp)
    })
}

export const pathJson = ({
  path,
  params,
}: {
  readonly path: string | null
  readonly params: Readonly<Record<string, string>>
}): PathJson => ({
  path: `<${path ?? ''}>`,
  params: Object.entries(params).map(([keyword, value]) => (value === '' ? keyword : `${keyword}=${value}`)),
})

function comparePath(where: string, expected: PathJson, actual: PathJson, cmp: Comparison): void {
  if (!cmp.same(normalPath(expected.path), normalPath(actual.path)))
    cmp.out.push(`${where}: expected ${expected.path}, got ${actual.path}`)
  const [want, got] = [normalParams(expected.params), normalParams(actual.params)]
  if (!cmp.same(want, got))
    cmp.out.push(`${where} parameters: expected ${want || 'none'}, got ${got || 'none'}`)
}

const normalPath = (path: string): string => {
  const at = path.lastIndexOf('@')
  return at < 0 ? path : path.slice(0, at) + path.slice(at).toLowerCase()
}

const normalParams = (params: readonly string[]): string =>
  params
    .map((p) => p.replace(/^[^=]*/, (keyword) => keyword.toUpperCase()))
    .filter((p) => !p.startsWith('SIZE=') && p !== 'BODY=7BIT')
    .sort()
    .join(' ')
