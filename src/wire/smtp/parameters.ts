/** The ESMTP parameters of MAIL and RCPT (RFC 1870, 2852, 3461, 4954, 6152, 6531). */
import type { EpochMs } from '../../model/units.ts'
import { isAscii } from '../mime/utf8.ts'
import { holdFault } from './future-release.ts'
import { type Reply, reply } from './replies.ts'

const syntax = (text: string): Reply => reply(501, '5.5.4', text)

export interface Offered {
  readonly smtputf8: boolean
  readonly messageOctets: number
  /** BINARYMIME (RFC 3030 §3). */
  readonly binary?: boolean | undefined
  /** AUTH (RFC 4954 §5). */
  readonly auth?: boolean | undefined
  /** DELIVERBY: the least time with R (RFC 2852 §2). */
  readonly deliverBySeconds?: number | undefined
  /** FUTURERELEASE: the longest hold (RFC 4865 §3). */
  readonly hold?: { readonly maxSeconds: number; readonly now: EpochMs } | undefined
}

/** xtext (RFC 3461 §4): +XX in upper case, nothing else below "!" or above "~", no bare "=". */
const isXtext = (value: string): boolean => /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(value)
/** utf-8-addr-xtext, under SMTPUTF8 also utf-8-addr-unitext (RFC 6533 §3). */
const isUtf8Address = (value: string, smtputf8: boolean): boolean =>
  (smtputf8 || isAscii(value)) && /^(?:[!-*,-<>-[\]-~]|[^\x00-\x7f]|\\x\{[0-9A-Fa-f]{2,6}\})+$/u.test(value)
/** What xtext stands for must itself be printable ASCII (RFC 3461 §4.2, §4.4). */
const decodesPrintable = (value: string): boolean =>
  [...value.matchAll(/\+([0-9A-F]{2})/g)].every((m) => {
    const o = Number.parseInt(m[1] ?? '', 16)
    return o >= 32 && o <= 126
  })

/** Refuses what is wrong in MAIL's parameters (QUE-021, QUE-032). undefined: all is well. */
export function mailParameterFault(
  params: Readonly<Record<string, string>>,
  offered: Offered,
): Reply | undefined {
  for (const [keyword, value] of Object.entries(params)) {
    switch (keyword) {
      case 'SIZE':
        if (!/^\d{1,20}$/.test(value)) return syntax('SIZE must be a number')
        if (Number(value) > offered.messageOctets)
          return reply(552, '5.3.4', `A message may have ${offered.messageOctets} octets`)
        break
      case 'BODY':
        if (!(offered.binary ? /^(7BIT|8BITMIME|BINARYMIME)$/i : /^(7BIT|8BITMIME)$/i).test(value))
          return syntax('BODY has a value that is not known here')
        break
      case 'AUTH':
        if (!offered.auth) return unknownParameter(keyword)
        // Read and not believed: whoever submits was authenticated here (RFC 4954 §5, AU-14).
        if (value !== '<>' && (value === '' || value.length > 500 || !isXtext(value)))
          return syntax('AUTH must be an address in xtext, or <>')
        break
      case 'HOLDFOR':
      case 'HOLDUNTIL': {
        if (!offered.hold) return unknownParameter(keyword)
        const fault = holdFault(params, offered.hold)
        if (fault !== undefined) return syntax(fault)
        break
      }
      case 'RET':
        if (!/^(FULL|HDRS)$/i.test(value)) return syntax('RET must be FULL or HDRS')
        break
      case 'ENVID':
        if (value === '' || value.length > 100 || !isXtext(value) || !decodesPrintable(value))
          return syntax('ENVID is not valid xtext')
        break
      case 'BY': {
        const match = /^([+-]?\d{1,9});([RN])(T?)$/i.exec(value)
        if (!match) return syntax('BY must be seconds;R or seconds;N')
        if (match[2]?.toUpperCase() === 'R' && Number(match[1]) <= 0)
          return syntax('BY with R needs a time to come')
        if (match[2]?.toUpperCase() === 'R' && Number(match[1]) < (offered.deliverBySeconds ?? 0))
          return reply(555, '5.5.4', `BY with R needs ${offered.deliverBySeconds} seconds at least`)
        break
      }
      case 'SMTPUTF8':
        if (!offered.smtputf8) return unknownParameter(keyword)
        // RFC 6531 §3.4.
        if (value !== '') return syntax('SMTPUTF8 takes no value')
        break
      default:
        return unknownParameter(keyword)
    }
  }
  return undefined
}

/** `smtputf8`: MAIL said SMTPUTF8. */
export function rcptParameterFault(
  params: Readonly<Record<string, string>>,
  smtputf8 = false,
): Reply | undefined {
  for (const [keyword, value] of Object.entries(params)) {
    if (keyword === 'NOTIFY') {
      const words = value.toUpperCase().split(',')
      const known = words.every((w) => ['NEVER', 'SUCCESS', 'FAILURE', 'DELAY'].includes(w))
      if (!known || (words.includes('NEVER') && words.length > 1))
        return syntax('NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY')
    } else if (keyword === 'ORCPT') {
      const [, type = '', address = ''] = /^([A-Za-z0-9-]+);(.+)$/.exec(value) ?? []
      const isRight =
        type.toLowerCase() === 'utf-8'
          ? isUtf8Address(address, smtputf8)
          : isXtext(address) && decodesPrintable(address)
      if (address === '' || Buffer.byteLength(value) > 500 || !isRight)
        return syntax('ORCPT must be type;xtext')
    } else return unknownParameter(keyword)
  }
  return undefined
}

const unknownParameter = (keyword: string): Reply =>
  reply(555, '5.5.4', `Parameter ${keyword} is not known here`)
