/** UTF8=ACCEPT (RFC 6855): UTF-8 in quoted strings, mailbox names and appended headers, once it is enabled. */
import type { Extension } from '../extension.ts'

export const utf8Accept: Extension = {
  capability: 'UTF8=ACCEPT',
  source: 'RFC 6855',
  enable: 'UTF8=ACCEPT',
  appendData: {
    UTF8(input, session) {
      // RFC 6855 §4: the wrapper is for those who enabled it.
      if (!session.utf8) input.fail('ENABLE UTF8=ACCEPT first')
      input.expect('(')
      const { octets } = input.literal8()
      input.expect(')')
      return async () => [octets]
    },
  },
}
