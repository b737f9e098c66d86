/** PREVIEW (RFC 8970): the first words of a message, made once at delivery. */
import { unicodeString } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import type { Extension } from '../extension.ts'
import { type FetchItem, textItem } from '../fetch/item.ts'

function previewItem(input: CommandInput): FetchItem {
  // LAZY asks for nothing that is not ready: here it always is (PV-02).
  if (input.peekBehindSpace() === '(') {
    input.sp().expect('(')
    do if (input.word() !== 'LAZY') input.fail('LAZY')
    while (input.try(' '))
    input.expect(')')
  }
  return textItem('PREVIEW', (m, session) => unicodeString(m.digest.preview, session.utf8), ['preview'])
}

export const preview: Extension = {
  capability: 'PREVIEW',
  source: 'RFC 8970',
  fetchItems: { PREVIEW: previewItem },
}
