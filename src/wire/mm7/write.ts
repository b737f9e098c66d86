/** Writes MM7 messages: the strict form only (MM7-019, MM7-021, MM7-026, MM7-027). */
import { writeField } from '../mime/write-header.ts'
import type { HttpContent, Mm7Draft, XmlElement } from './message.ts'

const soap11 = 'http://schemas.xmlsoap.org/soap/envelope/'
export const xmlType = 'text/xml; charset="utf-8"'

export const schemaNamespace = (ending: string): string =>
  `http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/${ending}`

/** An element to be written; children without text of their own, or text without children. */
export const element = (
  name: string,
  content: string | readonly XmlElement[],
  attributes: Readonly<Record<string, string>> = {},
): XmlElement => ({
  name,
  namespace: '',
  attributes,
  children: typeof content === 'string' ? [] : content,
  text: typeof content === 'string' ? content : '',
})

export function writeMm7(draft: Mm7Draft): HttpContent {
  const xml = Buffer.from(envelope(draft), 'utf8')
  if (!draft.content) return { contentType: xmlType, body: [xml] }
  const { boundary = '', rootId = '', content } = draft
  const fields = content.fields.map((f) => writeField(f.name, f.value)).join('')
  return {
    contentType: `multipart/related; boundary="${boundary}"; type="text/xml"; start="${rootId}"`,
    body: [
      Buffer.from(`--${boundary}\r\nContent-Type: ${xmlType}\r\nContent-ID: ${rootId}\r\n\r\n`, 'latin1'),
      xml,
      Buffer.from(`\r\n--${boundary}\r\n${fields}\r\n`, 'latin1'),
      ...content.body,
      Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'),
    ],
  }
}

function envelope(draft: Mm7Draft): string {
  const { soap = 'env', body = '' } = draft.prefixes ?? {}
  // SEC-050: the TransactionID of a refused request may be anything the peer wrote, so it is escaped like all text.
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<${soap}:Envelope xmlns:${soap}="${soap11}">${soapHeader(draft, soap)}` +
    `<${soap}:Body>${write(draft.body, draft.namespace, body)}</${soap}:Body></${soap}:Envelope>`
  )
}

/** A SOAP Fault with an MM7 error element as its detail (MM7-042); without one a plain SOAP fault (MM7-010, MM7-013). */
export function writeFault(fault: {
  readonly code: string
  readonly string: string
  readonly transactionId: string
  readonly namespace: string
  readonly detail?: XmlElement
  readonly prefixes?: Mm7Draft['prefixes']
}): HttpContent {
  const { soap = 'env', body = '' } = fault.prefixes ?? {}
  const detail = fault.detail ? `<detail>${write(fault.detail, fault.namespace, body)}</detail>` : ''
  const xml =
    `<?xml version="1.0" encoding="UTF-8"?>\n<${soap}:Envelope xmlns:${soap}="${soap11}">${soapHeader(fault, soap)}<${soap}:Body><${soap}:Fault>` +
    `<faultcode>${soap}:${fault.code}</faultcode><faultstring>${text(fault.string)}</faultstring>${detail}</${soap}:Fault></${soap}:Body></${soap}:Envelope>`
  return { contentType: xmlType, body: [Buffer.from(xml, 'utf8')] }
}

/** No TransactionID to repeat: no header (MM7-012, MM7-018). */
const soapHeader = (
  of: { readonly transactionId: string; readonly namespace: string },
  soap = 'env',
): string =>
  of.transactionId === ''
    ? ''
    : `<${soap}:Header><mm7:TransactionID xmlns:mm7="${attribute(of.namespace)}" ${soap}:mustUnderstand="1">${text(of.transactionId)}</mm7:TransactionID></${soap}:Header>`

/** The namespace is declared once, on the outermost element. */
const write = (node: XmlElement, namespace: string, prefix = ''): string =>
  prefix === ''
    ? written(node, '', ` xmlns="${attribute(namespace)}"`)
    : written(node, `${prefix}:`, ` xmlns:${prefix}="${attribute(namespace)}"`)

function written(node: XmlElement, prefix: string, declared = ''): string {
  const name = `${prefix}${node.name}`
  let start = `<${name}${declared}`
  for (const [name, value] of Object.entries(node.attributes)) start += ` ${name}="${attribute(value)}"`
  let inner = ''
  for (const one of node.children) inner += written(one, prefix)
  if (node.children.length === 0) inner = text(node.text)
  return inner === '' ? `${start}/>` : `${start}>${inner}</${name}>`
}

/** Characters that XML 1.0 cannot carry become U+FFFD (MM7-019). */
const legal = (value: string): string =>
  value.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')

const text = (value: string): string => (/^[ !#-%(-;=?-~]*$/.test(value) ? value : escaped(value))

const escaped = (value: string): string =>
  legal(value)
    .replace(/[&<>"']/g, (c) => entities[c] ?? c)
    .replace(/\r/g, '&#13;')

const attribute = (value: string): string =>
  text(value).replace(/[\t\n]/g, (c) => (c === '\t' ? '&#9;' : '&#10;'))

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}
