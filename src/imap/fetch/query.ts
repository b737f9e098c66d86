/** The modifiers of FETCH (RFC 4466 §2.4). */
import type { ModSeq } from '../../store/store.ts'

export interface FetchQuery {
  changedSince?: ModSeq
  vanished?: boolean
}
