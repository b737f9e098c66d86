/** SASL EXTERNAL (RFC 4422 Appendix A): the client certificate of this TLS session, by its rfc822Name. */
import { type Mechanism, oneMessage, wrong } from './mechanism.ts'
import { prepareUser, utf8 } from './saslprep.ts'

export const external: Mechanism = {
  name: 'EXTERNAL',
  source: 'RFC 4422 Appendix A',
  usable: ({ channel, external: names }) => names !== undefined && channel.certificate !== undefined,

  run: oneMessage(async (initial, { channel, directory, external: accountOf }) => {
    const { certificate } = channel
    if (!certificate || !accountOf) return wrong('no client certificate')
    const authzid = utf8(initial)
    // RFC 4422 Appendix A.1: UTF-8 without NUL.
    if (authzid === undefined || authzid.includes('\0')) return wrong('malformed EXTERNAL message')
    const wanted = authzid === '' ? undefined : prepareUser(authzid)

    // A certificate may carry several addresses: the one asked for if it is among them, else the first with an account.
    const addresses = certificate.rfc822Names
      .map((name) => accountOf.get(name.toLowerCase()) ?? name)
      .map((name) => prepareUser(name))
      .filter((address) => address !== undefined)
    const own = wanted !== undefined && addresses.includes(wanted) ? [wanted] : addresses
    for (const address of own) {
      const account = await directory.find(address)
      if (account) return { account, authzid, login: { validUntil: certificate.validTo } }
    }
    return wrong('no account has an address of the client certificate')
  }),
}
