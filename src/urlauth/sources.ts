/** What URLAUTH needs from others; the store and the directory fulfil it. */
import type { OctetString, Octets } from '../model/units.ts'
import type { SectionSpec } from '../wire/mime/section.ts'

/** The mailbox access key table of each user (RFC 4467 §2.2): per user and mailbox, over restarts. */
export interface AccessKeys {
  /**
   * The key of this owner for this mailbox, which is there and which the owner may read at this moment. undefined: no
   * such owner, account disabled, no such mailbox, no right, or no key yet; nobody is told which (UA-10, UA-23).
   */
  accessKey(owner: string, mailbox: string): Promise<Uint8Array | undefined>
  /** The same, but a key is made and stored where there is none yet (UA-11). */
  makeAccessKey(owner: string, mailbox: string): Promise<Uint8Array | undefined>
}

export interface SectionRequest {
  /** Whose rights count (UA-23). */
  readonly owner: string
  readonly mailbox: string
  /** When given, it must be that of the mailbox (UA-35). */
  readonly uidValidity: number | undefined
  readonly uid: number
  readonly section: SectionSpec
  /** Of the octets that are returned, decoded ones under 'binary'. octets undefined: to the end. */
  readonly partial: { readonly start: Octets; readonly octets: Octets | undefined } | undefined
  /** 'stored': as BODY.PEEK[section] gives them; 'binary': transfer encoding removed (RFC 5524 §3.1). */
  readonly form: 'stored' | 'binary'
  /** 8-bit header fields as those are shown who do not know them (RFC 3501 §7.4.2, RFC 6855 §8; FE-25). */
  readonly asciiHeaders?: boolean | undefined
}

export interface FetchedSection {
  readonly octets: Octets
  open(): AsyncIterable<Uint8Array>
  /**
   * BODYPARTSTRUCTURE of what is returned, as it goes on the wire; under 'binary' with identity encoding (UA-39). Of a
   * range, that of what it is a range of. undefined: there is nothing to tell.
   */
  bodyPartStructure(): Promise<OctetString | undefined>
  /** NUL occurs in it: literal8 must carry it (UA-41). */
  readonly hasNul: boolean
  /** Some of its header fields are not as they are stored, because of asciiHeaders (RFC 4468 §6, 2.6.4). */
  readonly converted: boolean
}

export interface Sections {
  /**
   * undefined: mailbox, UID or section is not there, or UIDVALIDITY differs. 'undecodable': under 'binary', the transfer
   * encoding is unknown or broken (UA-40).
   */
  section(request: SectionRequest): Promise<FetchedSection | undefined | 'undecodable'>
}
