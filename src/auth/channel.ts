/** The connection an exchange runs on, as far as authentication asks: TLS, channel bindings, client certificate. */
import { createHash, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** tls-unique is left out: it does not exist under TLS 1.3 (RFC 9266 §3, SA-10). */
export type BindingType = 'tls-exporter' | 'tls-server-end-point'

export interface ClientCertificate {
  /** subjectAltName rfc822Name, as the certificate spells them. */
  readonly rfc822Names: readonly string[]
  readonly validTo: number
}

export interface Channel {
  /** Remote address, for the back-off. */
  readonly peer: string
  readonly tls: boolean
  /** Passwords and bearer tokens may be sent here: TLS, or allowed by configuration (SA-04). */
  readonly confidential: boolean
  /** Channel binding octets; undefined where the type is not defined on this connection. */
  binding(type: BindingType): Uint8Array | undefined
  /** Verified in this TLS session; undefined otherwise (SA-15, SA-16). */
  readonly certificate?: ClientCertificate | undefined
  /** What the client must have connected to, where that is known for certain (RFC 7628 §3.2). */
  readonly host?: string | undefined
  readonly port?: number | undefined
  /**
   * After a success bound to the exporter: it serves one authentication of a TLS connection, not another one after
   * UNAUTHENTICATE (RFC 9266 §4.1).
   */
  spendExporter(): void
}

export type PlaintextPolicy = 'never' | 'loopback' | 'always'

/**
 * @param port of the listener as the outside sees it, where no translation stands in between; it is compared with what
 * OAUTHBEARER clients send
 */
export function channelOf(socket: Socket, plaintext: PlaintextPolicy, port?: number): Channel {
  const peer = socket.remoteAddress ?? ''
  const tls = socket instanceof TLSSocket ? socket : undefined
  const confidential =
    tls !== undefined || plaintext === 'always' || (plaintext === 'loopback' && isLoopback(peer))
  let spent = false
  return {
    peer,
    tls: tls !== undefined,
    confidential,
    binding: (type) =>
      tls === undefined
        ? undefined
        : type === 'tls-server-end-point'
          ? serverEndPoint(tls)
          : spent
            ? undefined
            : exporter(tls),
    certificate: tls && clientCertificate(tls),
    host: tls && typeof tls.servername === 'string' && tls.servername !== '' ? tls.servername : undefined,
    port,
    spendExporter() {
      spent = true
    },
  }
}

const isLoopback = (address: string): boolean => /^(?:::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/.test(address)

/**
 * RFC 9266 §2. Under TLS 1.2 it is sound only with the extended master secret (§4.2), which Node does not tell: TLS 1.3
 * only.
 */
function exporter(tls: TLSSocket): Uint8Array | undefined {
  if (tls.getProtocol() !== 'TLSv1.3') return undefined
  return tls.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
}

/** RFC 5929 §4.1: the hash of our certificate, by its own signature's hash, with MD5 and SHA-1 raised to SHA-256. */
function serverEndPoint(tls: TLSSocket): Uint8Array | undefined {
  const own = tls.getCertificate()
  const der = own !== null && 'raw' in own ? own.raw : undefined
  if (!(der instanceof Uint8Array)) return undefined
  return endPointBinding(der)
}

/** undefined where the type is undefined: no hash (EdDSA), or one not told by the name (RSASSA-PSS). */
export function endPointBinding(der: Uint8Array): Uint8Array | undefined {
  const algorithm = new X509Certificate(der).signatureAlgorithm?.toLowerCase() ?? ''
  const hash = /(?:^|[^a-z0-9])(md5|sha(?:1|224|256|384|512))(?:$|[^0-9])/.exec(algorithm)?.[1]
  if (hash === undefined) return undefined
  const raised = hash === 'md5' || hash === 'sha1' ? 'sha256' : hash
  return createHash(raised).update(der).digest()
}

/**
 * Node sets `authorized` on sockets that a tls.Server accepted, and never on one made of a plain socket for STARTTLS
 * (RFC 3501 §6.2.1): there we ask what the server would have asked. Whatever is missing is a no.
 */
function isVerified(tls: TLSSocket): boolean {
  if (tls.authorized) return true
  const handle: unknown = Reflect.get(tls, '_handle')
  if (typeof handle !== 'object' || handle === null) return false
  const verifyError: unknown = Reflect.get(handle, 'verifyError')
  return typeof verifyError === 'function' && verifyError.call(handle) === null
}

function clientCertificate(tls: TLSSocket): ClientCertificate | undefined {
  const x509 = tls.getPeerX509Certificate()
  if (!x509 || !isVerified(tls)) return undefined
  return { rfc822Names: rfc822Names(x509), validTo: Date.parse(x509.validTo) }
}

/** Node prints a value with unusual characters as a JSON string; each is asked of OpenSSL once more. */
export function rfc822Names(x509: X509Certificate): string[] {
  const names = [...(x509.subjectAltName ?? '').matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/g)]
    .filter(([, kind]) => kind === 'email')
    .map(([, , value = '']) => value)
    // An address that needs quoting is none that an account has.
    .filter((value) => !value.startsWith('"') && value.includes('@'))
  return names.filter((name) => x509.checkEmail(name, { subject: 'never' }) !== undefined)
}
