/** DSN and MDN as neutral reports about the recipients of an MM that went out as mail (RPT-035 to RPT-046). */
import type { Instant, NeutralReport } from '../../model/neutral.ts'
import type { MmsOrigin, OriginalRecipient, OriginalRecord } from '../../model/original.ts'
import { isRefusal } from '../../model/refusal.ts'
import type { Settings } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'
import type { DispositionReport, MailReport, RecipientStatus, TypedValue } from '../../wire/mime/report.ts'
import { addressKey, mailParty } from '../addresses.ts'
import { oneLine } from '../element.ts'
import { fromMailDate } from '../times.ts'
import { fromUtf8Xtext } from '../utf8-address.ts'
import { fromXtext } from '../xtext.ts'
import { mmsStatusOfAction, readStatusOf } from './tables.ts'

/** An MM that went out as mail. */
export type MmsOriginal = OriginalRecord & { readonly origin: MmsOrigin }

const maxText = 140

/**
 * The recipient that a report is about: by Original-Recipient, else Final-Recipient, else the only one there is. That
 * last step is left out with `named`, when nothing but a Message-ID led to the original (RPT-005, RPT-037).
 */
export function recipientOf(
  original: OriginalRecord,
  about: {
    readonly originalRecipient?: TypedValue | undefined
    readonly finalRecipient?: TypedValue | undefined
  },
  named: boolean,
  settings: Settings,
): OriginalRecipient | undefined {
  const { recipients } = original
  for (const address of [about.originalRecipient, about.finalRecipient]) {
    if (address === undefined) continue
    for (const text of [address.value, fromXtext(address.value), fromUtf8Xtext(address.value)]) {
      const found = recipients.find((r) => isSame(r, text, settings))
      if (found) return found
    }
  }
  return named || recipients.length !== 1 ? undefined : recipients[0]
}

function isSame(recipient: OriginalRecipient, text: string, settings: Settings): boolean {
  const lower = text.toLowerCase()
  if (recipient.address.toLowerCase() === lower || recipient.orcpt?.address.toLowerCase() === lower)
    return true
  const party = mailParty(text, settings)
  return !isRefusal(party) && addressKey(party) === addressKey(recipient.party)
}

/** undefined: Table 5 has no report for it. `recipient` is the stored one, which the MMS side knows (AMB-42). */
export function deliveryReportFrom(
  report: MailReport,
  group: RecipientStatus,
  original: MmsOriginal,
  recipient: OriginalRecipient,
  receivedAt: EpochMs,
): NeutralReport | undefined {
  const status = mmsStatusOfAction(group.action)
  if (status === undefined) return undefined
  const { diagnostic } = group
  return {
    kind: 'delivery-report',
    ...common(report, original, recipient, receivedAt, group.lastAttemptDate),
    delivery: {
      status,
      raw: group.action,
      action: group.action,
      ...(group.status === '' ? {} : { enhanced: group.status }),
      ...(status === 'unreachable' ? { by: 'other-rs' as const } : {}),
      ...(diagnostic === undefined ? {} : { diagnostic: `${diagnostic.type}; ${diagnostic.value}` }),
    },
  }
}

export function readReportFrom(
  report: DispositionReport,
  original: MmsOriginal,
  recipient: OriginalRecipient,
  receivedAt: EpochMs,
): NeutralReport {
  const { disposition } = report
  const { actionMode } = disposition
  return {
    kind: 'read-report',
    ...common(report, original, recipient, receivedAt, undefined),
    read: {
      status: readStatusOf(disposition),
      raw: disposition.type,
      ...(actionMode === 'manual-action' || actionMode === 'automatic-action' ? { actionMode } : {}),
      sendingMode: disposition.sendingMode,
    },
  }
}

function common(
  report: MailReport,
  original: MmsOriginal,
  recipient: OriginalRecipient,
  receivedAt: EpochMs,
  eventDate: string | undefined,
) {
  const { origin } = original
  const text = firstLine(report.text)
  return {
    source: 'mm3',
    receivedAt: Math.floor(receivedAt / 1000),
    originalMmsId: origin.mmsMessageId,
    originalMessageId: original.messageId ?? undefined,
    originalEnvid: original.queueId,
    recipient: recipient.party,
    destination: origin.sender,
    at: eventTime([eventDate, report.date], receivedAt),
    ...(text === '' ? {} : { text }),
  } as const
}

const firstLine = (text: string): string =>
  oneLine(text.split(/\r\n|\n|\r/).find((line) => line.trim() !== '') ?? '').slice(0, maxText)

/** Last-Attempt-Date, else the top-level Date (AMB-08); what is no date, or far ahead of our clock, is now. */
function eventTime(dates: readonly (string | undefined)[], receivedAt: EpochMs): Instant {
  const now = Math.floor(receivedAt / 1000)
  for (const date of dates) {
    const at = date === undefined ? undefined : fromMailDate(date)
    if (at && at.epoch <= now + 86_400) return at
  }
  return { epoch: now, offsetMinutes: 0 }
}
