/** Results that are kept up to date, and windows of results (RFC 5267 §4). */
import { cancelUpdate } from '../commands/cancelupdate.ts'
import type { Extension } from '../extension.ts'

export const contextExtensions: readonly Extension[] = [
  { capability: 'CONTEXT=SEARCH', source: 'RFC 5267 §4', commands: [cancelUpdate] },
  { capability: 'CONTEXT=SORT', source: 'RFC 5267 §4' },
]
