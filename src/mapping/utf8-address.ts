/** The address type `utf-8` of ORCPT and of reports (RFC 6533 §3). */
import { isAscii } from '../wire/mime/utf8.ts'

/** utf-8-addr-xtext: 7-bit, safe in ORCPT and in message/delivery-status; `\x{F6}` for what is not ASCII. */
export const toUtf8Xtext = (address: string): string =>
  [...address]
    .map((c) =>
      /[!-*,-<>-[\]-~]/.test(c)
        ? c
        : `\\x{${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, '0')}}`,
    )
    .join('')

/** utf-8-address of utf-8-addr-xtext or utf-8-addr-unitext; what is no code point stays as it is. */
export const fromUtf8Xtext = (text: string): string =>
  text.replace(/\\x\{([0-9A-Fa-f]{2,6})\}/g, (whole, hex: string) => {
    const code = Number.parseInt(hex, 16)
    return code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? whole : String.fromCodePoint(code)
  })

/** `rfc822; a@b`, or the 7-bit form of an address that is not ASCII (RFC 6533 §3). */
export const typedAddress = (type: string, address: string): string =>
  isAscii(address) && type.toLowerCase() !== 'utf-8'
    ? `${type}; ${address}`
    : `utf-8; ${toUtf8Xtext(address)}`
