/** Writes what a move of the view has to tell: the one place that sends EXPUNGE, VANISHED, EXISTS and unasked FETCH. */
import { numberSetOf } from '../wire/imap/encode.ts'
import type { Session } from './session.ts'
import type { Selected, ViewChange } from './view/selected.ts'
import type { FlagState } from './view/shared-mailbox.ts'

export function tell(session: Session, selected: Selected, change: ViewChange): void {
  const { out } = session
  if (change.expunged.length > 0) {
    if (session.qresync) out.untagged(`VANISHED ${numberSetOf(change.expunged)}`)
    // From the last on, each MSN is still right when it is told (UR-04).
    else
      for (let i = change.expungedMsns.length - 1; i >= 0; i--)
        out.untagged(`${change.expungedMsns[i]} EXPUNGE`)
  }
  if (change.keywords.length > selected.keywords) tellKeywords(session, selected, change.keywords)
  if (change.exists !== undefined) {
    out.untagged(`${change.exists} EXISTS`)
    if (!session.rev2) out.untagged(`${selected.recent} RECENT`)
  }
  for (const message of change.changed) tellFlags(session, selected, message)
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
      ? 'OK [PERMANENTFLAGS ()] Nothing can be changed'
      : `OK [PERMANENTFLAGS (${names}${keywords.length < maxKeywords ? ' \\*' : ''})] Flags are kept`,
  )
  selected.keywords = keywords.length
}

/** As the store has it (SE-18). */
const maxKeywords = 200
