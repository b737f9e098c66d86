/** Mail that stays mail: the accepted octets, and our trace field on top (RFC 5321 §4.4, QUE-043, QUE-061). */
import { toMailDate } from '../mapping/times.ts'
import { fromUtf8Xtext, toUtf8Xtext } from '../mapping/utf8-address.ts'
import type { DeliveryRecord } from '../model/queue.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import { isAscii } from '../wire/mime/utf8.ts'
import { writeField } from '../wire/mime/write-header.ts'
import { wirePath } from './utf8-mail.ts'

/** Value of our Received field for a mail, and for what a mail became; undefined for what we made ourselves (GEN-002), and for what came from MMS. */
export function receivedValue(delivery: DeliveryRecord, settings: Settings): string | undefined {
  const { origin, queueId } = delivery.entry
  if (origin.carrier !== 'mail' && origin.carrier !== 'report') return undefined
  if (!origin.envelope || (origin.carrier === 'mail' && origin.own)) return undefined
  return receivedBySmtp(origin.envelope, queueId, settings)
}

/** The same of a message that came by SMTP. */
export function receivedBySmtp(
  { session, mailFrom, receivedAt }: SmtpEnvelope,
  queueId: string,
  settings: Settings,
): string {
  // RFC 6531 §4.3 has names of its own for what came under SMTPUTF8.
  const kind = Object.hasOwn(mailFrom.params, 'SMTPUTF8') ? 'UTF8SMTP' : 'ESMTP'
  const protocol = session.esmtp
    ? `${kind}${session.tls ? 'S' : ''}${session.auth === null ? '' : 'A'}`
    : 'SMTP'
  const date = toMailDate({ epoch: receivedAt, offsetMinutes: 0 })
  const ip = settings.trace.showIp ? ` ([${session.ip}])` : ''
  return `from ${session.ehlo}${ip} by ${settings.gateway.host} with ${protocol} id ${queueId}; ${date}`
}

/** That field with its line end, or nothing. */
export function traceField(delivery: DeliveryRecord, settings: Settings): string {
  const value = receivedValue(delivery, settings)
  return value === undefined ? '' : writeField('Received', value)
}

/**
 * The parameters that pass on to the next hop: those it offers (RFC 3461 §5, RFC 2852 §4). `utf8`: the message needs
 * SMTPUTF8, or its paths do. @param addresses one for each entry of `rcptTo` in the result
 */
export function passedEnvelope(
  envelope: SmtpEnvelope,
  addresses: readonly string[],
  extensions: ReadonlyMap<string, string>,
  now: number,
  utf8 = false,
): {
  mailFrom: { path: string | null; params: Record<string, string> }
  rcptTo: { path: string; params: Record<string, string> }[]
} {
  const dsn = extensions.has('DSN')
  const given = envelope.mailFrom.params
  const mailParams: Record<string, string> = {}
  if (dsn && given.ENVID !== undefined) mailParams.ENVID = given.ENVID
  if (dsn && given.RET !== undefined) mailParams.RET = given.RET
  // Binary content is encoded before it leaves: the hop is told what it then is.
  if (extensions.has('8BITMIME') && /^(7BIT|8BITMIME)$/i.test(given.BODY ?? ''))
    mailParams.BODY = given.BODY ?? ''
  const by = deliverBy(envelope, now)
  if (by && extensions.has('DELIVERBY') && (by.left > 0 || by.mode === 'N'))
    mailParams.BY = `${by.left};${by.mode}${by.trace}`
  // Nobody on the way will tell that the time has passed: the last one is asked to (RFC 2852 §4.1.4.2).
  const asksDelay = by?.mode === 'N' && by.left > 0 && !extensions.has('DELIVERBY')
  const from = envelope.mailFrom.path === null ? null : wirePath(envelope.mailFrom.path)
  const paths = addresses.map(wirePath)
  // Only where it is needed (RFC 6531 §3.4).
  if (utf8 || ![from ?? '', ...paths].every(isAscii)) mailParams.SMTPUTF8 = ''
  return {
    mailFrom: { path: from, params: mailParams },
    rcptTo: addresses.map((path, i) => {
      const rcpt = envelope.rcptTo.find((r) => r.path === path)
      const params: Record<string, string> = {}
      const notify = rcpt?.params.NOTIFY
      if (dsn && (notify !== undefined || asksDelay))
        params.NOTIFY = asksDelay ? withDelay(notify) : (notify ?? '')
      if (dsn && rcpt?.params.ORCPT !== undefined) params.ORCPT = passedOrcpt(rcpt.params.ORCPT)
      return { path: paths[i] ?? path, params }
    }),
  }
}

/** BY as it is now: the seconds left, which may have passed. */
function deliverBy(
  { mailFrom, receivedAt }: SmtpEnvelope,
  now: number,
): { readonly left: number; readonly mode: string; readonly trace: string } | undefined {
  const [, seconds, mode = '', trace = ''] = /^([+-]?\d+);([RN])(T?)$/i.exec(mailFrom.params.BY ?? '') ?? []
  if (seconds === undefined) return undefined
  const left = Number(seconds) - (Math.floor(now / 1000) - receivedAt)
  return { left, mode: mode.toUpperCase(), trace: trace.toUpperCase() }
}

/** Mode R goes only where the time is kept, and is long enough (RFC 2852 §4.1.4.1). */
export function keepsDeadline(
  envelope: SmtpEnvelope,
  extensions: ReadonlyMap<string, string>,
  now: number,
): boolean {
  const by = deliverBy(envelope, now)
  if (by?.mode !== 'R') return true
  const minimum = extensions.get('DELIVERBY')
  return minimum !== undefined && Number(minimum || 0) <= by.left
}

function withDelay(notify: string | undefined): string {
  if (notify === undefined) return 'FAILURE,DELAY'
  const words = notify.toUpperCase().split(',')
  return words.includes('NEVER') || words.includes('DELAY') ? notify : `${notify},DELAY`
}

/** In 7 bits wherever it goes (RFC 6533 §3). */
const passedOrcpt = (orcpt: string): string => {
  const semicolon = orcpt.indexOf(';')
  return isAscii(orcpt)
    ? orcpt
    : `${orcpt.slice(0, semicolon + 1)}${toUtf8Xtext(fromUtf8Xtext(orcpt.slice(semicolon + 1)))}`
}
