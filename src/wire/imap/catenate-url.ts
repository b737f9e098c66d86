/** URLs that CATENATE takes (RFC 4469 §3): messages and parts of the session's own user, as absolute-path references. */
import type { OctetString } from '../../model/units.ts'
import type { SectionSpec } from '../mime/section.ts'
import { type BadUrl, type ImapMessagePart, isBadUrl, parseImapUrl, type UrlProblem } from './url.ts'
import { urlSection } from './url-section.ts'

export interface CatenateSource extends Omit<ImapMessagePart, 'section'> {
  readonly section: SectionSpec
}

export type CatenateProblem = UrlProblem | 'absolute URL' | 'not a message'

/** A problem is answered NO [BADURL ...] with badUrlCode(text) (CA-05, CA-06). */
export function catenateSource(text: OctetString): CatenateSource | { readonly badUrl: CatenateProblem } {
  const url = parseImapUrl(text)
  if (isBadUrl(url)) return url satisfies BadUrl
  if (url.server) return { badUrl: 'absolute URL' }
  if (url.kind !== 'message') return { badUrl: 'not a message' }
  // A message part with URLAUTH is for URLFETCH and BURL.
  if (url.authorization) return { badUrl: 'bad URLAUTH' }
  const section = urlSection(url)
  if (!section) return { badUrl: 'bad section' }
  const { mailbox, uidValidity, uid, partial } = url
  return { mailbox, uidValidity, uid, partial, section }
}
