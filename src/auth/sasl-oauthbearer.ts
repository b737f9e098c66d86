/** SASL OAUTHBEARER (RFC 7628 §3): an OAuth 2.0 access token, here a JWT of the configured issuer (RFC 9068). */
import { admit, type Mechanism, type Outcome, parseGs2Header, wrong } from './mechanism.ts'
import type { SaslContext } from './sasl.ts'
import { prepareUser, utf8 } from './saslprep.ts'

export const oauthBearer: Mechanism = {
  name: 'OAUTHBEARER',
  source: 'RFC 7628',
  usable: ({ oauth, channel }) => oauth !== undefined && channel.confidential,

  async *run(initial, context) {
    const outcome = await judge(initial, context)
    if ('account' in outcome || outcome.failed === 'unavailable') return outcome
    // Now: a client that cancels instead of answering has failed as well.
    if (outcome.failed === 'credentials') context.throttle.failed(context.channel.peer, outcome.user ?? '')
    // RFC 7628 §3.2.2: what is wrong goes out as a challenge; the client answers %x01 (SA-14), and whatever it answers,
    // the exchange has failed.
    yield Buffer.from(JSON.stringify(context.oauth?.errorResponse()))
    return { ...outcome, counted: true }
  },
}

async function judge(initial: Uint8Array, context: SaslContext): Promise<Outcome> {
  const { oauth, channel, directory, now } = context
  if (!oauth) return wrong('OAuth is not configured')
  const message = parseClientResponse(utf8(initial) ?? '')
  if (!message) return wrong('malformed OAUTHBEARER message')
  // SA-13, RFC 7628 §3.2: compared where we know better.
  if (message.host && channel.host && message.host.toLowerCase() !== channel.host.toLowerCase())
    return wrong('the token was sent for another host')
  if (message.port && channel.port && message.port !== String(channel.port))
    return wrong('the token was sent for another port')
  await admit(context, '')
  const claims = await oauth.verify(message.token, now())
  if ('refused' in claims) return wrong(`access token: ${claims.refused}`)
  const user = prepareUser(claims.user)
  const account = user && (await directory.find(user))
  if (!account) return wrong('no account has the name in the access token', user)
  return { account, authzid: message.authzid, login: { validUntil: claims.expiresAt } }
}

interface ClientResponse {
  readonly authzid: string
  /** Empty: the client asks what scope is needed (RFC 7628 §4.3). */
  readonly token: string
  readonly host?: string | undefined
  readonly port?: string | undefined
}

/** RFC 7628 §3.1: gs2-header kvsep *kvpair kvsep. undefined: malformed. */
export function parseClientResponse(message: string): ClientResponse | undefined {
  const gs2 = parseGs2Header(message)
  // No channel binding here: `p` has nothing to bind with.
  if (!gs2 || gs2.flag.kind === 'p') return undefined
  const [before, ...pairs] = message.slice(gs2.text.length).split('\x01')
  // "^A" after the header, "^A" after each pair, and one more at the end.
  if (before !== '' || pairs.pop() !== '' || pairs.pop() !== '') return undefined
  const values = new Map<string, string>()
  for (const pair of pairs) {
    const match = /^([A-Za-z]+)=([\t\r\n\x20-\x7e]*)$/.exec(pair)
    const [, key = '', value = ''] = match ?? []
    if (!match || values.has(key)) return undefined
    values.set(key, value)
  }
  const auth = values.get('auth')
  // b64token, RFC 6750 §2.1; the scheme is compared without case.
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(auth ?? '')?.[1] ?? (auth === '' ? '' : undefined)
  if (token === undefined) return undefined
  return { authzid: gs2.authzid, token, host: values.get('host'), port: values.get('port') }
}
