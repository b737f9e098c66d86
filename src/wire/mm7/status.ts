/** MM7 status codes (mapping.md 2.4): what each means to a client, and the DSN Status when we give up (MM7-040). */

export interface Mm7Status {
  readonly code: number
  readonly text: string
  /** 'split' = per recipient, 'once' = once more in another form. */
  readonly retry: 'done' | 'no' | 'yes' | 'once' | 'split'
  readonly dsnStatus: string
  /** Our own set-up is wrong: worth waking the operator. */
  readonly alarm?: boolean
}

/** MM7Version values of the schemas, lowest first (mapping.md 1.8). */
export const mm7Versions: readonly string[] = [
  '5.3.0',
  '5.5.0',
  '5.6.0',
  '5.8.0',
  '5.10.0',
  '6.3.0',
  '6.4.0',
  '6.5.0',
  '6.6.0',
  '6.8.0',
]

const rows: readonly (readonly [number, string, Mm7Status['retry'], string, boolean?])[] = [
  [1000, 'Success', 'done', '2.0.0'],
  [1100, 'Partial success', 'done', '5.1.1'],
  [2000, 'Client error', 'no', '5.5.0'],
  [2001, 'Operation restricted', 'no', '5.7.1'],
  [2002, 'Address Error', 'no', '5.1.1'],
  [2003, 'Address not found', 'no', '5.1.1'],
  [2004, 'Multimedia content refused', 'no', '5.6.1'],
  [2005, 'Message ID not found', 'no', '5.5.4'],
  [2006, 'LinkedID not found', 'once', '5.5.4'],
  [2007, 'Message format corrupt', 'no', '5.6.0'],
  [3000, 'Server error', 'yes', '4.3.0'],
  [3001, 'Not possible', 'no', '5.3.3'],
  [3002, 'Message rejected', 'no', '5.7.1'],
  [3003, 'Multiple addresses not supported', 'split', '5.5.3'],
  [4000, 'General service error', 'yes', '4.3.0'],
  [4001, 'Improper identification', 'no', '5.7.0', true],
  [4002, 'Unsupported version', 'once', '5.5.5'],
  [4003, 'Unsupported operation', 'no', '5.3.3'],
  [4004, 'Validation error', 'no', '5.5.2', true],
  [4005, 'Service error', 'no', '5.3.0'],
  [4006, 'Service temporarily unavailable', 'yes', '4.3.2'],
  [4007, 'Service denied', 'no', '5.7.1'],
]

const table = new Map(
  rows.map(([code, text, retry, dsnStatus, alarm]): [number, Mm7Status] => [
    code,
    { code, text, retry, dsnStatus, ...(alarm ? { alarm } : {}) },
  ]),
)

/** The row of a code; an unknown one is treated as x000 of its class, what is no code as 3000 (MM7-041). */
export function mm7Status(code: number): Mm7Status {
  const known = table.get(code)
  if (known) return known
  const general =
    code >= 1000 && code <= 4999 && Number.isInteger(code)
      ? table.get(Math.floor(code / 1000) * 1000)
      : undefined
  return general ?? (table.get(3000) as Mm7Status)
}

/** StatusText as the table prints it. */
export const statusText = (code: number): string => mm7Status(code).text
