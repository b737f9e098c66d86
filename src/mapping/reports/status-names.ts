/** MMStatus of delivery and read reports as MM7 peers spell them (mapping.md 1.8; MAP-189, QUIRKS 34, 45). */
import type { DeliveryStatus } from '../../model/neutral.ts'

const names = new Map<string, DeliveryStatus>([
  ['expired', 'expired'],
  ['dateexpired', 'expired'],
  ['retrieved', 'retrieved'],
  ['rejected', 'rejected'],
  ['deferred', 'deferred'],
  ['indeterminate', 'indeterminate'],
  ['forwarded', 'forwarded'],
  ['unreachable', 'unreachable'],
  ['unrecognised', 'unrecognised'],
  ['unrecognized', 'unrecognised'],
  ['notsupported', 'unrecognised'],
  ['deliveryconditionnotmet', 'delivery-condition-not-met'],
])

/** An unknown name or a provider's code counts as Indeterminate (AMB-04); its exact text is kept beside it. */
export const deliveryStatusOf = (text: string): DeliveryStatus =>
  names.get(text.toLowerCase().replace(/[^a-z]/g, '')) ?? 'indeterminate'

export function readStatusOfMms(text: string): 'read' | 'deleted' | 'indeterminate' {
  const word = text.toLowerCase().replace(/[^a-z]/g, '')
  if (word === 'read') return 'read'
  return word.startsWith('deleted') ? 'deleted' : 'indeterminate'
}

/** MMStatusExtension and X-Mms-MM-Status-Extension, both spellings (MAP-208). */
export function rejectedByOf(text: string | undefined): 'recipient' | 'other-rs' | undefined {
  const word = (text ?? '').toLowerCase().replace(/[^a-z]/g, '')
  if (word === 'rejectionbymmsrecipient' || word === 'rejectedbyrecipient') return 'recipient'
  if (word === 'rejectionbyotherrs' || word === 'rejectedbyotherrs' || word === 'rejectedbyothermmsc')
    return 'other-rs'
  return undefined
}
