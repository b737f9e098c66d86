/** One row of RFC 4356 Table 1: an MMS information element and its spelling on each carrier. */
import type { Field, NeutralDraft, NeutralMessage } from '../model/neutral.ts'
import type { Refusal } from '../model/refusal.ts'
import type { Peer } from '../model/settings.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import type { XmlElement } from '../wire/mm7/message.ts'
import type { MappingContext } from './context.ts'
import type { ResentBlock } from './history.ts'

/** An Internet mail message while it is read. */
export interface MailSource {
  readonly envelope: SmtpEnvelope
  /** First field of that name, unfolded, an octet string. */
  field(name: string): string | undefined
  /** All fields of that name, top first. */
  fields(name: string): readonly string[]
  readonly receivedAt: number
  /** Resent-* fields in blocks, the last resending first. */
  readonly resent: readonly ResentBlock[]
}

/** An MM4 message while it is read: a mail from a peer that speaks MM4. */
export interface Mm4Source extends MailSource {
  readonly peer: Peer
}

/** An MM4 message while it is written. */
export interface Mm4Draft {
  readonly peer: Peer
  /** Recipients of this copy, positions in NeutralMessage.recipients. */
  readonly serve: ReadonlySet<number>
  /** Values are Unicode without line breaks, or already in the form of the header. */
  add(name: string, value: string): void
}

/** An Internet mail message while it is written. */
export interface MailDraft {
  /** Values are Unicode without line breaks, or already in the form of the header (see `raw`). */
  add(name: string, value: string): void
  readonly header: readonly Field[]
  /** Without brackets; null = "<>". */
  readonly reversePath: string | null
  readonly mailParams: Record<string, string>
  /** Same order as `serve`. */
  readonly rcptTo: readonly {
    readonly index: number
    readonly path: string
    readonly params: Record<string, string>
  }[]
  readonly extensions: ReadonlyMap<string, string>
}

export interface Mm7Source {
  readonly body: XmlElement
  readonly operation: 'SubmitReq' | 'DeliverReq'
  readonly peer: Peer
  readonly receivedAt: number
  /** Trimmed text of a child, any namespace and case; undefined when absent or empty. */
  text(...names: readonly string[]): string | undefined
  child(name: string): XmlElement | undefined
}

export interface Mm7DraftBody {
  readonly operation: 'SubmitReq' | 'DeliverReq'
  readonly peer: Peer
  /** 5 or 6, of the peer's schema (MAP-186). */
  readonly release: number
  /** Sender and SenderAddress hold bare text (MAP-187). */
  readonly bare: boolean
  readonly serve: ReadonlySet<number>
  set(
    name: string,
    content: string | readonly XmlElement[] | undefined,
    attributes?: Readonly<Record<string, string>>,
  ): void
}

export interface Spelling<Read, Draft> {
  read?(from: Read, into: NeutralDraft, ctx: MappingContext): Refusal | undefined
  write?(from: NeutralMessage, into: Draft, ctx: MappingContext): Refusal | undefined
}

export interface Element {
  /** As Table 1 names it. */
  readonly name: string
  readonly source: string
  /** Internet mail. `owns`: header fields that never pass through unread. */
  readonly mail: Spelling<MailSource, MailDraft> & { readonly owns: readonly string[] }
  /** TS 23.140 MM7: a SOAP element. */
  readonly mm7?: Spelling<Mm7Source, Mm7DraftBody>
  /** TS 23.140 §8.4: fields of MM4_forward.REQ. `owns`: those that are no X-Mms-* and never pass through unread. */
  readonly mm4?: Spelling<Mm4Source, Mm4Draft> & { readonly owns?: readonly string[] }
}

/** xs:boolean, 1 and 0 too (MAP-191). undefined: neither. */
export const booleanOf = (text: string | undefined): boolean | undefined =>
  text === undefined
    ? undefined
    : /^(true|1|yes)$/i.test(text)
      ? true
      : /^(false|0|no)$/i.test(text)
        ? false
        : undefined

/** A boolean as MM4 writes it. */
export const yesNo = (value: boolean): string => (value ? 'Yes' : 'No')

/** Line breaks and tabs become one blank, other controls go (SEC-010). */
export const oneLine = (text: string): string =>
  text
    .replace(/[\r\n\t]+/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
    .trim()
