/** MULTISEARCH (RFC 7377). */
import { esearch } from '../commands/esearch.ts'
import type { Extension } from '../extension.ts'

export const multisearch: Extension = { capability: 'MULTISEARCH', source: 'RFC 7377', commands: [esearch] }
