/** Whole seconds since 1970-01-01T00:00:00Z. */
export type EpochSeconds = number
/** Milliseconds since 1970-01-01T00:00:00Z; the unit of clocks, queue times and INTERNALDATE. */
export type EpochMs = number
/** Whole seconds, >= 0 unless stated. */
export type Seconds = number
/** Octets of content. */
export type Octets = number

/** A string each of whose code units (0..255) stands for one octet. */
export type OctetString = string
