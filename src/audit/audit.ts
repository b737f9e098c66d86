/** The audit trail of a gateway, and what is written into it (SEC-051). */
import type { EpochMs } from '../model/units.ts'
import { type AuditRecords, createAuditRecords } from './records.ts'
import { type AuditTrail, auditFolder, createAuditTrail } from './trail.ts'

export interface Audit {
  readonly trail: AuditTrail
  readonly records: AuditRecords
}

export interface AuditSettings {
  readonly enabled: boolean
  readonly keepDays: number
  readonly numbers: 'masked' | 'full'
}

/** `store`: the folder beside whose database it lies. undefined: it is switched off. */
export function createAudit(
  store: string,
  { enabled, keepDays, numbers }: AuditSettings,
  now: () => EpochMs,
  log: (level: 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void,
): Audit | undefined {
  if (!enabled) return undefined
  const trail = createAuditTrail({ folder: auditFolder(store), keepDays, now, log })
  return { trail, records: createAuditRecords(trail, numbers) }
}
