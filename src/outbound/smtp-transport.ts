/**
 * SMTP towards next hops, over nodemailer's connection. In one thin place, the two command lines, it is given the ESMTP
 * parameters it does not know (BY, NOTIFY and ORCPT of each recipient; RFC 2852, RFC 3461).
 */
import { Readable } from 'node:stream'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { EnvelopePath } from '../model/smtp-envelope.ts'
import type {
  OutgoingEnvelope,
  SmtpConversation,
  SmtpHop,
  SmtpReplyLine,
  SmtpSent,
  SmtpTransport,
} from './transports.ts'

export interface SmtpTransportOptions {
  /** Our name in EHLO. */
  readonly host: string
  /** Wait for TCP; default 30 seconds. */
  readonly connectMs?: number
  /** Wait for the greeting; default 5 minutes, which RFC 5321 §4.5.3.2.1 asks. */
  readonly greetingMs?: number
  /** Wait for a reply; default 10 minutes, the longest that RFC 5321 §4.5.3.2 asks of any (the end of data). */
  readonly replyMs?: number
  /** From connecting to the last reply, however slowly they drip; default one hour. */
  readonly wholeMs?: number
}

/** The parts of nodemailer's connection that are not in its types. */
interface Opened {
  _ehloLines?: string[]
  _socket?: { readonly connecting: boolean } | false
  _sendCommand(line: string, logged?: string): void
}

/** A refused command as nodemailer tells it. */
interface Refused extends Error {
  readonly response?: string
  readonly responseCode?: number
  readonly recipient?: string
  readonly rejectedErrors?: readonly Refused[]
  readonly command?: string
}

export function createSmtpTransport(options: SmtpTransportOptions): SmtpTransport {
  const open = new Set<SMTPConnection>()
  return {
    async open(hop, signal) {
      const connection = connect(hop, options)
      open.add(connection)
      connection.once('end', () => open.delete(connection))
      const stop = (): void => connection.close()
      signal.addEventListener('abort', stop, { once: true })
      const late = setTimeout(stop, options.wholeMs ?? 3_600_000)
      // A host that is not there is left sooner than one that takes its time to greet.
      const absent = setTimeout(() => {
        const { _socket: socket } = connection as unknown as Opened
        if (!socket || socket.connecting) stop()
      }, options.connectMs ?? 30_000)
      connection.once('end', () => {
        clearTimeout(late)
        clearTimeout(absent)
        signal.removeEventListener('abort', stop)
      })
      // A host that hangs up before it greets ends here with an error, not as a connection (QUE-013).
      await settled<void>(connection, (resolve, reject) =>
        connection.connect((error?: Error | null) => (error ? reject(error) : resolve())),
      )
      const { login } = hop
      if (login)
        await settled<void>(connection, (resolve, reject) =>
          connection.login(
            {
              user: login.user,
              pass: login.password,
              credentials: { user: login.user, pass: login.password },
            } as never,
            (error) => (error ? reject(error) : resolve()),
          ),
        )
      return conversation(connection, hop)
    },
    async close() {
      for (const connection of open) connection.close()
    },
  }
}

function connect(hop: SmtpHop, options: SmtpTransportOptions): SMTPConnection {
  const policy = hop.tls ?? 'opportunistic'
  return new SMTPConnection({
    host: hop.host,
    port: hop.port ?? 25,
    name: options.host,
    secure: policy === 'implicit',
    ignoreTLS: policy === 'never',
    requireTLS: policy === 'required',
    opportunisticTLS: policy === 'opportunistic',
    // Between mail servers a name on a certificate proves nothing without MTA-STS or DANE; encryption is taken as it comes.
    tls: { rejectUnauthorized: policy === 'required' || policy === 'implicit', minVersion: 'TLSv1.2' },
    // Of the whole until the greeting is there.
    connectionTimeout: (options.connectMs ?? 30_000) + (options.greetingMs ?? 300_000),
    greetingTimeout: options.greetingMs ?? 300_000,
    socketTimeout: options.replyMs ?? 600_000,
    logger: false,
  } as ConstructorParameters<typeof SMTPConnection>[0])
}

/** Errors and an early end of the connection reject, whatever it was doing. */
function settled<T>(
  connection: SMTPConnection,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const lost = (): void => finish(() => reject(new Error('the connection was closed')))
    const failed = (error: Error): void => finish(() => reject(error))
    const finish = (then: () => void): void => {
      connection.off('error', failed)
      connection.off('end', lost)
      // A later error of the socket must not end the process.
      connection.on('error', () => {})
      then()
    }
    connection.once('error', failed)
    connection.once('end', lost)
    start(
      (value) => finish(() => resolve(value)),
      (error) => finish(() => reject(error)),
    )
  })
}

function conversation(connection: SMTPConnection, hop: SmtpHop): SmtpConversation {
  const internals = connection as unknown as Opened
  const extensions = new Map(
    (internals._ehloLines ?? []).map((line): [string, string] => {
      const [keyword = '', ...rest] = line.split(/[\s=]+/)
      return [keyword.toUpperCase(), rest.join(' ')]
    }),
  )
  return {
    extensions,
    remoteMta: hop.host,
    async send(envelope, octets) {
      withParameters(internals, envelope)
      const message = Readable.from(
        octets.map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.length)),
      )
      const addresses = { from: envelope.mailFrom.path ?? '', to: envelope.rcptTo.map((r) => r.path) }
      try {
        const info = await settled<SMTPConnection.SentMessageInfo>(connection, (resolve, reject) =>
          connection.send(addresses, message, (error, done) => (error ? reject(error) : resolve(done))),
        )
        const refused = (info.rejectedErrors ?? []) as readonly Refused[]
        return sentTo(envelope, refused, lineOf(info.response, 250))
      } catch (error) {
        return replied(envelope, error as Refused)
      }
    },
    quit() {
      connection.quit()
    },
  }
}

/** Puts the parameters behind the address, where nodemailer's own would stand. */
function withParameters(connection: Opened, envelope: OutgoingEnvelope): void {
  const send = Object.getPrototypeOf(connection)._sendCommand as Opened['_sendCommand']
  let next = 0
  connection._sendCommand = function (line, logged) {
    if (line.startsWith('MAIL FROM:<'))
      return send.call(this, `MAIL FROM:<${envelope.mailFrom.path ?? ''}>${suffix(envelope.mailFrom)}`)
    const recipient = line.startsWith('RCPT TO:<') ? envelope.rcptTo[next++] : undefined
    return send.call(
      this,
      recipient ? `RCPT TO:<${recipient.path}>${suffix(recipient)}` : line,
      recipient ? undefined : logged,
    )
  }
}

const suffix = ({ params }: EnvelopePath): string =>
  Object.entries(params)
    .map(([keyword, value]) => ` ${keyword}${value === '' ? '' : `=${value}`}`)
    .join('')

function lineOf(response: string | undefined, fallback: number): SmtpReplyLine {
  const match = /^(\d{3})[ -](?:(\d\.\d{1,3}\.\d{1,3})\s+)?([\s\S]*)$/.exec(response ?? '')
  if (!match) return { code: fallback, enhanced: '', text: response ?? '' }
  // Of several lines the codes of the first speak for all.
  const text = (match[3] ?? '').replace(/\r?\n\d{3}[ -](?:\d\.\d{1,3}\.\d{1,3}\s+)?/g, ' ').trim()
  return { code: Number(match[1]), enhanced: match[2] ?? '', text }
}

function sentTo(
  envelope: OutgoingEnvelope,
  refused: readonly Refused[],
  final: SmtpReplyLine | undefined,
): SmtpSent {
  return {
    recipients: envelope.rcptTo.map(({ path }) => {
      const error = refused.find((r) => r.recipient === path)
      return error
        ? { path, accepted: false, ...lineOf(error.response, 550) }
        : { path, accepted: true, code: 250, enhanced: '', text: 'OK' }
    }),
    ...(final === undefined ? {} : { final }),
  }
}

/** What a refused MAIL, RCPT, DATA or message says of each recipient. @throws the error when no reply came */
function replied(envelope: OutgoingEnvelope, error: Refused): SmtpSent {
  if (error.rejectedErrors && error.rejectedErrors.length === envelope.rcptTo.length)
    return sentTo(envelope, error.rejectedErrors, undefined)
  if (error.response === undefined || error.responseCode === undefined) throw error
  const line = lineOf(error.response, error.responseCode)
  if (error.command === 'MAIL FROM')
    return { recipients: envelope.rcptTo.map(({ path }) => ({ path, accepted: false, ...line })) }
  return sentTo(envelope, error.rejectedErrors ?? [], line)
}
