/** What DSN and MDN have in common: a mail of our own to one address (RPT-021, RPT-022, RPT-040; RFC 3834 §3). */
import type { Field } from '../../model/neutral.ts'
import { encodeUnstructured } from '../../wire/mime/write-header.ts'
import type { MappingContext } from '../context.ts'

export interface OwnMail {
  /** RCPT address; MAIL FROM is null. */
  readonly to: string
  readonly octets: readonly Uint8Array[]
  readonly eightBit: boolean
  /** Its header, or `to`, is not ASCII. */
  readonly utf8: boolean
}

export function reportHeader(
  fields: {
    readonly trace?: string | undefined
    readonly date: string
    readonly from: string
    readonly to: string
    readonly subject: string
    /** Message-ID of the original. */
    readonly original: string | null
  },
  ctx: MappingContext,
): Field[] {
  const { trace, original } = fields
  return [
    ...(trace === undefined ? [] : [{ name: 'Received', value: trace }]),
    { name: 'Date', value: fields.date },
    { name: 'From', value: fields.from },
    { name: 'To', value: fields.to },
    { name: 'Subject', value: encodeUnstructured(fields.subject) },
    { name: 'Message-ID', value: ctx.ids.messageId() },
    ...(original === null
      ? []
      : [
          { name: 'In-Reply-To', value: original },
          { name: 'References', value: original },
        ]),
    { name: 'Auto-Submitted', value: 'auto-replied' },
  ]
}
