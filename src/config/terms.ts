/** Terms of the configuration's schema that many sections use. */
import { Type } from 'typebox'

export const closed = { additionalProperties: false }
export const Str = Type.String()
export const Bool = Type.Boolean()
export const Count = Type.Integer({ minimum: 1 })
/** Timers hold 31 bits of milliseconds: a longer one would fire at once. */
export const Seconds = Type.Integer({ minimum: 1, maximum: 2_147_483 })
export const Secret = Type.String({ minLength: 1 })
export const Listen = Type.String({ pattern: '^(\\[[0-9a-fA-F:]+\\]|[^:\\s]+):\\d{1,5}$' })
