/** COMPRESS=DEFLATE (RFC 4978). */
import { compress as compressCommand } from '../commands/compress.ts'
import type { Extension } from '../extension.ts'

export const compress: Extension = {
  // Told as long as it can be switched on (RFC 4978 §3: once and no more).
  capability: (session) => (session.channel.compressed ? [] : ['COMPRESS=DEFLATE']),
  title: 'COMPRESS=DEFLATE',
  source: 'RFC 4978',
  commands: [compressCommand],
}
