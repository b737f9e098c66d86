/** NOTIFY (RFC 5465). */
import { notify } from '../commands/notify.ts'
import type { Extension } from '../extension.ts'

export const notifyExtension: Extension = { capability: 'NOTIFY', source: 'RFC 5465', commands: [notify] }
