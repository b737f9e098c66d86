/** CATENATE (RFC 4469) and URL-PARTIAL (RFC 5550 §5.7.1): a message put together from pieces that the server has. */
import { collected, messageOf, sectionOctets } from '../../urlauth/section-octets.ts'
import { type CatenateSource, catenateSource } from '../../wire/imap/catenate-url.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { badUrlCode } from '../../wire/imap/url-encoding.ts'
import { no, type Reply } from '../command.ts'
import type { AppendData } from '../commands/append.ts'
import type { Extension } from '../extension.ts'
import { shownForm } from '../fetch/shown-form.ts'
import type { Session } from '../session.ts'

type Piece = { readonly octets: Uint8Array } | { readonly url: string }

const maxPieces = 1000

export const catenate: Extension = {
  capability: 'CATENATE',
  source: 'RFC 4469',
  appendData: { CATENATE: (input, session) => assembled(pieces(input, session)) },
}

export const urlPartial: Extension = { capability: 'URL-PARTIAL', source: 'RFC 5550 §5.7.1' }

function pieces(input: CommandInput, session: Session): Piece[] {
  const list: Piece[] = []
  input.expect('(')
  do {
    switch (input.word()) {
      case 'TEXT':
        list.push({ octets: input.sp().literal8().octets })
        break
      case 'UTF8':
        if (!session.utf8) input.fail('ENABLE UTF8=ACCEPT first')
        input.sp().expect('(')
        list.push({ octets: input.literal8().octets })
        input.expect(')')
        break
      case 'URL':
        list.push({ url: input.sp().astring() })
        break
      default:
        input.fail('TEXT or URL')
    }
    if (list.length > maxPieces) input.fail(`at most ${maxPieces} pieces`)
  } while (input.try(' '))
  input.expect(')')
  return list
}

const assembled =
  (list: readonly Piece[]): AppendData =>
  async (session) => {
    const { limits } = session.services
    const octets: Uint8Array[] = []
    let size = 0
    for (const piece of list) {
      let next: Uint8Array
      if ('octets' in piece) next = piece.octets
      else {
        const source = catenateSource(piece.url)
        const found = 'badUrl' in source ? undefined : await partOf(session, source)
        if (!found) return badUrl(piece.url)
        // Counted before it is read: many URLs of one large part cost nothing (CA-09).
        if (size + found.size > limits.messageOctets) return tooBig
        next = await collected(found)
      }
      size += next.length
      if (size > limits.messageOctets) return tooBig
      octets.push(next)
    }
    return octets
  }

const tooBig = no('the message is too large', 'TOOBIG')
/** Whatever the reason, one answer: what is not there and what may not be read look the same (CA-18). */
const badUrl = (url: string): Reply => no('a URL leads to nothing', badUrlCode(url))

async function partOf(session: Session, source: CatenateSource) {
  const { store } = session.services
  const message = await messageOf(store, session.user.id, source)
  return message && sectionOctets(store, message, source.section, source.partial, shownForm(message, session))
}
