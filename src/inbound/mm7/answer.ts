/** MM7 answers: the operation's own response, or a SOAP fault (MM7-014, MM7-042, MM7-043, MM7-076). */
import type { FaultKind } from '../../model/fault.ts'
import type { Peer } from '../../model/settings.ts'
import type { HttpContent, XmlElement } from '../../wire/mm7/message.ts'
import { mm7Versions, statusText } from '../../wire/mm7/status.ts'
import { element, schemaNamespace, writeFault, writeMm7 } from '../../wire/mm7/write.ts'

export interface Mm7Answer {
  readonly status: number
  readonly details?: string
  readonly messageId?: string
  readonly retryAfterSeconds?: number
}

/** MM7Version values of the schemas (mapping.md 1.8). */
export const versions: ReadonlySet<string> = new Set(mm7Versions)

export const statusOfFault: Readonly<Record<FaultKind, number>> = {
  malformed: 2007,
  unsupported: 4003,
  unauthenticated: 4001,
  forbidden: 2001,
  'not-found': 2003,
  exists: 3000,
  'in-use': 3000,
  'has-children': 3000,
  'too-large': 2004,
  'content-refused': 2004,
  'over-quota': 3000,
  limit: 3000,
  unavailable: 3000,
  bug: 3000,
}

/** What of the request the answer mirrors. */
export interface Mirror {
  readonly transactionId: string
  readonly namespace: string
  readonly version: string
  /** Name of the request, or '' when it was not read. */
  readonly operation: string
}

const known =
  /^(SubmitReq|DeliverReq|CancelReq|ReplaceReq|extendedCancelReq|extendedReplaceReq|DeliveryReportReq|ReadReplyReq)$/
export const isKnownOperation = (operation: string): boolean => known.test(operation)

/** Not understood, or not allowed, as an MM7 operation at all (MM7-043). */
const needsFault = (status: number): boolean => status >= 4001 && status <= 4004

export interface WrittenAnswer {
  readonly httpStatus: 200 | 500
  readonly content: HttpContent
}

export function writeAnswer(
  answer: Mm7Answer,
  mirror: Mirror,
  peer: Pick<Peer, 'role' | 'serviceCode' | 'soapPrefix' | 'bodyPrefix'> | undefined,
): WrittenAnswer {
  const prefixes = { soap: peer?.soapPrefix, body: peer?.bodyPrefix }
  const code = element('StatusCode', String(answer.status))
  const status = element('Status', [
    code,
    element('StatusText', statusText(answer.status)),
    ...(answer.details ? [element('Details', answer.details)] : []),
  ])
  const body = (name: string, ...more: XmlElement[]): XmlElement =>
    element(name, [element('MM7Version', mirror.version), status, ...more])
  if (needsFault(answer.status) || !isKnownOperation(mirror.operation)) {
    const client = answer.status < 3000 || needsFault(answer.status) || answer.status === 4007
    return {
      httpStatus: 500,
      content: writeFault({
        prefixes,
        code: client ? 'Client' : 'Server',
        string: client ? 'Client error' : 'Server error',
        transactionId: mirror.transactionId,
        namespace: mirror.namespace,
        detail: body(errorName(mirror.operation, peer?.role)),
      }),
    }
  }
  const accepted = answer.status === 1000 || answer.status === 1100
  const id = answer.messageId !== undefined && accepted ? [element('MessageID', answer.messageId)] : []
  const { operation } = mirror
  // MM7-070.
  const service =
    operation === 'DeliverReq' && accepted && peer?.serviceCode !== undefined
      ? [element('ServiceCode', peer.serviceCode)]
      : []
  const name = operation.replace(/Req$/, 'Rsp')
  return {
    httpStatus: 200,
    content: writeMm7({
      prefixes,
      transactionId: mirror.transactionId,
      namespace: mirror.namespace,
      body: operation.startsWith('extended')
        ? // The schema has the id before the status there, and of the status the code alone.
          element(name, [element('MM7Version', mirror.version), ...id, element('Status', [code])])
        : body(name, ...id, ...service),
    }),
  }
}

/** A VASP is never sent VASPErrorRsp; requests of an R/S are (MM7-003). */
function errorName(operation: string, role: 'rs' | 'vasp' | undefined): string {
  if (role === 'vasp') return 'RSErrorRsp'
  if (/^(DeliverReq|DeliveryReportReq|ReadReplyReq)$/.test(operation)) return 'VASPErrorRsp'
  return role === 'rs' && !isKnownOperation(operation) ? 'VASPErrorRsp' : 'RSErrorRsp'
}

/** The request's namespace and version where we know them, else the peer's (MM7-014, MM7-015). */
export function mirrorOf(
  seen: {
    readonly transactionId?: string | undefined
    readonly namespace?: string | undefined
    readonly operation?: string | undefined
  },
  version: string | undefined,
  peer: Peer | undefined,
): Mirror {
  const own = schemaNamespace(peer?.schema ?? 'REL-6-MM7-1-4')
  return {
    transactionId: seen.transactionId ?? '',
    namespace: seen.namespace && /REL-[56]-MM7-1-\d$/.test(seen.namespace) ? seen.namespace : own,
    version: version !== undefined && versions.has(version) ? version : (peer?.version ?? '6.8.0'),
    operation: seen.operation ?? '',
  }
}
