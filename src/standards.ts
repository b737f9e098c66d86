/** What is spoken here, as the README's table prints it; the rows of IMAP come from its registry. */
import { createRegistry } from './imap/capabilities.ts'

export interface Standard {
  readonly specification: string
  readonly here: 'yes' | 'partly' | 'no'
  readonly what: string
}

const gateway: readonly Standard[] = [
  {
    specification: 'RFC 4356',
    here: 'yes',
    what: 'MMS and Internet mail, both ways, Tables 1 to 7: messages, delivery reports, read reports',
  },
  {
    specification: '3GPP TS 23.140, MM7',
    here: 'partly',
    what: 'DeliverReq, SubmitReq, DeliveryReportReq and ReadReplyReq in and out, CancelReq, ReplaceReq and their extended forms in, partial success, duplicates, status codes, faults, Basic and Digest',
  },
  {
    specification: '3GPP TS 23.140, MM4',
    here: 'yes',
    what: 'MM4_forward, MM4_delivery_report and MM4_read_reply_report, REQ and RES, in and out; a request without its answer is sent again after `mm4.ackTimeout` seconds (600), three times',
  },
  {
    specification: 'OMA MMS Encapsulation 1.0 to 1.3, MM1',
    here: 'partly',
    what: 'PDUs of sending, retrieving, notifying, reporting and forwarding read and written (`lemonade translate`); no listener for handsets',
  },
  {
    specification: 'RFC 5321, 1870, 2034, 2920, 3207, 6152',
    here: 'yes',
    what: 'SMTP with SIZE, ENHANCEDSTATUSCODES, PIPELINING, STARTTLS, 8BITMIME; MX side and relay',
  },
  {
    specification: 'RFC 3030',
    here: 'yes',
    what: 'CHUNKING and BINARYMIME, taken; towards next hops binary content is encoded without loss',
  },
  {
    specification: 'RFC 6531, 6532, 6533',
    here: 'yes',
    what: 'SMTPUTF8, where `smtputf8: true` switches it on: in and out, towards MM7, MM4 and mailboxes; reports with the address type utf-8',
  },
  {
    specification: 'RFC 2852, 3461',
    here: 'yes',
    what: 'DELIVERBY and DSN parameters, carried over to the MMS side',
  },
  {
    specification: 'RFC 3464, 6522, 8098',
    here: 'yes',
    what: 'DSN and MDN written, and read from every mailer; matched with the message that they are about',
  },
  {
    specification: 'RFC 4616, 5802, 7677, 9266, 7628, 4422',
    here: 'yes',
    what: 'SASL PLAIN, SCRAM-SHA-256 and -PLUS, OAUTHBEARER, EXTERNAL, and HT-SHA-256 with session tokens',
  },
  {
    specification: 'RFC 5550, message store',
    here: 'partly',
    what: 'the Lemonade profile: all of its IMAP extensions below, but for CONVERT (RFC 5259)',
  },
  {
    specification: 'RFC 6409, 4954, 8314',
    here: 'yes',
    what: 'message submission by authenticated users, over STARTTLS and implicit TLS; the same SASL mechanisms as IMAP',
  },
  {
    specification: 'RFC 4865',
    here: 'yes',
    what: 'FUTURERELEASE: messages that users submit are held as long as they ask',
  },
  {
    specification: 'RFC 4468',
    here: 'yes',
    what: "BURL with URLAUTH, and with plain URLs where the configuration says so; URLs of this program's own store only",
  },
  {
    specification: 'RFC 5550, submission',
    here: 'yes',
    what: 'the Lemonade profile: BURL imap, CHUNKING, BINARYMIME, DSN, SIZE and the others of its list',
  },
  { specification: 'RFC 5423, 5551', here: 'no', what: 'notifications to other servers' },
]

/** One row for each thing that a specification and a name make. */
export function standards(): readonly Standard[] {
  const rows = new Map<string, string[]>([['RFC 3501', ['IMAP4rev1']]])
  for (const { source, capability, title } of createRegistry().extensions) {
    const name = title ?? (typeof capability === 'string' ? capability : '')
    const [specification = source] = source.split(/ §|, /)
    if (name === '') continue
    rows.set(specification, [...(rows.get(specification) ?? []), name])
  }
  const number = (specification: string): number => Number(/\d+/.exec(specification)?.[0] ?? 0)
  const imap = [...rows]
    .sort(([a], [b]) => number(a) - number(b))
    .map(
      ([specification, names]): Standard => ({
        specification,
        here: 'yes',
        what: `IMAP: ${names.join(', ')}`,
      }),
    )
  return [...gateway, ...imap]
}

export const standardsTable = (): string =>
  [
    '| specification | here | what |',
    '|---|---|---|',
    ...standards().map(({ specification, here, what }) => `| ${specification} | ${here} | ${what} |`),
  ].join('\n')
