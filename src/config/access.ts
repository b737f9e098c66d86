/** Schema of who gets in and what they may then do: login, submission, URLAUTH, accounts. */
import { Type } from 'typebox'
import { Bool, Count, closed, Secret, Str } from './terms.ts'

/** OAUTHBEARER: access tokens are JWTs of this issuer for this audience (RFC 7628, RFC 9068). */
const OAuth = Type.Object(
  {
    /** A file, or an https URL (http on loopback only). */
    jwks: Type.String({ minLength: 1 }),
    issuer: Type.String({ minLength: 1 }),
    audience: Type.String({ minLength: 1 }),
    claim: Type.Optional(Type.String({ minLength: 1 })),
    scope: Type.Optional(Type.String({ pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$' })),
    openidConfiguration: Type.Optional(Type.String({ pattern: '^https://' })),
    clockSkewSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 600 })),
  },
  closed,
)

/** EXTERNAL: client certificates of this authority; `accounts`: rfc822Name to account address, where they differ. */
const External = Type.Object({ ca: Str, accounts: Type.Optional(Type.Record(Str, Str)) }, closed)

export const Auth = Type.Object(
  {
    allowPlaintext: Type.Union([Type.Literal('never'), Type.Literal('loopback'), Type.Literal('always')]),
    oauth: Type.Optional(OAuth),
    external: Type.Optional(External),
    /** IMAP connections may pass to another user without a new one (RFC 8437). Default true. */
    unauthenticate: Type.Optional(Bool),
    tokens: Type.Object({ lifetimeDays: Count, fullLoginDays: Count, clientsPerAccount: Count }, closed),
  },
  closed,
)

/** Who submits, and how (RFC 6409). */
export const Submission = Type.Object(
  {
    /** Nothing but STARTTLS before TLS (RFC 3207 §4). Default false. */
    tlsFirst: Type.Optional(Bool),
    minimumTls: Type.Optional(Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')])),
    /** FUTURERELEASE is offered (RFC 4865). Default true. */
    futureRelease: Type.Optional(Bool),
    /** Who the submission server is to URLs with `user+` access (RFC 4468 §3.3). Default 'submit'. */
    identity: Type.Optional(Type.String({ minLength: 1 })),
    /** BURL takes URLs without URLAUTH, too: of the user's own mailboxes. Default false. */
    plainUrls: Type.Optional(Bool),
    /** Account to more addresses, or `*@domain`, that it may send as; its own and its aliases count anyway. */
    senders: Type.Optional(
      Type.Record(Str, Type.Array(Type.String({ pattern: '^(\\*|[^@\\s]+)@[^@\\s]+$' }))),
    ),
  },
  closed,
)

/** URLs that stand for a message (RFC 4467): who may use them. */
export const UrlAuth = Type.Object(
  {
    /** Application ('submit', 'stream' ...) to the accounts that act for it (RFC 5593 §3.3). */
    applications: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z0-9]+$' }), Type.Array(Str))),
    open: Type.Optional(
      Type.Union([Type.Literal('never'), Type.Literal('expiring'), Type.Literal('always')]),
    ),
    hosts: Type.Optional(Type.Array(Str)),
    mechanismsInClear: Type.Optional(Bool),
    /** Where clients can have attachments played, the best first (RFC 5616 §3.2). */
    mediaServers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            uri: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9+.-]*:[!-;=?-~]+$', maxLength: 1000 }),
            stream: Type.Optional(Bool),
          },
          closed,
        ),
        { maxItems: 20 },
      ),
    ),
  },
  closed,
)

export const Accounts = Type.Array(
  Type.Object(
    {
      address: Type.String({ pattern: '^[^@\\s]+@[^@\\s]+$' }),
      password: Secret,
      /** What the account may hold, set at each start; absent: what was set before. */
      quota: Type.Optional(
        Type.Object({ octets: Type.Optional(Count), messages: Type.Optional(Count) }, closed),
      ),
    },
    closed,
  ),
)
