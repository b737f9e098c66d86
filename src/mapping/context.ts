/** What every mapping rule may know beside the message: configuration, ids and the instant (GEN-001). */
import type { Convert } from '../convert/hook.ts'
import type { Ids } from '../model/providers.ts'
import type { Settings } from '../model/settings.ts'
import type { EpochMs } from '../model/units.ts'

export interface MappingContext {
  readonly settings: Settings
  readonly ids: Ids
  readonly now: EpochMs
  /** Converts media that a handset cannot show; none: they are dropped with a notice (CNT-070). */
  readonly convert?: Convert | undefined
  /** Told of every field and parameter that is written, and by which row of the table. */
  readonly explain?: ((written: string, rule: string) => void) | undefined
  readonly log?:
    | ((level: 'info' | 'warn', message: string, fields?: Readonly<Record<string, unknown>>) => void)
    | undefined
}
