/** The configuration file (YAML): schema, defaults, and errors that name file, path and what was expected. */
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { type Static, Type } from 'typebox'
import { parse, YAMLParseError } from 'yaml'
import { crossCheck } from './config-checks.ts'
import { Fault } from './model/fault.ts'
import type { Settings } from './model/settings.ts'

const closed = { additionalProperties: false }
const Str = Type.String()
const Bool = Type.Boolean()
const Count = Type.Integer({ minimum: 1 })
/** Timers hold 31 bits of milliseconds: a longer one would fire at once. */
const Seconds = Type.Integer({ minimum: 1, maximum: 2_147_483 })
const Secret = Type.String({ minLength: 1 })
const Listen = Type.String({ pattern: '^(\\[[0-9a-fA-F:]+\\]|[^:\\s]+):\\d{1,5}$' })

const Peer = Type.Object(
  {
    interface: Type.Union([Type.Literal('mm7'), Type.Literal('mm4'), Type.Literal('smtp')]),
    role: Type.Optional(Type.Union([Type.Literal('rs'), Type.Literal('vasp')])),
    host: Type.Optional(Str),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    ip: Type.Optional(Str),
    allow: Type.Optional(Type.Array(Str, { minItems: 1 })),
    certificate: Type.Optional(Type.String({ pattern: '^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$' })),
    url: Type.Optional(Type.String({ pattern: '^https?://' })),
    schema: Type.Optional(Str),
    version: Type.Optional(Str),
    vaspId: Type.Optional(Str),
    vasId: Type.Optional(Str),
    vaspIds: Type.Optional(Type.Array(Str)),
    senders: Type.Optional(Type.Array(Str)),
    supportsDeliveryReport: Type.Optional(Bool),
    maxSize: Type.Optional(Count),
    maxRecipients: Type.Optional(Count),
    maxConnections: Type.Optional(Count),
    numberFormat: Type.Optional(Type.Union([Type.Literal('plus'), Type.Literal('plain')])),
    mailOut: Type.Optional(Bool),
    auth: Type.Optional(
      Type.Object(
        {
          scheme: Type.Union(['basic', 'digest', 'bearer', 'url'].map((s) => Type.Literal(s))),
          user: Secret,
          realm: Type.Optional(Str),
          password: Type.Optional(Secret),
        },
        closed,
      ),
    ),
    login: Type.Optional(
      Type.Object({ user: Secret, password: Secret, scheme: Type.Optional(Type.Literal('bearer')) }, closed),
    ),
    tls: Type.Optional(
      Type.Union([
        Type.Literal('never'),
        Type.Literal('opportunistic'),
        Type.Literal('required'),
        Type.Literal('implicit'),
      ]),
    ),
    emitContentClass: Type.Optional(Bool),
    senderPolicy: Type.Optional(Type.Union([Type.Literal('any'), Type.Literal('shortcode')])),
    senderAddress: Type.Optional(Str),
    askFailures: Type.Optional(Bool),
    countSubject: Type.Optional(Bool),
    soapPrefix: Type.Optional(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9._-]{0,30}$' })),
    bodyPrefix: Type.Optional(Type.String({ pattern: '^([A-Za-z_][A-Za-z0-9._-]{0,30})?$' })),
    emptyAnswerAccepts: Type.Optional(Bool),
    dropFields: Type.Optional(Type.Array(Type.String({ pattern: '^[!-)+-9;-~]+\\*?$' }))),
    extendedOperations: Type.Optional(Bool),
    strictLinkedId: Type.Optional(Bool),
    serviceCode: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,100}$' })),
    messagesPerMinute: Type.Optional(Count),
    ackRequest: Type.Optional(Bool),
    numbers: Type.Optional(Type.Array(Type.String({ pattern: '^\\+\\d+$' }))),
  },
  closed,
)

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

const targetPattern =
  '^(store|mx|by-number|reject(:\\d{3})?|(smtp|mm7-submit|mm7-deliver|mm4):[A-Za-z0-9._-]+)$'
const matchPattern = '^(number:\\+?\\d*|shortcode:\\d+|domain:\\S+|address:\\S+)$'

const Config = Type.Object(
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
    auth: Type.Object(
      {
        allowPlaintext: Type.Union([Type.Literal('never'), Type.Literal('loopback'), Type.Literal('always')]),
        oauth: Type.Optional(OAuth),
        external: Type.Optional(External),
        /** IMAP connections may pass to another user without a new one (RFC 8437). Default true. */
        unauthenticate: Type.Optional(Bool),
        tokens: Type.Object({ lifetimeDays: Count, fullLoginDays: Count, clientsPerAccount: Count }, closed),
      },
      closed,
    ),
    /** Who submits, and how (RFC 6409). */
    submission: Type.Optional(
      Type.Object(
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
      ),
    ),
    /** URLs that stand for a message (RFC 4467): who may use them. */
    urlauth: Type.Optional(
      Type.Object(
        {
          /** Application ('submit', 'stream' ...) to the accounts that act for it (RFC 5593 §3.3). */
          applications: Type.Optional(
            Type.Record(Type.String({ pattern: '^[A-Za-z0-9]+$' }), Type.Array(Str)),
          ),
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
      ),
    ),
    accounts: Type.Array(
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
    ),
    /** Recipients a minute; what is absent has no limit (SEC-036). */
    rates: Type.Object(
      { perIp: Type.Optional(Count), perSender: Type.Optional(Count), perNumber: Type.Optional(Count) },
      closed,
    ),
    /** Who had which message: kept apart from logs (SEC-051). `full` shows numbers and addresses whole. */
    audit: Type.Object(
      {
        enabled: Bool,
        keepDays: Count,
        numbers: Type.Union([Type.Literal('masked'), Type.Literal('full')]),
      },
      closed,
    ),
    limits: Type.Object(
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
    ),
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

/** What `lemonade serve` runs with when no file is given: everything on loopback, data in ./data. */
export const defaults: Config = {
  gateway: {
    host: 'localhost.localdomain',
    mmsDomain: 'mms.example.net',
    servedDomains: ['mms.example.net', 'example.net'],
    postmaster: 'postmaster@mms.example.net',
    mm4System: 'system-user@mms.example.net',
    mm4Version: '6.3.0',
  },
  numbering: {
    countryCode: '1',
    trunkPrefix: '',
    nationalLength: 10,
    internationalPrefixes: ['011', '00'],
    shortCode: { min: 3, max: 6 },
  },
  peers: {
    mmsc: {
      interface: 'mm7',
      role: 'rs',
      host: 'localhost',
      ip: '127.0.0.1',
      url: 'http://127.0.0.1:8081/mm7',
      schema: 'REL-6-MM7-1-4',
      version: '6.8.0',
      vaspId: 'gateway',
      vasId: 'mail2mms',
      maxSize: 614_400,
      mailOut: true,
    },
  },
  routes: [
    { match: 'domain:example.net', to: 'store' },
    { match: 'number:+', to: 'mm7-submit:mmsc' },
    { match: 'domain:mms.example.net', to: 'by-number' },
    { match: 'domain:*', to: 'mx' },
  ],
  presentation: 'preserve',
  trace: { showIp: true },
  reports: { rejectedAction: 'table4', deliverUnmatched: false },
  expiry: { strict: false },
  smtputf8: false,
  criticality: 'relaxed',
  listen: {
    mm7: '127.0.0.1:8080',
    smtp: '127.0.0.1:2525',
    submission: '127.0.0.1:1587',
    imap: '127.0.0.1:1143',
    admin: '127.0.0.1:8090',
  },
  store: 'sqlite:./data',
  auth: {
    allowPlaintext: 'loopback',
    tokens: { lifetimeDays: 14, fullLoginDays: 90, clientsPerAccount: 10 },
  },
  accounts: [{ address: 'alice@example.net', password: 'secret' }],
  rates: {},
  audit: { enabled: true, keepDays: 92, numbers: 'masked' },
  limits: {
    messageOctets: 52_428_800,
    xmlOctets: 262_144,
    httpHeaderOctets: 16_384,
    drainSeconds: 10,
    settledHours: 336,
    contentHours: 1,
    queueEntries: 200_000,
    queueOctets: 53_687_091_200,
    queueAgeHours: 240,
    freeOctets: 67_108_864,
    connections: 1000,
    connectionsPerIp: 200,
    recipients: 100,
    smtpCommandSeconds: 300,
    smtpDataSeconds: 180,
    mm7RequestSeconds: 60,
    imapIdleSeconds: 1800,
    imapPreAuthSeconds: 60,
    imapLineOctets: 65_536,
    imapHeldOctets: 268_435_456,
    imapConnectionsPerUser: 50,
    submissionConnectionsPerUser: 20,
    holdSeconds: 604_800,
    holdsPerUser: 100,
    holds: 10_000,
    burlSeconds: 60,
    burlUsesPerHour: 100,
    deliveriesAtOnce: 64,
    deliveriesPerPeer: 16,
  },
  log: 'info',
}

const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(Config)

/**
 * Defaults with the file merged in: objects deeply, lists and scalars replace. `peers`, `routes` and `accounts` of the
 * file replace the defaults whole.
 * @throws Fault 'malformed' whose text names file, path and what was expected, one line each
 */
export function loadConfig(file: string | undefined): Config {
  if (file === undefined) return defaults
  let raw: unknown
  try {
    raw = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const why = error instanceof YAMLParseError ? error.message : (error as Error).message
    throw new Fault('malformed', `${file}: ${why}`)
  }
  return checkConfig(raw ?? {}, file)
}

export function checkConfig(raw: unknown, file: string): Config {
  const listen = listenersFor(raw)
  const merged = merge({ ...defaults, ...waysFor(raw), listen, accounts: [] }, raw)
  if (!validate(merged)) {
    const lines = (validate.errors ?? []).map((e) => {
      const extra = e.params as { additionalProperty?: string; allowedValue?: unknown }
      const path = [
        ...e.instancePath.split('/').slice(1),
        ...(extra.additionalProperty ? [extra.additionalProperty] : []),
      ].join('.')
      return `${file}: ${path || '(top)'}: ${e.message ?? 'is wrong'}${extra.allowedValue === undefined ? '' : ` (${String(extra.allowedValue)})`}`
    })
    throw new Fault('malformed', [...new Set(lines)].join('\n'))
  }
  const config = merged as Config
  const problems = crossCheck(config)
  if (problems.length > 0) throw new Fault('malformed', problems.map((p) => `${file}: ${p}`).join('\n'))
  return config
}

/** Where the file names listeners, one that need not be there is there only if it names it. */
function listenersFor(raw: unknown): Config['listen'] {
  if (!isPlain(raw) || raw.listen === undefined) return defaults.listen
  const { submission: _, ...needed } = defaults.listen
  return needed
}

/** Default peers where the file tells of no way at all; default routes as far as their peers exist. */
function waysFor(raw: unknown): Pick<Config, 'peers' | 'routes'> {
  const given = isPlain(raw) ? raw : {}
  if (given.peers === undefined && given.routes === undefined)
    return { peers: defaults.peers, routes: defaults.routes }
  const peers = isPlain(given.peers) ? Object.keys(given.peers) : []
  const exists = ({ to }: Config['routes'][number]): boolean => {
    const [, peer] = to.split(':')
    return peer === undefined || peers.includes(peer)
  }
  return { peers: {}, routes: defaults.routes.filter(exists) }
}

function merge(base: unknown, over: unknown): unknown {
  if (!isPlain(base) || !isPlain(over)) return over === undefined ? base : over
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over))
    result[key] = key === 'peers' ? value : merge(base[key], value)
  return result
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** '127.0.0.1:8080', '[::1]:25'. */
export function hostPort(listen: string): { host: string; port: number } {
  const colon = listen.lastIndexOf(':')
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) }
}

/** The folder that `store` names. */
export const storeFolder = (store: string): string => store.slice('sqlite:'.length)
