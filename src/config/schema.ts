/** Schema of the whole configuration. */
import { type Static, Type } from 'typebox'
import type { Settings } from '../model/settings.ts'
import { Accounts, Auth, Submission, UrlAuth } from './access.ts'
import { Limits, Rates } from './limits.ts'
import { Peer } from './peer.ts'
import { Bool, Count, closed, Listen, Seconds, Str } from './terms.ts'

const targetPattern =
  '^(store|mx|by-number|reject(:\\d{3})?|(smtp|mm7-submit|mm7-deliver|mm4):[A-Za-z0-9._-]+)$'
const matchPattern = '^(number:\\+?\\d*|shortcode:\\d+|domain:\\S+|address:\\S+)$'

export const Config = Type.Object(
  {
    gateway: Type.Object(
      {
        host: Str,
        mmsDomain: Str,
        servedDomains: Type.Array(Str),
        postmaster: Str,
        mm4System: Str,
        mm4Version: Str,
      },
      closed,
    ),
    numbering: Type.Object(
      {
        countryCode: Type.String({ pattern: '^\\d{1,3}$' }),
        trunkPrefix: Type.String({ pattern: '^\\d*$' }),
        nationalLength: Type.Integer({ minimum: 4, maximum: 14 }),
        internationalPrefixes: Type.Array(Type.String({ pattern: '^\\d+$' })),
        shortCode: Type.Object({ min: Count, max: Count }, closed),
      },
      closed,
    ),
    peers: Type.Record(Str, Peer),
    routes: Type.Array(
      Type.Object(
        { match: Type.String({ pattern: matchPattern }), to: Type.String({ pattern: targetPattern }) },
        closed,
      ),
    ),
    presentation: Type.Union([Type.Literal('preserve'), Type.Literal('mixed')]),
    trace: Type.Object({ showIp: Bool }, closed),
    reports: Type.Object(
      {
        rejectedAction: Type.Union([Type.Literal('table4'), Type.Literal('failed')]),
        deliverUnmatched: Bool,
        keepDays: Type.Optional(Count),
        keepReadDays: Type.Optional(Count),
      },
      closed,
    ),
    expiry: Type.Object({ strict: Bool }, closed),
    smtputf8: Bool,
    criticality: Type.Union([Type.Literal('relaxed'), Type.Literal('strict')]),
    mm4: Type.Optional(Type.Object({ ackTimeout: Seconds }, closed)),
    stripSignature: Type.Optional(Bool),
    resent: Type.Optional(Type.Object({ inferTo: Bool }, closed)),
    mdn: Type.Optional(Type.Object({ allowForeignTarget: Bool }, closed)),
    aliases: Type.Optional(Type.Record(Str, Str)),
    subaddressing: Type.Optional(Bool),
    listen: Type.Object(
      {
        mm7: Listen,
        /** The same over TLS. */
        mm7s: Type.Optional(Listen),
        smtp: Listen,
        /** Where handsets submit: STARTTLS; submissions: implicit TLS (RFC 6409, RFC 8314 §3.3). */
        submission: Type.Optional(Listen),
        submissions: Type.Optional(Listen),
        imap: Listen,
        imaps: Type.Optional(Listen),
        admin: Listen,
      },
      closed,
    ),
    store: Type.String({ pattern: '^sqlite:.+' }),
    tls: Type.Optional(Type.Object({ cert: Str, key: Str }, closed)),
    auth: Auth,
    submission: Type.Optional(Submission),
    urlauth: Type.Optional(UrlAuth),
    accounts: Accounts,
    rates: Rates,
    /** Who had which message: kept apart from logs (SEC-051). `full` shows numbers and addresses whole. */
    audit: Type.Object(
      {
        enabled: Bool,
        keepDays: Count,
        numbers: Type.Union([Type.Literal('masked'), Type.Literal('full')]),
      },
      closed,
    ),
    limits: Limits,
    log: Type.Union([
      Type.Literal('debug'),
      Type.Literal('info'),
      Type.Literal('warn'),
      Type.Literal('error'),
      Type.Literal('silent'),
    ]),
  },
  closed,
)

export type Config = Static<typeof Config> & Settings
