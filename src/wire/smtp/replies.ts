/** SMTP replies (RFC 5321 §4.2, RFC 2034, RFC 3463), and what every fault and refusal becomes (mapping.md 1.4). */
import type { Fault, FaultKind } from '../../model/fault.ts'
import type { Refusal, RefusalReason } from '../../model/refusal.ts'

export interface Reply {
  readonly code: number
  /** '5.1.1'; none on greetings, EHLO and 3xx (RFC 2034 §4). */
  readonly enhanced?: string | undefined
  readonly lines: readonly string[]
}

export const reply = (code: number, enhanced: string | undefined, ...lines: readonly string[]): Reply => ({
  code,
  enhanced,
  lines,
})

const clean = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 400)
    .trim()

export function writeReply({ code, enhanced, lines }: Reply): string {
  const texts = lines.length > 0 ? lines : ['OK']
  return texts
    .map((text, i) => {
      const separator = i === texts.length - 1 ? ' ' : '-'
      // A challenge is base64, and whole (RFC 4954 §4).
      const shown = code === 334 ? text : clean(text)
      return `${code}${separator}${enhanced === undefined ? '' : `${enhanced} `}${shown}\r\n`
    })
    .join('')
}

const faults: Readonly<Record<FaultKind, readonly [number, string]>> = {
  malformed: [501, '5.5.4'],
  unsupported: [504, '5.5.4'],
  unauthenticated: [535, '5.7.8'],
  forbidden: [550, '5.7.1'],
  'not-found': [550, '5.1.1'],
  exists: [450, '4.2.0'],
  'in-use': [450, '4.2.0'],
  'has-children': [450, '4.2.0'],
  'too-large': [552, '5.3.4'],
  'content-refused': [554, '5.6.0'],
  'over-quota': [452, '4.2.2'],
  limit: [452, '4.2.0'],
  unavailable: [452, '4.3.1'],
  bug: [451, '4.3.0'],
}

/** Nothing of a bug is told to the peer. */
export function replyToFault(fault: Fault): Reply {
  const [code, enhanced] = faults[fault.kind]
  return reply(code, enhanced, fault.kind === 'bug' ? 'Local error, try again later' : fault.message)
}

const refusals: Readonly<Record<RefusalReason, readonly [number, string]>> = {
  malformed: [550, '5.6.0'],
  'bad-recipient': [553, '5.1.3'],
  'unknown-recipient': [550, '5.1.1'],
  'bad-sender': [553, '5.1.7'],
  'non-ascii-address': [553, '5.6.7'],
  'utf8-header': [554, '5.6.9'],
  'sender-hiding': [550, '5.7.1'],
  'reply-charging': [550, '5.7.1'],
  'content-refused': [554, '5.6.1'],
  unconvertible: [554, '5.6.3'],
  'not-capable': [554, '5.3.3'],
  'too-large': [552, '5.3.4'],
  'adaptation-denied': [554, '5.6.2'],
  privacy: [550, '5.6.0'],
  'mailbox-full': [552, '5.2.2'],
  'not-authorised': [550, '5.7.1'],
  identity: [550, '5.7.1'],
  'operation-denied': [550, '5.7.1'],
  loop: [554, '5.4.6'],
  expired: [550, '5.4.7'],
  'too-many': [450, '4.7.1'],
  temporary: [451, '4.3.0'],
}

export function replyToRefusal(refused: Refusal): Reply {
  const [code, enhanced] = refusals[refused.refused]
  return reply(code, enhanced, refused.text)
}
