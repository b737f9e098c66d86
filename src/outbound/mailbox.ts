/** Delivery into the embedded store, in the transaction that settles the queue (QUE-060, QUE-061). */
import { writeMail } from '../mapping/carriers/mail.ts'
import { fromUtf8Xtext } from '../mapping/utf8-address.ts'
import { fromXtext } from '../mapping/xtext.ts'
import type { MailboxDelivery, Outcome } from '../model/queue.ts'
import { isRefusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { Adapter, DeliveryJob, DeliveryResult } from '../queue/adapter.ts'
import { digestMessage } from '../wire/mime/digest.ts'
import { textSafe } from '../wire/mime/text-safe.ts'
import { writeField } from '../wire/mime/write-header.ts'
import { refusedOutcomes } from './outcomes.ts'
import { traceField } from './pass-through.ts'

/** What the store can carry: everything a next hop may offer that writeMail asks about. */
const extensions: ReadonlyMap<string, string> = new Map([
  ['8BITMIME', ''],
  ['SMTPUTF8', ''],
])

/** The address without its xtext (RFC 3464 §2.3.1, RFC 6533 §5), where it then still fits a header field. */
function originalRecipient(orcpt: string): string {
  const decoded = /^utf-8;/i.test(orcpt) ? fromUtf8Xtext(orcpt) : fromXtext(orcpt)
  return /[\s\p{C}]/u.test(decoded) ? orcpt : decoded
}

export function createMailboxAdapter(
  settings: Settings,
  /** Whether the account is still there. */
  exists: (account: string) => Promise<boolean> = async () => true,
  /** Whether a message of so many octets is within the account's quota. */
  hasRoom: (account: string, octets: number) => Promise<boolean> = async () => true,
): Adapter {
  return {
    kinds: ['store'],
    async deliver(job): Promise<DeliveryResult> {
      const { delivery, serve } = job
      const mail = await mailOf(job, settings)
      if ('refused' in mail) return { outcomes: refusedOutcomes(serve, mail) }
      const mailbox: MailboxDelivery[] = []
      const outcomes: Outcome[] = []
      const { origin } = delivery.entry
      for (const index of serve) {
        const recipient = delivery.recipients.find((r) => r.index === index)
        if (!recipient?.account || !(await exists(recipient.account))) {
          outcomes.push({ index, state: 'failed', status: { code: '5.1.1', text: 'No such mailbox' } })
          continue
        }
        const orcpt =
          origin.carrier === 'mail'
            ? origin.envelope.rcptTo.find((r) => r.path === recipient.address)?.params.ORCPT
            : undefined
        const top = [
          writeField('Return-Path', `<${mail.reversePath ?? ''}>`, true),
          ...(orcpt ? [writeField('Original-Recipient', originalRecipient(orcpt), true)] : []),
        ].join('')
        // As every client may be shown it (RFC 3516 §6).
        const octets = textSafe(Buffer.concat([Buffer.from(top + mail.trace, 'utf8'), ...mail.octets]))
        if (!(await hasRoom(recipient.account, octets.length))) {
          // RFC 3463 §3.3: X.2.2, and room may be made before the delivery expires.
          outcomes.push({ index, state: 'deferred', status: { code: '4.2.2', text: 'The mailbox is full' } })
          continue
        }
        mailbox.push({
          account: recipient.account,
          mailbox: 'INBOX',
          message: { octets: [octets], digest: digestMessage(octets), internalDate: job.now, flags: [] },
        })
        outcomes.push({
          index,
          state: 'delivered',
          status: { code: '2.0.0', text: 'Delivered to the mailbox' },
        })
      }
      return { outcomes, mailbox }
    },
    close: async () => {},
  }
}

async function mailOf(job: DeliveryJob, settings: Settings) {
  const { origin } = job.delivery.entry
  if (origin.carrier === 'mail')
    return {
      reversePath: origin.envelope.mailFrom.path,
      trace: traceField(job.delivery, settings),
      octets: [withoutReturnPath(await job.octets())],
    }
  const message = await job.message()
  if (isRefusal(message)) return message
  const written = writeMail(message, job.serve, { extensions }, { settings, ids: job.ids, now: job.now })
  if (isRefusal(written)) return written
  return { reversePath: written.envelope.mailFrom.path, trace: '', octets: written.octets }
}

/** A Return-Path that came with the message is not ours (MAP-004); real ones stand on top. */
function withoutReturnPath(octets: Uint8Array): Uint8Array {
  let start = 0
  const buffer = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  while (/^return-path\s*:/i.test(buffer.toString('latin1', start, start + 16))) {
    let end = start
    do {
      const newline = buffer.indexOf(10, end)
      end = newline < 0 ? buffer.length : newline + 1
    } while (buffer[end] === 32 || buffer[end] === 9)
    start = end
  }
  return start === 0 ? octets : octets.subarray(start)
}
