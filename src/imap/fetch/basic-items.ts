/** The items that other commands add by themselves. */
import { flagText } from '../tell.ts'
import { type FetchItem, textItem } from './item.ts'

export const uidItem: FetchItem = textItem('UID', (m) => String(m.uid))
export const flagsItem: FetchItem = textItem(
  'FLAGS',
  (m, session) => `(${flagText(session, session.view, m)})`,
)
export const modSeqItem: FetchItem = {
  ...textItem('MODSEQ', (m) => `(${m.modSeq})`),
  condstore: true,
  whole: true,
}
