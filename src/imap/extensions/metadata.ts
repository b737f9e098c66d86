/** METADATA (RFC 5464): annotations of mailboxes, and under "" of the account; FILTERS (RFC 5466) are some of them. */

import { getMetadata } from '../commands/getmetadata.ts'
import { setMetadata } from '../commands/setmetadata.ts'
import type { Extension } from '../extension.ts'
import { MetadataNews } from '../metadata-news.ts'

export const metadata: readonly Extension[] = [
  {
    capability: 'METADATA',
    source: 'RFC 5464',
    enable: 'METADATA',
    onEnable(session) {
      session.metadataNews ??= new MetadataNews(session)
      session.metadataNews.mailboxes = true
    },
    commands: [getMetadata, setMetadata],
  },
  // Said by METADATA already; ENABLE takes the name all the same (EB-04).
  {
    capability: '',
    source: 'RFC 5464 §4.1',
    enable: 'METADATA-SERVER',
    onEnable(session) {
      session.metadataNews ??= new MetadataNews(session)
    },
  },
  { capability: 'FILTERS', source: 'RFC 5466' },
]
