/** Messages of authenticated users: made complete, then accepted as any other mail (RFC 6409 §8). */
import { toMailDate } from '../mapping/times.ts'
import type { IdSource } from '../model/providers.ts'
import { asSubmitted } from '../wire/mime/submitted.ts'
import type { Acceptor } from './accept.ts'

export const createSubmitted =
  (acceptor: Pick<Acceptor, 'mail'>, ids: IdSource): Acceptor['mail'] =>
  async (envelope, pieces) => {
    const octets = pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)
    const complete = asSubmitted(octets, {
      messageId: () => ids.of(ids.queueId(), '').messageId(),
      date: () => toMailDate({ epoch: envelope.receivedAt, offsetMinutes: 0 }),
    })
    return acceptor.mail(envelope, [complete])
  }
