import type { ComputedDigest } from '../../src/model/message-digest.ts'

/** A digest for tests of the store, which keeps what it is given. */
export const digestFor = (octets: Uint8Array): ComputedDigest => ({
  size: octets.length,
  envelope: '(NIL "subject" NIL NIL NIL NIL NIL NIL NIL NIL)',
  bodyStructure: '("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1 NIL NIL NIL NIL)',
  body: '("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1)',
  structure: {
    headerStart: 0,
    bodyStart: 0,
    bodyEnd: octets.length,
    type: 'text/plain',
    encoding: '7bit',
    parts: [],
  },
  sentAt: null,
  sentOffsetMinutes: null,
  baseSubject: 'subject',
  messageId: null,
  references: [],
  preview: 'preview',
  keys: {
    subject: 'SUBJECT',
    isReply: false,
    from: '',
    to: '',
    cc: '',
    displayFrom: '',
    displayTo: '',
    fields: '\nSUBJECT:SUBJECT',
    allFields: true,
  },
})
