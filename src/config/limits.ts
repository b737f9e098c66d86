/** Schema of what may grow how far, and how long things may take. */
import { Type } from 'typebox'
import { Count, closed, Seconds } from './terms.ts'

/** Recipients a minute; what is absent has no limit (SEC-036). */
export const Rates = Type.Object(
  { perIp: Type.Optional(Count), perSender: Type.Optional(Count), perNumber: Type.Optional(Count) },
  closed,
)

export const Limits = Type.Object(
  {
    /** RFC822.SIZE has 32 bits for who speaks IMAP4rev1 (RFC 9051 App. D). */
    messageOctets: Type.Integer({ minimum: 1, maximum: 4_294_967_295 }),
    xmlOctets: Count,
    httpHeaderOctets: Count,
    drainSeconds: Seconds,
    settledHours: Count,
    /** Of what was settled the content goes after this; a day at the most (SEC-052). */
    contentHours: Type.Integer({ minimum: 0, maximum: 23 }),
    queueEntries: Count,
    queueOctets: Count,
    queueAgeHours: Count,
    freeOctets: Type.Integer({ minimum: 0 }),
    connections: Count,
    connectionsPerIp: Count,
    recipients: Count,
    smtpCommandSeconds: Seconds,
    smtpDataSeconds: Seconds,
    mm7RequestSeconds: Seconds,
    imapIdleSeconds: Seconds,
    imapPreAuthSeconds: Seconds,
    imapLineOctets: Count,
    /** Of literals and answers of all IMAP sessions, in memory. */
    imapHeldOctets: Count,
    imapConnectionsPerUser: Count,
    submissionConnectionsPerUser: Count,
    /** The least time that BY with R may ask for (RFC 2852 §2); absent: any. */
    deliverBySeconds: Type.Optional(Count),
    /** The longest hold of FUTURERELEASE, and how many messages may be held, of one user and of all. */
    holdSeconds: Type.Integer({ minimum: 1, maximum: 999_999_999 }),
    holdsPerUser: Count,
    holds: Count,
    /** How long the store may take for one URL of BURL, and how often a user may use one URL in an hour. */
    burlSeconds: Count,
    burlUsesPerHour: Count,
    deliveriesAtOnce: Count,
    deliveriesPerPeer: Count,
  },
  closed,
)
