/** SASL PLAIN (RFC 4616). */
import { admit, type Mechanism, oneMessage, wrong } from './mechanism.ts'
import { prepareUser, utf8 } from './saslprep.ts'

export interface PlainMessage {
  readonly authzid: string
  readonly authcid: string
  readonly password: string
}

/** RFC 4616 §2: authzid NUL authcid NUL password, in UTF-8. undefined: malformed (SA-01). */
export function parsePlain(response: Uint8Array): PlainMessage | undefined {
  const [authzid, authcid, password, more] = utf8(response)?.split('\0') ?? []
  if (authzid === undefined || !authcid || !password || more !== undefined) return undefined
  return { authzid, authcid, password }
}

export const plain: Mechanism = {
  name: 'PLAIN',
  source: 'RFC 4616',
  usable: ({ channel }) => channel.confidential,

  run: oneMessage(async (initial, context) => {
    const message = parsePlain(initial)
    if (!message) return wrong('malformed PLAIN message')
    const user = prepareUser(message.authcid)
    if (user === undefined) return wrong('the user name cannot be prepared (RFC 4013)')
    await admit(context, user)
    const account = await context.credentials.verify(user, message.password)
    return account ? { account, authzid: message.authzid } : wrong('wrong user or password', user)
  }),
}
