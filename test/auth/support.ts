/** A SASL core over the real engine, with a clock that stands still and waits that are noted instead of waited. */
import { createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { afterAll } from 'vitest'
import type { BindingType, Channel } from '../../src/auth/channel.ts'
import { type SaslContext, type SaslServices, type SaslStep, startSasl } from '../../src/auth/sasl.ts'
import { hash, hmac } from '../../src/auth/scram-keys.ts'
import { createSaslServices } from '../../src/auth/services.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { tempFolder } from '../support/temp.ts'

export interface Bench {
  readonly folder: string
  readonly engine: Awaited<ReturnType<typeof openSqlite>>
  readonly services: SaslServices
  readonly clock: { now: number }
  readonly waits: number[]
  context(channel?: Partial<Channel>, services?: Partial<SaslServices>): SaslContext
}

export async function createBench(): Promise<Bench> {
  const clock = { now: Date.UTC(2026, 0, 1) }
  const waits: number[] = []
  const folder = tempFolder()
  const engine = await openSqlite(folder, {
    now: () => clock.now,
    tokens: { lifetimeMs: 14 * 86_400_000, fullLoginMs: 90 * 86_400_000, clients: 3 },
  })
  afterAll(() => engine.close())
  const made = createSaslServices(engine, {}, () => clock.now)
  const services: SaslServices = {
    ...made,
    sleep: async (ms) => {
      waits.push(ms)
    },
  }
  return {
    folder,
    engine,
    services,
    clock,
    waits,
    context: (channel = {}, more = {}) => ({
      ...services,
      ...more,
      channel: { ...tlsChannel(), ...channel },
    }),
  }
}

const bindings: Readonly<Record<BindingType, Uint8Array>> = {
  'tls-exporter': Buffer.from('exporter octets of this session.'),
  'tls-server-end-point': Buffer.from('hash of the server certificate..'),
}

export function tlsChannel(): Channel {
  let spent = false
  return {
    peer: '192.0.2.1',
    tls: true,
    confidential: true,
    binding: (type) => (spent && type === 'tls-exporter' ? undefined : bindings[type]),
    spendExporter() {
      spent = true
    },
  }
}

export const clearChannel: Partial<Channel> = { tls: false, confidential: false, binding: () => undefined }

export const octets = (text: string): Uint8Array => Buffer.from(text)
export const textOf = (step: SaslStep): string =>
  'challenge' in step ? Buffer.from(step.challenge).toString() : ''

/** One exchange: the messages in their order, the steps that came of them. */
export async function exchange(
  context: SaslContext,
  mechanism: string,
  ...messages: (Uint8Array | string)[]
) {
  const started = startSasl(mechanism, context)
  if (typeof started === 'string') throw new Error(`${mechanism} is ${started}`)
  const steps: SaslStep[] = []
  for (const message of messages)
    steps.push(await started.step(typeof message === 'string' ? octets(message) : message))
  return steps
}

/** The last step of it. */
export const outcome = async (...args: Parameters<typeof exchange>): Promise<SaslStep> =>
  (await exchange(...args)).at(-1)!

export interface ScramClient {
  readonly user: string
  readonly password: string
  readonly header?: string
  readonly binding?: string | Uint8Array
  readonly nonce?: string
  /** Put after the nonce of the first and of the final message. */
  readonly firstExtra?: string
  readonly finalExtra?: string
  /** Changes the final message before the proof is made. */
  readonly withoutProof?: (text: string) => string
}

/** A client of RFC 5802 §3, written from the RFC's formulas apart from the server's code. */
export async function scramLogin(
  context: SaslContext,
  mechanism: string,
  {
    user,
    password,
    header = 'n,,',
    binding = '',
    nonce,
    firstExtra = '',
    finalExtra = '',
    withoutProof,
  }: ScramClient,
) {
  const started = startSasl(mechanism, context)
  if (typeof started === 'string') throw new Error(`${mechanism} is ${started}`)
  const clientNonce = nonce ?? randomBytes(18).toString('base64')
  const bare = `n=${user},r=${clientNonce}${firstExtra}`
  const first = await started.step(octets(header + bare))
  if (!('challenge' in first)) return { last: first, serverFirst: '', verified: false }
  const serverFirst = textOf(first)
  const parts = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst)
  if (!parts?.[1]?.startsWith(clientNonce)) return { last: first, serverFirst, verified: false }
  const salted = pbkdf2Sync(password, Buffer.from(parts[2]!, 'base64'), Number(parts[3]), 32, 'sha256')
  const bound = Buffer.concat([Buffer.from(header), Buffer.from(binding as string)]).toString('base64')
  const plainFinal = `c=${bound},r=${parts[1]}${finalExtra}`
  const final = withoutProof?.(plainFinal) ?? plainFinal
  const authMessage = `${bare},${serverFirst},${final}`
  const clientKey = hmac(salted, 'Client Key')
  const signature = createHmac('sha256', hash(clientKey)).update(authMessage).digest()
  const proof = Buffer.from(clientKey.map((octet, i) => octet ^ signature[i]!)).toString('base64')
  const second = await started.step(octets(`${final},p=${proof}`))
  if (!('challenge' in second)) return { last: second, serverFirst, verified: false }
  const wanted = createHmac('sha256', hmac(salted, 'Server Key')).update(authMessage).digest('base64')
  return {
    last: await started.step(new Uint8Array()),
    serverFirst,
    verified: textOf(second) === `v=${wanted}`,
  }
}
