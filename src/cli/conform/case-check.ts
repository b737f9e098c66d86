/** What is wrong with a case folder itself, before anything of it is run (fixtures/rfc4356/README.md). */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { Ajv } from 'ajv'
import { Type } from 'typebox'
import { checkConfig } from '../../config.ts'
import { Fault } from '../../model/fault.ts'
import type { CaseJson, CaseSettings } from './case-folder.ts'

/** Of one file of a case: more is nothing that a message can be. */
const maxFileOctets = 128 * 1_048_576

const Texts = Type.Array(Type.String())
const Time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d' })
const Recipient = Type.Object({ rcptTo: Type.String() })
const CaseSchema = Type.Object(
  {
    id: Type.String({ minLength: 1 }),
    title: Type.String(),
    covers: Texts,
    notes: Type.Optional(Type.Union([Type.String(), Texts])),
    direction: Type.Optional(Type.Enum(['M→I', 'I→M', 'both', 'int'])),
    files: Type.Optional(Texts),
    peer: Type.Optional(Type.String()),
    config: Type.Optional(Type.Object({})),
    state: Type.Optional(
      Type.Object(
        {
          originals: Type.Optional(
            Type.Array(
              Type.Object({
                direction: Type.Enum(['M→I', 'I→M']),
                queueId: Type.String(),
                arrival: Time,
                messageId: Type.String(),
                recipients: Type.Array(Recipient),
              }),
            ),
          ),
          queue: Type.Optional(
            Type.Array(
              Type.Object({
                queueId: Type.String(),
                mmsMessageId: Type.String(),
                peer: Type.String(),
                recipients: Type.Array(Recipient),
              }),
            ),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    repeatInput: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    advanceTo: Type.Optional(Time),
    networkMsisdn: Type.Optional(Type.String()),
    matrix: Type.Optional(Type.Boolean()),
    mustContain: Type.Optional(Type.Record(Type.String(), Texts)),
    ignore: Type.Optional(Texts),
    ignoreDsnFields: Type.Optional(Texts),
    bytesBody: Type.Optional(Type.String()),
    noMail: Type.Optional(Type.Boolean()),
    noMms: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

const Path = Type.Object({ path: Type.String({ pattern: '^<.*>$' }), params: Texts })
const EnvelopeSchema = Type.Object({
  session: Type.Optional(
    Type.Object({
      peer: Type.Union([Type.String(), Type.Null()]),
      ehlo: Type.String(),
      ip: Type.String(),
      port: Type.Integer(),
      auth: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
  via: Type.Optional(Type.String()),
  mailFrom: Path,
  rcptTo: Type.Array(Path),
})
const ReplySchema = Type.Object({
  stage: Type.Enum(['mail', 'rcpt', 'data', 'end-of-data']),
  code: Type.Integer({ minimum: 200, maximum: 599 }),
  enhanced: Type.Optional(Type.String()),
})
const QueueSchema = Type.Object({ queueId: Type.String() })
const PairsSchema = Type.Object({ form: Type.String(), rows: Type.Array(Type.Object({}), { minItems: 1 }) })
const RepliesSchema = Type.Array(Type.Object({ command: Type.String(), reply: Type.String() }))

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true })
const validCase = ajv.compile(CaseSchema)
const validators: readonly (readonly [RegExp, ReturnType<Ajv['compile']>])[] = [
  [/envelope\.json$/, ajv.compile(EnvelopeSchema)],
  [/^expected\.reply\.json$/, ajv.compile(ReplySchema)],
  [/^expected\.queue\.json$/, ajv.compile(QueueSchema)],
  [/^pairs\.json$/, ajv.compile(PairsSchema)],
  [/\.replies\.json$/, ajv.compile(RepliesSchema)],
  [/\.json$/, ajv.compile(Type.Object({}))],
]

const known =
  /^(?:case\.json|pairs\.json|input\.(?:http|eml|hex|envelope\.json)|expected\.(?:response\.http|reply\.json|queue\.json|model\.json|[1-9]\d*\.(?:envelope\.json|eml|http))|peer\.[1-9]\d*\.(?:response\.http|replies\.json))$/
const ofUs = /^(?:input|expected|peer|pairs)\b/

/** What `case.json` itself lacks, a line each. */
export const caseJsonProblems = (json: unknown): string[] =>
  validCase(json) ? [] : told('case.json', validCase.errors)

/**
 * What the other files lack, a line each.
 * @param root the folder that was named: nothing outside of it is read
 */
export function folderProblems(
  folder: string,
  root: string,
  json: CaseJson,
  settings: CaseSettings,
): string[] {
  const names = readdirSync(folder).filter((name) => ofUs.test(name))
  const files = names.flatMap((name) => fileProblems(folder, root, name))
  // Nothing of a file that must not be read is looked at.
  if (files.length > 0) return files
  return [
    ...listedProblems(folder, json),
    ...inputProblems(names, json),
    ...expectedProblems(names),
    ...names.flatMap((name) => contentProblems(folder, name)),
    ...settingsProblems(json, settings),
  ]
}

/** Whether a file of a case may be read at all. */
export function fileProblems(folder: string, root: string, name: string): string[] {
  const path = join(folder, name)
  if (!known.test(name)) return [`${name}: no such file is known to a case`]
  if (!existsSync(path)) return [`${name}: a link to nothing`]
  if (!realpathSync(path).startsWith(realpathSync(root) + sep)) return [`${name}: a link out of ${root}`]
  const { size } = statSync(path)
  if (!statSync(path).isFile()) return [`${name}: not a file`]
  return size > maxFileOctets ? [`${name}: ${size} octets, expected at most ${maxFileOctets}`] : []
}

function listedProblems(folder: string, { files = [] }: CaseJson): string[] {
  return files
    .filter((name) => !existsSync(join(folder, name)))
    .map((name) => `${name}: listed in files, but not there`)
}

function inputProblems(names: readonly string[], json: CaseJson): string[] {
  const has = (name: string): boolean => names.includes(name)
  if (json.matrix && !has('pairs.json')) return ['pairs.json: expected, since matrix is true']
  if (has('pairs.json')) return []
  const inputs = ['input.http', 'input.eml', 'input.hex'].filter(has)
  if (inputs.length !== 1)
    return [`expected one of input.http, input.eml and input.hex, got ${inputs.join(' and ') || 'none'}`]
  if (has('input.eml') !== has('input.envelope.json'))
    return [`input.eml and input.envelope.json: expected both`]
  if (has('input.hex') && !has('expected.model.json'))
    return ['expected.model.json: expected, since an MM1 PDU is only decoded']
  if (has('input.http') && json.peer === undefined) return ['case.json: peer: expected, who sends input.http']
  return []
}

function expectedProblems(names: readonly string[]): string[] {
  const numbers = new Set(
    names.flatMap((name) => {
      const n = /^expected\.(\d+)\./.exec(name)?.[1]
      return n === undefined ? [] : [Number(n)]
    }),
  )
  const out: string[] = []
  for (let n = 1; n <= Math.max(0, ...numbers); n++) {
    const [http, envelope, mail] = ['http', 'envelope.json', 'eml'].map((end) =>
      names.includes(`expected.${n}.${end}`),
    )
    if (!numbers.has(n)) out.push(`expected.${n}.*: not there, but one with a greater number`)
    else if (http && (envelope || mail)) out.push(`expected.${n}.http: expected alone, or mail without it`)
    else if (mail && !envelope) out.push(`expected.${n}.envelope.json: expected beside expected.${n}.eml`)
  }
  return out
}

function contentProblems(folder: string, name: string): string[] {
  const octets = readFileSync(join(folder, name))
  if (name.endsWith('.json')) {
    try {
      const value: unknown = JSON.parse(octets.toString('utf8'))
      const valid = validators.find(([pattern]) => pattern.test(name))?.[1]
      return !valid || valid(value) ? [] : told(name, valid.errors)
    } catch (error) {
      return [`${name}: ${error instanceof Error ? error.message : String(error)}`]
    }
  }
  if (name.endsWith('.hex'))
    return /^(?:\s*[0-9A-Fa-f]\s*[0-9A-Fa-f])*\s*$/.test(octets.toString('latin1'))
      ? []
      : [`${name}: expected pairs of hexadecimal digits`]
  const end = octets.indexOf('\n')
  return end === 0 || (end > 0 && octets[end - 1] !== 13)
    ? [`${name}: expected lines that end in CRLF, the first ends in LF alone`]
    : []
}

function settingsProblems(json: CaseJson, settings: CaseSettings): string[] {
  const { clock, nextHop, ...rest } = settings
  const out: string[] = []
  if (Number.isNaN(Date.parse(clock))) out.push(`config.clock: expected a time, got ${clock}`)
  if (json.peer !== undefined && json.peer !== null && !Object.hasOwn(settings.peers, json.peer))
    out.push(`case.json: peer: no peer is called ${json.peer}`)
  for (const peer of Object.keys(nextHop ?? {}))
    if (!Object.hasOwn(settings.peers, peer)) out.push(`config.nextHop: no peer is called ${peer}`)
  try {
    checkConfig(rest, 'config')
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    out.push(...error.message.split('\n'))
  }
  return out
}

/** `file: path: what was expected`, once each. */
function told(file: string, errors: ReturnType<Ajv['compile']>['errors']): string[] {
  const lines = (errors ?? []).map((error) => {
    const { additionalProperty, allowedValues } = error.params as {
      additionalProperty?: string
      allowedValues?: readonly unknown[]
    }
    const extra = additionalProperty === undefined ? '' : `: ${additionalProperty}`
    const values = allowedValues ? `: ${allowedValues.map(String).join(', ')}` : ''
    const path = error.instancePath.split('/').slice(1).join('.')
    return `${file}: ${path === '' ? '' : `${path} `}${error.message ?? 'is wrong'}${extra}${values}`
  })
  return [...new Set(lines)]
}
