/** SASL PLAIN (RFC 4616 §2): authzid NUL authcid NUL password, in UTF-8. undefined: malformed. */
export function parsePlain(
  response: Uint8Array,
): { readonly authzid: string; readonly authcid: string; readonly password: string } | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(response)
  } catch {
    return undefined
  }
  const [authzid, authcid, password, more] = text.split('\0')
  if (authzid === undefined || !authcid || !password || more !== undefined) return undefined
  return { authzid, authcid, password }
}
