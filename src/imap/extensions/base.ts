/** Extensions that are one command, or only a name: what they do stands where RFC 3501 has its place. */

import { move } from '../commands/copy.ts'
import { uidExpunge } from '../commands/expunge.ts'
import { idle } from '../commands/idle.ts'
import { authCapabilities } from '../commands/login.ts'
import { replace } from '../commands/replace.ts'
import { unselect } from '../commands/select.ts'
import { enable, id, namespace } from '../commands/small-commands.ts'
import type { Extension } from '../extension.ts'

export const baseExtensions: readonly Extension[] = [
  { capability: 'LITERAL+', afterLogin: false, source: 'RFC 7888' },
  { capability: 'SASL-IR', afterLogin: false, source: 'RFC 4959' },
  { capability: 'ID', afterLogin: false, source: 'RFC 2971', commands: [id] },
  { capability: 'ENABLE', afterLogin: false, source: 'RFC 5161', commands: [enable] },
  { capability: 'IDLE', source: 'RFC 2177', commands: [idle] },
  { capability: 'NAMESPACE', source: 'RFC 2342', commands: [namespace] },
  { capability: 'UNSELECT', source: 'RFC 3691', commands: [unselect] },
  { capability: 'UIDPLUS', source: 'RFC 4315', commands: [uidExpunge] },
  { capability: 'MOVE', source: 'RFC 6851', commands: [move] },
  { capability: 'REPLACE', source: 'RFC 8508', commands: [replace] },
  { capability: 'MULTIAPPEND', source: 'RFC 3502' },
  { capability: 'CHILDREN', source: 'RFC 3348' },
  { capability: 'ESEARCH', source: 'RFC 4731' },
  { capability: 'SEARCHRES', source: 'RFC 5182' },
  { capability: 'WITHIN', source: 'RFC 5032' },
]

/** What depends on the channel: TLS, and passwords over it (ST-05, TL-03). */
export const channelExtensions: readonly Extension[] = [
  {
    capability: (session) =>
      !session.channel.encrypted && !session.account && session.services.secureContext ? ['STARTTLS'] : [],
    afterLogin: false,
    title: 'STARTTLS',
    source: 'RFC 3501 §6.2.1',
  },
  {
    capability: authCapabilities,
    afterLogin: false,
    title: 'AUTH=, LOGINDISABLED',
    source: 'RFC 3501 §6.2.2, §6.2.3',
  },
]
