/** Extensions that are one or two data items: SAVEDATE, STATUS=SIZE, BINARY, UNAUTHENTICATE. */
import { dateTime } from '../../wire/imap/encode.ts'
import { bad, command, noArguments, ok } from '../command.ts'
import type { Extension } from '../extension.ts'
import { binaryItem, binaryPeekItem, binarySizeItem } from '../fetch/binary-item.ts'
import { textItem } from '../fetch/item.ts'
import { statusItem } from '../status-item.ts'

export const savedate: Extension = {
  capability: 'SAVEDATE',
  source: 'RFC 8514',
  fetchItems: { SAVEDATE: () => ({ ...textItem('SAVEDATE', (m) => dateTime(m.savedAt)), whole: true }) },
}

export const statusSize: Extension = {
  capability: 'STATUS=SIZE',
  source: 'RFC 8438',
  statusItems: { SIZE: statusItem((m) => String(m.octets)) },
}

export const binary: Extension = {
  capability: 'BINARY',
  source: 'RFC 3516',
  fetchItems: {
    BINARY: binaryItem,
    'BINARY.PEEK': binaryPeekItem,
    'BINARY.SIZE': binarySizeItem,
  },
}

const unauthenticateCommand = command({
  name: 'UNAUTHENTICATE',
  source: 'RFC 8437 §3',
  states: ['authenticated', 'selected'],
  parse: noArguments,
  run(_, session) {
    // RFC 8437 §3 asks for a switch (UN-06).
    if (!session.services.mayUnauthenticate) return bad('unknown command')
    // TLS stays; all that was the user's goes (UN-01, UN-03, UN-05).
    session.loggedOut()
    session.afterAnswer(() => {
      session.out.flush()
      session.channel.endCompression()
    })
    return ok('UNAUTHENTICATE completed')
  },
})

export const unauthenticate: Extension = {
  capability: (session) => (session.services.mayUnauthenticate ? ['UNAUTHENTICATE'] : []),
  title: 'UNAUTHENTICATE',
  source: 'RFC 8437',
  commands: [unauthenticateCommand],
}
