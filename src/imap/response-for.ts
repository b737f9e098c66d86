/** A fault in IMAP's own terms (RFC 5530, STYLE.md 5). */
import { Fault, type FaultKind } from '../model/fault.ts'
import { bad, no, type Reply } from './command.ts'

const answers: Readonly<Record<FaultKind, (text: string) => Reply>> = {
  malformed: (text) => bad(text),
  unsupported: (text) => bad(text),
  unauthenticated: () => no('authentication failed', 'AUTHENTICATIONFAILED'),
  forbidden: (text) => no(text, 'NOPERM'),
  'not-found': (text) => no(text, 'NONEXISTENT'),
  exists: (text) => no(text, 'ALREADYEXISTS'),
  'in-use': (text) => no(text, 'INUSE'),
  'has-children': (text) => no(text, 'HASCHILDREN'),
  'too-large': (text) => no(text, 'TOOBIG'),
  'content-refused': (text) => no(text, 'CANNOT'),
  'over-quota': (text) => no(text, 'OVERQUOTA'),
  // Nothing that the user deletes elsewhere makes room for it (SE-18, RFC 9051 §7.1).
  limit: (text) => no(text, 'LIMIT'),
  unavailable: (text) => no(text, 'UNAVAILABLE'),
  bug: () => no('internal error', 'SERVERBUG'),
}

/** A fault that names its response code itself, where RFC 5530 has a finer one than its kind. */
export const coded = (kind: FaultKind, text: string, code: string): Fault =>
  Object.assign(new Fault(kind, text), { imapCode: code })

export function responseFor(fault: Fault): Reply {
  const { imapCode } = fault as Fault & { readonly imapCode?: string }
  return imapCode === undefined ? answers[fault.kind](fault.message) : no(fault.message, imapCode)
}
