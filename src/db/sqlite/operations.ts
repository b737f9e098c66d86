/** The operations of the mailbox store by name. */
import { Fault } from '../../model/fault.ts'
import type { OperationResult } from '../../store/store.ts'
import type { AccountWrite } from './account-write.ts'
import { changeFlags } from './flag-writes.ts'
import {
  createMailbox,
  deleteMailbox,
  renameMailbox,
  setSpecialUse,
  setSubscribed,
} from './mailbox-writes.ts'
import { append, copy, expunge, move } from './message-writes.ts'
import { accessKey, resetKeys, setMetadata } from './metadata-writes.ts'
import type { FlagsAnswer, OperationRow } from './requests.ts'

export function runOperation(write: AccountWrite, operation: OperationRow): OperationResult | FlagsAnswer {
  const { op } = operation
  switch (op) {
    case 'create':
      createMailbox(write, operation.name, operation.use ?? [])
      return { op }
    case 'rename':
      renameMailbox(write, operation.from, operation.to)
      return { op }
    case 'delete':
      deleteMailbox(write, operation.name)
      return { op }
    case 'subscribe':
      setSubscribed(write, operation.name, operation.subscribed)
      return { op }
    case 'append': {
      const { uidValidity } = write.selectable(operation.mailbox)
      return { op, uidValidity, uids: append(write, operation.mailbox, operation.messages, false) }
    }
    case 'copy':
      return { op, copied: copy(write, operation.from, operation.uids, operation.to) }
    case 'move':
      return { op, copied: move(write, operation.from, operation.uids, operation.to) }
    case 'flags':
      return changeFlags(write, operation.mailbox, operation.uids, operation.change)
    case 'expunge':
      return { op, uids: expunge(write, operation.mailbox, operation.uids, operation.onlyDeleted) }
    case 'claim-recent': {
      const box = write.selectable(operation.mailbox)
      const { firstRecent } = box
      box.firstRecent = box.uidNext
      return { op, firstRecent }
    }
    case 'special-use':
      setSpecialUse(write, operation.mailbox, operation.use, operation.take)
      return { op }
    case 'metadata':
      setMetadata(write, operation.mailbox, operation.entries)
      return { op }
    case 'quota':
      setQuota(write, operation.octets, operation.messages)
      return { op }
    case 'access-key':
      return { op, key: accessKey(write, operation.mailbox) }
    case 'reset-keys':
      resetKeys(write, operation.mailbox)
      return { op }
  }
}

function setQuota(write: AccountWrite, octets: number | undefined, messages: number | undefined): void {
  const { account } = write
  for (const limit of [octets, messages])
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0))
      throw new Fault('malformed', 'a limit is a whole number')
  if (octets !== account.limitOctets)
    write.tell({ kind: 'quota', state: 'changed', resource: 'octets', used: account.octets, limit: octets })
  if (messages !== account.limitMessages)
    write.tell({
      kind: 'quota',
      state: 'changed',
      resource: 'messages',
      used: account.messages,
      limit: messages,
    })
  account.limitOctets = octets
  account.limitMessages = messages
}
