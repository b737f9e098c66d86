import { Fault, type FaultKind } from '../../model/fault.ts'

/** X-Mms-Response-Status of what cannot be read (mapping.md 1.4, 1.10). */
export const formatCorrupt = 0xe2
export const unsupportedMessage = 0x88

/** An MM1 PDU that cannot be read, with what its sender is to be told. */
export class Mm1Fault extends Fault {
  /** X-Mms-Response-Status. */
  readonly responseStatus: number
  /** X-Mms-Transaction-Id, where the PDU got as far as that. */
  readonly transactionId: string | undefined

  constructor(kind: FaultKind, message: string, responseStatus: number, transactionId?: string) {
    super(kind, message)
    this.name = 'Mm1Fault'
    this.responseStatus = responseStatus
    this.transactionId = transactionId
  }
}

export const corrupt = (message: string): Mm1Fault => new Mm1Fault('malformed', message, formatCorrupt)
