/** RFC 4356 Tables 4 to 7, row by row (mapping.md 5.3 to 5.5; AMB-02 to AMB-07, AMB-20, AMB-21). */
import type { DeliveryStatus, NeutralReport, Notify } from '../../model/neutral.ts'
import type { Settings } from '../../model/settings.ts'

export type DsnAction = 'delivered' | 'failed' | 'delayed' | 'relayed'

/** What a sender asked for with NOTIFY; without one it is told of failures (RFC 3461 §5.2.6). */
export type Wanted = 'success' | 'failure' | 'delay'

export const isWanted = (notify: Notify | undefined, wanted: Wanted): boolean =>
  notify === undefined ? wanted === 'failure' : notify !== 'never' && notify[wanted]

interface Table4Row {
  readonly mms: DeliveryStatus
  /** Absent: whoever it was. 'recipient' covers the unspecified. */
  readonly by?: 'recipient' | 'other-rs'
  readonly action: DsnAction
  readonly status: string
  readonly when: Wanted
}

/** Table 4: the first row that fits and whose report is wanted. */
export const table4: readonly Table4Row[] = [
  { mms: 'retrieved', action: 'delivered', status: '2.1.5', when: 'success' },
  { mms: 'rejected', by: 'recipient', action: 'delivered', status: '2.7.1', when: 'success' },
  { mms: 'rejected', by: 'recipient', action: 'failed', status: '5.7.1', when: 'failure' },
  { mms: 'rejected', by: 'other-rs', action: 'failed', status: '5.7.1', when: 'failure' },
  { mms: 'expired', action: 'failed', status: '5.4.7', when: 'failure' },
  { mms: 'unreachable', action: 'failed', status: '5.4.4', when: 'failure' },
  { mms: 'unrecognised', action: 'failed', status: '5.6.1', when: 'failure' },
  { mms: 'delivery-condition-not-met', action: 'failed', status: '5.7.1', when: 'failure' },
  { mms: 'deferred', action: 'delayed', status: '4.2.0', when: 'delay' },
  { mms: 'indeterminate', action: 'relayed', status: '2.0.0', when: 'success' },
  { mms: 'forwarded', action: 'relayed', status: '2.0.0', when: 'success' },
]

export interface DsnVerdict {
  readonly action: DsnAction
  /** RFC 3463. */
  readonly status: string
}

type MmsDelivery = Pick<NonNullable<NeutralReport['delivery']>, 'status' | 'by'>

const rowsFor = (delivery: MmsDelivery, settings: Pick<Settings, 'reports'>): readonly Table4Row[] =>
  table4.filter(
    (row) =>
      row.mms === delivery.status &&
      (row.by === undefined || row.by === (delivery.by ?? 'recipient')) &&
      // A refused message is not a delivered one, where the operator sees it so (AMB-02).
      !(settings.reports.rejectedAction === 'failed' && row.mms === 'rejected' && row.action === 'delivered'),
  )

/** The DSN for an MMS status; undefined: the sender did not ask for it (RPT-011 to RPT-015, RPT-020). */
export function dsnVerdict(
  delivery: MmsDelivery,
  notify: Notify | undefined,
  settings: Pick<Settings, 'reports'>,
): DsnVerdict | undefined {
  const row = rowsFor(delivery, settings).find((r) => isWanted(notify, r.when))
  return row && { action: row.action, status: row.status }
}

/** What the status comes to, asked for or not: for the record of what was reported (RPT-006). */
export const actionOf = (delivery: MmsDelivery, settings: Pick<Settings, 'reports'>): DsnAction =>
  rowsFor(delivery, settings)[0]?.action ?? 'relayed'

interface Table5Row {
  readonly action: string
  readonly mms: DeliveryStatus
}

/**
 * Table 5. `failed` is Unreachable; MM7, which has no such word, says Expired for Status x.4.7 and Rejected for the rest
 * when it is written (AMB-05). `delayed` and what is not here become no report.
 */
export const table5: readonly Table5Row[] = [
  { action: 'delivered', mms: 'retrieved' },
  { action: 'relayed', mms: 'forwarded' },
  { action: 'expanded', mms: 'forwarded' },
  { action: 'failed', mms: 'unreachable' },
]

/** `action` in any case. undefined: no report (RPT-035). */
export const mmsStatusOfAction = (action: string): DeliveryStatus | undefined =>
  table5.find((row) => row.action === action.toLowerCase())?.mms

/** Table 6 (RPT-042): the read status of an MMS report as the Disposition of an MDN; Indeterminate becomes none. */
export const table6: Readonly<Record<NonNullable<NeutralReport['read']>['status'], string | undefined>> = {
  read: 'manual-action/MDN-sent-automatically; displayed',
  deleted: 'manual-action/MDN-sent-automatically; deleted',
  indeterminate: undefined,
}

interface Table7Row {
  readonly type: string
  /** Absent: any. */
  readonly actionMode?: 'automatic-action'
  readonly read: 'read' | 'deleted'
}

/** Table 7 (RPT-045, AMB-20): types and modes in lower case; what is not here is Indeterminate. */
export const table7: readonly Table7Row[] = [
  { type: 'displayed', read: 'read' },
  { type: 'deleted', read: 'deleted' },
  { type: 'denied', actionMode: 'automatic-action', read: 'deleted' },
  { type: 'failed', actionMode: 'automatic-action', read: 'deleted' },
]

/** 'indeterminate' is a read report on MM7 only; elsewhere there is none. */
export const readStatusOf = (disposition: {
  readonly type: string
  readonly actionMode: string
}): 'read' | 'deleted' | 'indeterminate' =>
  table7.find(
    (row) =>
      row.type === disposition.type &&
      (row.actionMode === undefined || row.actionMode === disposition.actionMode),
  )?.read ?? 'indeterminate'
