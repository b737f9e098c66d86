/**
 * The configuration that mapping, routing and the adapters read. Its keys are the keys of the configuration file and of
 * fixtures/rfc4356/defaults.json.
 */
import type { Octets } from './units.ts'

export interface Settings {
  readonly gateway: {
    readonly host: string
    readonly mmsDomain: string
    readonly servedDomains: readonly string[]
    readonly postmaster: string
    readonly mm4System: string
    readonly mm4Version: string
  }
  readonly numbering: {
    readonly countryCode: string
    readonly trunkPrefix: string
    readonly nationalLength: number
    readonly internationalPrefixes: readonly string[]
    readonly shortCode: { readonly min: number; readonly max: number }
  }
  readonly peers: Readonly<Record<string, Peer>>
  readonly routes: readonly Route[]
  readonly presentation: 'preserve' | 'mixed'
  readonly trace: { readonly showIp: boolean }
  readonly reports: {
    readonly rejectedAction: 'table4' | 'failed'
    readonly deliverUnmatched: boolean
    /** How long an original is remembered, at the least, and where a read report may come (RPT-002). Days. */
    readonly keepDays?: number | undefined
    readonly keepReadDays?: number | undefined
  }
  readonly expiry: { readonly strict: boolean }
  readonly smtputf8: boolean
  readonly criticality: 'relaxed' | 'strict'
  /** ackTimeout: seconds to wait for an MM4 answer before the request is sent again (MAP-210). Default 600. */
  readonly mm4?: { readonly ackTimeout: number } | undefined
  /** What a signature line and all below it say does not reach handsets (CNT-046). Default false. */
  readonly stripSignature?: boolean | undefined
  /** The first To of a resent message is taken from who resent it, as the RFC's example has it (AMB-16). Default false. */
  readonly resent?: { readonly inferTo: boolean } | undefined
  /** Read reports go to one other address than the reverse-path, too (AMB-22). Default false. */
  readonly mdn?: { readonly allowForeignTarget: boolean } | undefined
  /** Local aliases at served domains: local part -> number or address (ADR-027). */
  readonly aliases?: Readonly<Record<string, string>> | undefined
  /** `alias+tag@` is the alias too (ADR-029, RFC 5233); never applied to numbers. Default false. */
  readonly subaddressing?: boolean | undefined
}

/** A known counterpart. Which keys count depends on `interface`. */
export interface Peer {
  readonly interface: 'mm7' | 'mm4' | 'smtp'
  /** mm7: 'rs' = the peer is the MMSC, 'vasp' = it is a value added service provider. */
  readonly role?: 'rs' | 'vasp' | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** Address the peer speaks from; names the peer and stands in Received. */
  readonly ip?: string | undefined
  /**
   * Addresses and networks that it may speak from, whatever it shows; without `auth` and `certificate` it is known by them.
   * They stand in for `ip` there (SEC-061).
   */
  readonly allow?: readonly string[] | undefined
  /** mm7s: SHA-256 fingerprint of the client certificate that it must show, as openssl prints it (SEC-061). */
  readonly certificate?: string | undefined
  readonly url?: string | undefined
  /** Ending of the MM7 namespace that we send, e.g. REL-6-MM7-1-4. */
  readonly schema?: string | undefined
  /** MM7Version or MM4 version that we send. */
  readonly version?: string | undefined
  readonly vaspId?: string | undefined
  readonly vasId?: string | undefined
  /** What a VASP may send as VASPID (MM7-030) and as sender (SEC-030). */
  readonly vaspIds?: readonly string[] | undefined
  readonly senders?: readonly string[] | undefined
  readonly supportsDeliveryReport?: boolean | undefined
  /** Largest MM the peer takes (CNT-074), octets. */
  readonly maxSize?: Octets | undefined
  readonly maxRecipients?: number | undefined
  readonly maxConnections?: number | undefined
  readonly numberFormat?: 'plus' | 'plain' | undefined
  /** May reach Internet mail (SEC-060). */
  readonly mailOut?: boolean | undefined
  /** Incoming MM7 credentials (MM7-029). */
  readonly auth?:
    | {
        /** bearer: `password` is the token; url: the peer posts to /mm7/user=password (QUIRKS 23). */
        readonly scheme: 'basic' | 'digest' | 'bearer' | 'url'
        readonly user: string
        readonly realm?: string
        readonly password?: string
      }
    | undefined
  /** Credentials that we send to the peer; bearer: `password` is the token (mm7). Default: Basic, or Digest when asked. */
  readonly login?:
    | { readonly user: string; readonly password: string; readonly scheme?: 'bearer' | undefined }
    | undefined
  /** implicit: TLS from the first octet, as on a port of its own (QUIRKS 44). */
  readonly tls?: 'never' | 'opportunistic' | 'required' | 'implicit' | undefined
  readonly emitContentClass?: boolean | undefined
  /** 'shortcode': it takes nobody but `senderAddress` as a sender (ADR-032). Default 'any'. */
  readonly senderPolicy?: 'any' | 'shortcode' | undefined
  /** Short code that stands for every sender. */
  readonly senderAddress?: string | undefined
  /** Delivery reports are asked for where a mail's sender wants to know of failures alone (AMB-41). */
  readonly askFailures?: boolean | undefined
  readonly countSubject?: boolean | undefined
  /** mm7, a VASP: extendedCancelReq and extendedReplaceReq are taken (mapping.md 2.1). Default false: 4003. */
  readonly extendedOperations?: boolean | undefined
  /** mm7, a VASP: a LinkedID must name a message that was delivered to it, else 2006 (MM7-066). Default false. */
  readonly strictLinkedId?: boolean | undefined
  /** mm7: prefixes of what we write to it, where it insists on some: of SOAP 'env', of the body none (QUIRKS 4). */
  readonly soapPrefix?: string | undefined
  readonly bodyPrefix?: string | undefined
  /** mm7: it answers HTTP 200 without a body when it takes a request (QUIRKS 24). Default false: that is no answer. */
  readonly emptyAnswerAccepts?: boolean | undefined
  /** mm4: header fields that do not reach it, by name; a `*` at the end stands for any ending (QUIRKS 50). */
  readonly dropFields?: readonly string[] | undefined
  /** mm7: ServiceCode of our DeliverRsp (MM7-070); absent: none is returned. */
  readonly serviceCode?: string | undefined
  /** mm7: messages that are taken from the peer in a minute, evenly spread; above it 4006 (MM7-072). Absent: any number. */
  readonly messagesPerMinute?: number | undefined
  /** mm4: whether we ask for MM4_forward.RES (default yes); a peer that never answers is taken at its 250. */
  readonly ackRequest?: boolean | undefined
  /** mm4: prefixes of the numbers that the peer may send from (SEC-031); absent = any. */
  readonly numbers?: readonly string[] | undefined
}

/** `match`: number:<prefix> | shortcode:<digits> | domain:<name, .parent or *> | address:<addr-spec>. */
export interface Route {
  readonly match: string
  /** store | smtp:PEER | mm7-submit:PEER | mm7-deliver:PEER | mm4:PEER | mx | by-number | reject | reject:CODE */
  readonly to: string
}
