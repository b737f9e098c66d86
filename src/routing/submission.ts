/** Messages of authenticated users: made complete, then accepted by the way that all mail goes (RFC 6409 §8). */
import { mailParty } from '../mapping/addresses.ts'
import { toMailDate } from '../mapping/times.ts'
import type { IdSource } from '../model/providers.ts'
import { isRefusal, refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import { asSubmitted } from '../wire/mime/submitted.ts'
import type { Acceptor } from './accept.ts'

export function createSubmitted(
  acceptor: Pick<Acceptor, 'mail' | 'ways'>,
  ids: IdSource,
  settings: Settings,
  /** Whether a message of so many octets is within the account's quota. */
  hasRoom: (account: string, octets: number) => Promise<boolean>,
): Acceptor['mail'] {
  /** Nobody can take it: told now, not by a report in some days (RFC 4468 §6). */
  async function isFullForAll({ rcptTo }: SmtpEnvelope, octets: number): Promise<boolean> {
    for (const { path } of rcptTo) {
      const party = mailParty(path, settings)
      const way = isRefusal(party) ? party : await acceptor.ways.of(party, { peer: null, relay: true })
      if (isRefusal(way) || way.account === undefined || (await hasRoom(way.account, octets))) return false
    }
    return true
  }

  return async (envelope, pieces) => {
    const octets = pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)
    if (await isFullForAll(envelope, octets.length)) return refusal('mailbox-full', 'The mailbox is full')
    const complete = asSubmitted(octets, {
      messageId: () => ids.of(ids.queueId(), '').messageId(),
      date: () => toMailDate({ epoch: envelope.receivedAt, offsetMinutes: 0 }),
    })
    return acceptor.mail(envelope, [complete])
  }
}
