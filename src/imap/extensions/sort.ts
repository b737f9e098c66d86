/** SORT and THREAD (RFC 5256), display names as sort keys (RFC 5957), return options of SORT (RFC 5267 §3). */
import { sort } from '../commands/sort.ts'
import { thread } from '../commands/thread.ts'
import type { Extension } from '../extension.ts'

export const sortExtensions: readonly Extension[] = [
  { capability: 'SORT', source: 'RFC 5256 §3', commands: [sort] },
  { capability: 'SORT=DISPLAY', source: 'RFC 5957' },
  {
    capability: () => ['THREAD=ORDEREDSUBJECT', 'THREAD=REFERENCES'],
    title: 'THREAD=ORDEREDSUBJECT, THREAD=REFERENCES',
    source: 'RFC 5256 §3',
    commands: [thread],
  },
  { capability: 'ESORT', source: 'RFC 5267 §3' },
]
