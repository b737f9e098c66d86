/** An MM7 request or response as a value (TS 23.140 §8.7): the SOAP body element and the content that came with it. */
import type { MimeNode } from '../mime/node.ts'

export interface XmlElement {
  /** Local name and namespace URI (trimmed; '' = none). */
  readonly name: string
  readonly namespace: string
  /** Local attribute name -> value. */
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  /** Character data directly inside, trimmed. */
  readonly text: string
}

export interface Mm7Message {
  /** Text of the SOAP header's TransactionID, trimmed; undefined when missing or empty (MM7-012). */
  readonly transactionId: string | undefined
  /** Namespace of the body element, trimmed. */
  readonly namespace: string
  /** Local name: SubmitReq, DeliverReq ... */
  readonly operation: string
  readonly body: XmlElement
  /** The part that Content refers to, or the second part (MM7-024). */
  readonly content?: { readonly octets: Uint8Array; readonly node: MimeNode } | undefined
  /** Content has an href that names no part (MM7-025). */
  readonly danglingHref?: string | undefined
}

/** An MM7 message to be written. Children are written in the order given. */
export interface Mm7Draft {
  /** Prefixes of elements where a peer wants others than ours: `env`, and none for the body (QUIRKS 4). */
  readonly prefixes?: { readonly soap?: string | undefined; readonly body?: string | undefined } | undefined
  readonly transactionId: string
  readonly namespace: string
  readonly body: XmlElement
  /** Root part's Content-ID and the boundary; both needed only with content. */
  readonly rootId?: string | undefined
  readonly boundary?: string | undefined
  /** The one content part: its header fields (Content-Type, Content-ID ... in order) and its body as it goes out. */
  readonly content?:
    | {
        readonly fields: readonly { readonly name: string; readonly value: string }[]
        readonly body: readonly Uint8Array[]
      }
    | undefined
}

/** Octets of an HTTP request or response. */
export interface HttpContent {
  readonly contentType: string
  readonly body: readonly Uint8Array[]
}
