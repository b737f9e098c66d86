/** SASL SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), bound to TLS as RFC 9266 and RFC 5929 say. */
import { timingSafeEqual } from 'node:crypto'
import type { BindingType } from './channel.ts'
import {
  admit,
  type Gs2Header,
  type Mechanism,
  type Outcome,
  parseGs2Header,
  saslname,
  wrong,
} from './mechanism.ts'
import type { SaslContext } from './sasl.ts'
import { base64, prepareUser, utf8 } from './saslprep.ts'
import { fakeScramKeys, hash, hmac } from './scram-keys.ts'

export const bindingTypes: readonly BindingType[] = ['tls-exporter', 'tls-server-end-point']

const canBind = ({ channel }: SaslContext): boolean => bindingTypes.some((type) => channel.binding(type))

export const scramSha256: Mechanism = {
  name: 'SCRAM-SHA-256',
  source: 'RFC 7677',
  usable: ({ scram }) => scram !== undefined,
  run: (initial, context) => scram(initial, context, false),
}

export const scramSha256Plus: Mechanism = {
  name: 'SCRAM-SHA-256-PLUS',
  source: 'RFC 7677',
  usable: (context) => context.scram !== undefined && canBind(context),
  run: (initial, context) => scram(initial, context, true),
}

async function* scram(
  initial: Uint8Array,
  context: SaslContext,
  plus: boolean,
): AsyncGenerator<Uint8Array, Outcome, Uint8Array> {
  const first = parseClientFirst(utf8(initial) ?? '')
  if (!first) return wrong('malformed client-first-message')
  if (first === 'extension') {
    yield Buffer.from('e=extensions-not-supported')
    return wrong('a mandatory extension (m=)')
  }
  const bound = bindingFor(first.gs2, context, plus)
  if ('failed' in bound) return bound
  const user = prepareUser(first.username)
  if (user === undefined) return wrong('the user name cannot be prepared (RFC 4013)')

  // Whether the user exists or not: one look-up, one fake, the same exchange (SA-11).
  const fake = fakeScramKeys(context.secret, user)
  const known = await context.scram?.scram(user)
  const keys = known?.keys ?? fake
  const nonce = first.nonce + context.nonce()
  const serverFirst = `r=${nonce},s=${Buffer.from(keys.salt).toString('base64')},i=${keys.iterations}`
  const final = parseClientFinal(utf8(yield Buffer.from(serverFirst)) ?? '')
  if (!final) return wrong('malformed client-final-message', user)

  await admit(context, user)
  const channelBinding = Buffer.concat([Buffer.from(first.gs2.text), bound.octets])
  if (!channelBinding.equals(final.channelBinding)) return wrong('the channel bindings do not match', user)
  if (final.nonce !== nonce) return wrong('not our nonce', user)
  const authMessage = `${first.bare},${serverFirst},${final.withoutProof}`
  const signature = hmac(keys.storedKey, authMessage)
  const clientKey = final.proof.map((octet, i) => octet ^ (signature[i] ?? 0))
  const right = timingSafeEqual(hash(clientKey), keys.storedKey)
  if (!right || !known) return wrong('wrong user or password', user)

  // Data with success: a challenge that the client answers with nothing (SA-12).
  const verifier = hmac(keys.serverKey, authMessage).toString('base64')
  const empty = yield Buffer.from(`v=${verifier}`)
  if (empty.length > 0) return wrong('more than an empty response to the server-final-message', user)
  return { account: known.account, authzid: first.gs2.authzid, binding: bound.type }
}

interface ClientFirst {
  readonly gs2: Gs2Header
  readonly bare: string
  readonly username: string
  readonly nonce: string
}

/** RFC 5802 §7. 'extension': it has an `m=`, which nobody understands (§5.1). */
function parseClientFirst(message: string): ClientFirst | 'extension' | undefined {
  const gs2 = parseGs2Header(message)
  if (!gs2) return undefined
  const bare = message.slice(gs2.text.length)
  const [n = '', r = '', ...extensions] = bare.split(',')
  if (n.startsWith('m=') || extensions.some((e) => e.startsWith('m='))) return 'extension'
  const username = n.startsWith('n=') ? saslname(n.slice(2)) : undefined
  if (username === undefined || !isNonce(r) || !extensions.every(isAttribute)) return undefined
  return { gs2, bare, username, nonce: r.slice(2) }
}

interface ClientFinal {
  readonly channelBinding: Buffer
  readonly nonce: string
  readonly proof: Buffer
  readonly withoutProof: string
}

function parseClientFinal(message: string): ClientFinal | undefined {
  const attributes = message.split(',')
  const p = attributes.pop() ?? ''
  const [c = '', r = '', ...extensions] = attributes
  const channelBinding = c.startsWith('c=') ? base64(c.slice(2)) : undefined
  const proof = p.startsWith('p=') ? base64(p.slice(2)) : undefined
  if (!channelBinding || proof?.length !== 32 || !isNonce(r)) return undefined
  if (!extensions.every((e) => isAttribute(e) && !e.startsWith('m='))) return undefined
  return { channelBinding, nonce: r.slice(2), proof, withoutProof: attributes.join(',') }
}

/** printable: %x21-2B / %x2D-7E */
const isNonce = (attribute: string): boolean => /^r=[\x21-\x2b\x2d-\x7e]+$/.test(attribute)
const isAttribute = (attribute: string): boolean => /^[A-Za-z]=[^\0,]+$/.test(attribute)

/** RFC 5802 §6 (SA-08, SA-09): the octets that must follow the gs2 header in `c=`. */
function bindingFor(
  { flag }: Gs2Header,
  context: SaslContext,
  plus: boolean,
): { readonly octets: Uint8Array; readonly type?: BindingType } | Extract<Outcome, { failed: unknown }> {
  const refuse = (reason: string) => ({ failed: 'credentials' as const, reason })
  if (flag.kind === 'p') {
    const type = bindingTypes.find((known) => known === flag.type)
    const octets = plus && type ? context.channel.binding(type) : undefined
    return type && octets ? { octets, type } : refuse('a channel binding that is not supported here')
  }
  if (plus) return refuse('SCRAM-SHA-256-PLUS without channel binding')
  // The client believes that we cannot bind: somebody took -PLUS off our list.
  if (flag.kind === 'y' && canBind(context)) return refuse('channel binding downgraded on the way')
  return { octets: new Uint8Array() }
}
