/** `state.originals` of a worked case into the correlation store, by the way that acceptance takes (RPT-001). */
import { mailParty, partyFromMms } from '../../mapping/addresses.ts'
import type { Notify } from '../../model/neutral.ts'
import type { MailOrigin, MmsOrigin, OriginalRecipient, ReportMark } from '../../model/original.ts'
import type { NewQueueEntry } from '../../model/queue.ts'
import { isRefusal } from '../../model/refusal.ts'
import type { Settings } from '../../model/settings.ts'
import { keepUntil } from '../../queue/correlation.ts'
import { giveUpMs } from '../../queue/schedule.ts'
import type { Spool } from '../../queue/spool.ts'

export interface OriginalState {
  readonly direction: 'I→M' | 'M→I'
  readonly queueId: string
  readonly arrival: string
  readonly messageId: string
  readonly returnPath: string | null
  readonly envid?: string | null
  readonly ret?: 'full' | 'hdrs' | null
  readonly deliverBy?: string | null
  readonly dispositionNotificationTo?: readonly string[] | null
  /** LF stands for CRLF. */
  readonly headers?: string
  readonly content?: string
  readonly contentSize?: number
  readonly deliveryReport?: boolean | null
  readonly readReply?: boolean | null
  readonly source?: { readonly peer: string; readonly sender: string; readonly mmsMessageId: string }
  readonly recipients: readonly OriginalRecipientState[]
}

export interface OriginalRecipientState {
  readonly rcptTo: string
  readonly orcpt?: string | null
  readonly notify?: Notify | null | undefined
  readonly blind?: boolean
  readonly peer?: string
  readonly mmsMessageId?: string
  readonly reported?: readonly string[]
}

export async function seedOriginals(
  originals: readonly OriginalState[],
  spool: Spool,
  settings: Settings,
): Promise<void> {
  for (const state of originals) await spool.enqueue([entryOf(state, settings)])
}

const withCrlf = (text: string): string => text.replace(/\r?\n/g, '\r\n')

function entryOf(state: OriginalState, settings: Settings): NewQueueEntry {
  const arrival = Date.parse(state.arrival)
  const header = `${withCrlf(state.headers ?? '')}\r\n`
  const octets = Buffer.from(state.content === undefined ? `${header}\r\n` : withCrlf(state.content))
  const source = state.source && partyFromMms('', state.source.sender, settings)
  const origin: MailOrigin | MmsOrigin =
    state.source && source && !isRefusal(source)
      ? {
          kind: 'mms',
          returnPath: state.returnPath,
          peer: state.source.peer,
          sender: source,
          mmsMessageId: state.source.mmsMessageId,
          deliveryReport: state.deliveryReport ?? undefined,
          readReply: state.readReply ?? undefined,
        }
      : {
          kind: 'mail',
          returnPath: state.returnPath,
          envid: state.envid ?? undefined,
          ret: state.ret ?? undefined,
          deliverBy: state.deliverBy ? Date.parse(state.deliverBy) / 1000 : undefined,
          dispositionTo: state.dispositionNotificationTo ?? undefined,
          header,
          size: state.contentSize ?? octets.length,
        }
  return {
    queueId: state.queueId,
    receivedAt: arrival,
    origin: {
      carrier: 'mail',
      envelope: {
        session: { peer: null, ehlo: 'seed', ip: '127.0.0.1', port: 0, auth: null, tls: false, esmtp: true },
        mailFrom: { path: state.returnPath, params: {} },
        rcptTo: [],
        receivedAt: arrival / 1000,
      },
    },
    octets: [octets],
    sender: state.returnPath ?? '',
    mmsMessageId: state.source?.mmsMessageId,
    deliveries: [],
    original: {
      messageId: state.messageId,
      origin,
      recipients: state.recipients.map((r, index) => recipientOf(r, index, arrival, settings)),
      keepContent: state.content !== undefined,
      keepUntil: keepUntil(arrival, arrival + giveUpMs, true),
    },
  }
}

function recipientOf(
  state: OriginalRecipientState,
  index: number,
  at: number,
  settings: Settings,
): OriginalRecipient {
  const party = mailParty(state.rcptTo, settings)
  const semicolon = state.orcpt?.indexOf(';') ?? -1
  const kind = state.peer === undefined ? undefined : settings.peers[state.peer]
  return {
    index,
    address: state.rcptTo,
    party: isRefusal(party) ? { kind: 'unknown', value: state.rcptTo, raw: state.rcptTo } : party,
    orcpt: state.orcpt
      ? { type: state.orcpt.slice(0, semicolon), address: state.orcpt.slice(semicolon + 1) }
      : undefined,
    notify: state.notify ?? undefined,
    blind: state.blind ?? false,
    target:
      state.peer === undefined
        ? 'smtp:relay'
        : kind?.interface === 'mm4'
          ? `mm4:${state.peer}`
          : `mm7-${kind?.role === 'vasp' ? 'deliver' : 'submit'}:${state.peer}`,
    peerMessageId: state.mmsMessageId,
    reports: (state.reported ?? []).map(
      (outcome): ReportMark => ({
        report: outcome === 'displayed' || outcome === 'deleted' ? 'read' : 'delivery',
        outcome,
        at,
      }),
    ),
  }
}
