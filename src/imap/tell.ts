/** Writes what a move of the view has to tell: the one place that sends EXPUNGE, VANISHED, EXISTS and unasked FETCH. */
import { maxKeywords, type UidSet } from '../store/store.ts'
import { numberSetOf } from '../wire/imap/encode.ts'
import type { Session } from './session.ts'
import type { Selected, ViewChange } from './view/selected.ts'
import type { FlagState } from './view/shared-mailbox.ts'
import type { Msn } from './view/uid-list.ts'

/** `flags`: those of messages that changed are told too. */
export function tell(session: Session, selected: Selected, change: ViewChange, flags = true): void {
  const { out } = session
  tellExpunged(session, change.expunged, change.expungedMsns)
  if (change.keywords.length > selected.keywords) tellKeywords(session, selected, change.keywords)
  if (change.exists !== undefined) {
    out.untagged(`${change.exists} EXISTS`)
    if (!session.rev2) out.untagged(`${selected.recent} RECENT`)
  }
  if (flags) for (const message of change.changed) tellFlags(session, selected, message)
}

/** VANISHED to those who enabled it (QR-27); else EXPUNGE, from the last on: each MSN is still right then (UR-04). */
export function tellExpunged(session: Session, uids: UidSet, msns: readonly Msn[]): void {
  if (uids.length === 0) return
  if (session.qresync) {
    session.out.untagged(`VANISHED ${numberSetOf(uids)}`)
    if (session.selected) session.selected.owesModSeq = true
  } else for (let i = msns.length - 1; i >= 0; i--) session.out.untagged(`${msns[i]} EXPUNGE`)
}

/** UID always (UR-18), MODSEQ for those who know it (QR-05, QR-07). */
export function tellFlags(session: Session, selected: Selected, message: FlagState): void {
  const msn = selected.uids.msnOf(message.uid)
  if (msn === 0) return
  const modSeq = session.condstore ? ` MODSEQ (${message.modSeq})` : ''
  session.out.untagged(
    `${msn} FETCH (UID ${message.uid} FLAGS (${flagText(session, selected, message)})${modSeq})`,
  )
}

export const flagText = (
  session: Session,
  selected: Selected,
  message: { readonly uid: number; readonly flags: readonly string[] },
): string => {
  const flags = message.flags.join(' ')
  if (session.rev2 || !selected.isRecent(message.uid)) return flags
  return flags === '' ? '\\Recent' : `\\Recent ${flags}`
}

const systemFlags = '\\Answered \\Flagged \\Deleted \\Seen \\Draft'

/** FLAGS and PERMANENTFLAGS: new keywords are named before a FETCH shows them (SE-06, SE-07). */
export function tellKeywords(session: Session, selected: Selected, keywords: readonly string[]): void {
  const names = [systemFlags, ...keywords].join(' ')
  session.out.untagged(`FLAGS (${names})`)
  session.out.untagged(
    selected.readOnly
      ? 'OK [PERMANENTFLAGS ()] None'
      : `OK [PERMANENTFLAGS (${names}${keywords.length < maxKeywords ? ' \\*' : ''})] Kept`,
  )
  selected.keywords = keywords.length
}
