/** SPECIAL-USE, CREATE-SPECIAL-USE (RFC 6154), LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819). LIST itself has them. */
import type { Extension } from '../extension.ts'

export const listExtensions: readonly Extension[] = [
  { capability: 'LIST-EXTENDED', source: 'RFC 5258' },
  { capability: 'LIST-STATUS', source: 'RFC 5819' },
  { capability: 'SPECIAL-USE', source: 'RFC 6154 §2' },
  { capability: 'CREATE-SPECIAL-USE', source: 'RFC 6154 §3' },
]
