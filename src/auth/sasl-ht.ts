/**
 * SASL HT-SHA-256-EXPR, -ENDP and -NONE: hashed session tokens (draft-ietf-kitten-sasl-ht). The draft has two wire forms,
 * and a message tells which it is by its length: up to -00, and in all clients of today, `authcid NUL hash`; from -01 on
 * `authcid NUL key-value-pairs NUL hash`. We answer in the form we are asked in.
 *
 * The hash is the same on every connection unless it is bound to the channel (EXPR): TLS alone keeps it from being heard
 * and replayed, and early data is not accepted (RC-15). -01 no longer asks that a token end with its first use; ours
 * does not: on a bad link the client could not know whether it was used.
 *
 * The last message of ours is a challenge, answered with an empty response. A client in a hurry sends the command, that
 * empty line, ENABLE and SELECT in one flight: one round trip (RC-17).
 */
import { timingSafeEqual } from 'node:crypto'
import type { BindingType } from './channel.ts'
import { admit, type Mechanism, type Outcome, wrong } from './mechanism.ts'
import type { SaslContext } from './sasl.ts'
import { prepareUser, utf8 } from './saslprep.ts'
import { hmac } from './scram-keys.ts'
import type { UsableToken } from './session-tokens.ts'

const ht = (suffix: string, type: BindingType | undefined): Mechanism => {
  const name = `HT-SHA-256-${suffix}`
  return {
    name,
    source: 'draft-ietf-kitten-sasl-ht §3',
    usable: ({ tokens, channel }) =>
      tokens !== undefined && channel.tls && (type === undefined || channel.binding(type) !== undefined),
    run: (initial, context) => hashedToken(initial, context, name, type),
  }
}

export const htSha256Expr = ht('EXPR', 'tls-exporter')
export const htSha256Endp = ht('ENDP', 'tls-server-end-point')
export const htSha256None = ht('NONE', undefined)

/** What a token can be pinned to. */
export const htMechanisms: readonly string[] = [htSha256Expr, htSha256Endp, htSha256None].map(
  ({ name }) => name,
)

async function* hashedToken(
  initial: Uint8Array,
  context: SaslContext,
  mechanism: string,
  type: BindingType | undefined,
): AsyncGenerator<Uint8Array, Outcome, Uint8Array> {
  const { tokens, channel, directory } = context
  const message = parseInitiatorMessage(initial)
  const bound = type === undefined ? new Uint8Array() : channel.binding(type)
  if (!tokens || !message || !bound) return wrong('malformed HT message, or no channel binding')
  const user = prepareUser(message.authcid)
  if (user === undefined) return wrong('the user name cannot be prepared (RFC 4013)')
  await admit(context, user)

  const account = await directory.find(user)
  const usable = await tokens.usable(account?.id)
  const expected = Buffer.concat([Buffer.from('Initiator'), bound, message.pairs])
  let found: UsableToken | undefined
  // As many hashes for every user, known or not, however many tokens there are.
  for (let i = 0; i < tokens.most; i++) {
    const candidate = usable[i]
    const equal = timingSafeEqual(hmac(candidate?.token ?? noToken, expected), message.hash)
    if (equal && candidate?.mechanism === mechanism) found = candidate
  }
  if (!account || !found) return wrong('wrong user or session token', user)
  await tokens.used(account.id, found)

  const proof = hmac(found.token, Buffer.concat([Buffer.from('Responder'), bound]))
  const empty = yield message.form === 'plain' ? proof : Buffer.concat([Buffer.of(0, 0), proof])
  if (empty.length > 0) return wrong('more than an empty response to the responder message', user)
  const { client, fullLoginAt, validUntil } = found
  return { account, authzid: '', binding: type, login: { client, fullLoginAt, validUntil } }
}

/** As long as a real one, and none. */
const noToken = '-'.repeat(43)
const hashOctets = 32

interface InitiatorMessage {
  readonly authcid: string
  readonly form: 'plain' | 'pairs'
  /** extra-initiator-values; they are covered by the hash, and mean nothing to us. */
  readonly pairs: Uint8Array
  readonly hash: Uint8Array
}

const keyValuePairs = /^(?:[A-Za-z0-9/+_-]+=[A-Za-z0-9/+_-]+(?:,(?=.)|$))*$/

export function parseInitiatorMessage(message: Uint8Array): InitiatorMessage | undefined {
  const nul = message.indexOf(0)
  const authcid = nul > 0 ? utf8(message.subarray(0, nul)) : undefined
  const rest = message.subarray(nul + 1)
  if (authcid === undefined || rest.length < hashOctets) return undefined
  const hash = rest.subarray(rest.length - hashOctets)
  if (rest.length === hashOctets) return { authcid, form: 'plain', pairs: new Uint8Array(), hash }
  const pairs = rest.subarray(0, rest.length - hashOctets - 1)
  if (rest[pairs.length] !== 0 || !keyValuePairs.test(Buffer.from(pairs).toString('latin1'))) return undefined
  return { authcid, form: 'pairs', pairs, hash }
}
