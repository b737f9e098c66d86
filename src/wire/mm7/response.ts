/** Reads what an MM7 peer answered, by content and not by HTTP status (MM7-033, MM7-044; QUIRKS 11, 12, 24). */
import { Fault } from '../../model/fault.ts'
import type { XmlElement } from './message.ts'
import { child, childText, parseXml } from './xml.ts'

export interface Mm7Response {
  readonly transactionId?: string
  readonly statusCode: number
  readonly statusText: string
  /** Text of Details, its children's included. */
  readonly details?: string
  readonly messageId?: string
}

/** @throws Fault 'malformed' when the body is no SOAP at all, or has no status */
export function readMm7Response(octets: Uint8Array): Mm7Response {
  const envelope = parseXml(octets)
  if (envelope.name !== 'Envelope')
    throw new Fault('malformed', `the answer is ${envelope.name}, not a SOAP Envelope`)
  const transactionId = childText(child(envelope, 'Header'), 'TransactionID')
  const given = child(envelope, 'Body')?.children[0]
  if (!given) throw new Fault('malformed', 'the SOAP Body of the answer is empty')
  const result = given.name === 'Fault' ? faultStatus(given) : statusOf(given)
  if (!result) throw new Fault('malformed', `${given.name} has no StatusCode`)
  return transactionId === undefined ? result : { transactionId, ...result }
}

function statusOf(element: XmlElement): Mm7Response | undefined {
  const status = child(element, 'Status') ?? element
  const code = childText(status, 'StatusCode')
  if (code === undefined || !/^\d+$/.test(code)) return undefined
  const details = textOf(child(status, 'Details'))
  const messageId = childText(element, 'MessageID')
  return {
    statusCode: Number(code),
    statusText: childText(status, 'StatusText') ?? '',
    ...(details ? { details } : {}),
    ...(messageId === undefined ? {} : { messageId }),
  }
}

const textOf = (element: XmlElement | undefined): string =>
  element ? [element.text, ...element.children.map(textOf)].filter((t) => t !== '').join(' ') : ''

/** The error element anywhere inside the detail; without one the fault code decides (MM7-044). */
function faultStatus(fault: XmlElement): Mm7Response {
  const found = findStatus(child(fault, 'detail') ?? fault, 0)
  if (found) return found
  const code = childText(fault, 'faultcode') ?? ''
  const text = childText(fault, 'faultstring') ?? 'SOAP Fault'
  return { statusCode: /client$/i.test(code) ? 4004 : 4000, statusText: text }
}

function findStatus(element: XmlElement, depth: number): Mm7Response | undefined {
  if (depth > 5) return undefined
  const own = statusOf(element)
  if (own) return own
  for (const inner of element.children) {
    const found = findStatus(inner, depth + 1)
    if (found) return found
  }
  return undefined
}
