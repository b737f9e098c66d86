/**
 * Mail and MM7 of other projects, read in place: nothing crashes or hangs, what is written is valid on its carrier, and
 * the scanner agrees with mailparser except where a reason says who is right (MAP-001, SEC-021).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { simpleParser } from 'mailparser'
import { describe, expect, test } from 'vitest'
import { fixtureIds } from '../src/cli/conform/fixture-ids.ts'
import { httpField, parseHttp } from '../src/cli/conform/http-octets.ts'
import { readMail, writeMail } from '../src/mapping/carriers/mail.ts'
import { readMm7Message, writeMm7Request } from '../src/mapping/carriers/mm7.ts'
import type { MappingContext } from '../src/mapping/context.ts'
import { Fault } from '../src/model/fault.ts'
import { isRefusal } from '../src/model/refusal.ts'
import type { Settings } from '../src/model/settings.ts'
import { decodeText } from '../src/wire/mime/charset.ts'
import { decodeWords } from '../src/wire/mime/encoded-words.ts'
import type { MimeNode } from '../src/wire/mime/node.ts'
import { decodeBody, fieldValue, scanMessage } from '../src/wire/mime/scan.ts'
import { readMm7 } from '../src/wire/mm7/read.ts'
import { Mm7Refusal } from '../src/wire/mm7/refusal.ts'
import { writeMm7 } from '../src/wire/mm7/write.ts'
import { mailDefects } from './support/valid-mail.ts'

const root = fileURLToPath(new URL('../../shared/corpus/', import.meta.url))
const settings = JSON.parse(
  readFileSync(new URL('../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const now = Date.parse('2024-03-05T10:15:30Z')
const context = (): MappingContext => ({
  settings,
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now,
})
const filesIn = (folder: string, pattern: RegExp): string[] =>
  existsSync(root + folder)
    ? (readdirSync(root + folder, { recursive: true }) as string[])
        .filter((name) => pattern.test(name) && !/PROVENANCE|COPYING|LICEN|README/i.test(name))
        .map((name) => `${folder}/${name}`)
        .sort()
    : []
const mails = [
  ...filesIn('mail', /\.(eml|raw|txt)$/),
  ...filesIn('carrier-mail', /\.(eml|raw|txt|mail)$|\/[^.]+$/),
]
const requests = filesIn('mm7', /\.(http|txt|xml)$/)
const present = existsSync(root)

/** As SMTP would have taken it: lines end in CRLF, the first may be an mbox separator. */
const received = (file: string): Buffer => {
  const text = readFileSync(root + file).toString('latin1')
  return Buffer.from(text.replace(/^From .*\r?\n/, '').replace(/\r\n|\r|\n/g, '\r\n'), 'latin1')
}

const envelope = {
  session: { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true },
  mailFrom: { path: 'alice@example.org', params: {} },
  rcptTo: [{ path: '+12025550123@mms.example.net', params: {} }],
  receivedAt: now / 1000,
}

describe.skipIf(!present)('corpus (skipped without ../shared/corpus)', () => {
  test('every mail becomes a SubmitReq that is well-formed, or is refused; and comes back as valid mail', () => {
    const count = { mails: 0, submitted: 0, refused: 0 }
    const slow: string[] = []
    const bad: string[] = []
    for (const file of mails) {
      const started = performance.now()
      count.mails++
      const message = readMail(received(file), envelope, { queueId: 'Q-0001' }, context())
      if (isRefusal(message)) {
        count.refused++
        continue
      }
      const target = {
        kind: 'mm7-submit',
        peerKey: 'mmsc',
        peer: { ...settings.peers.mmsc!, maxSize: 10_000_000 },
      } as const
      const draft = writeMm7Request(
        message,
        [...message.recipients.keys()].filter((i) => message.recipients[i]!.serve),
        target,
        context(),
      )
      if (isRefusal(draft)) count.refused++
      else {
        const out = writeMm7(draft)
        const request = readMm7(out.contentType, Buffer.concat(out.body))
        if (!request.content) bad.push(`${file}: the content is lost`)
        const back = readMm7Message(
          { ...request, operation: 'DeliverReq', body: deliver(request.body) },
          { peer: 'mmsc', ip: '', queueId: 'Q-0002', receivedAt: now },
          context(),
        )
        if (isRefusal(back)) bad.push(`${file}: not read again: ${back.text}`)
        else {
          const mail = writeMail(
            {
              ...back,
              recipients: [
                {
                  party: { kind: 'mail', value: 'bob@example.org', raw: 'bob@example.org' },
                  field: 'to',
                  serve: true,
                },
              ],
            },
            [0],
            { extensions: new Map() },
            context(),
          )
          if (isRefusal(mail)) bad.push(`${file}: no mail: ${mail.text}`)
          else for (const defect of mailDefects(Buffer.concat(mail.octets))) bad.push(`${file}: ${defect}`)
        }
        count.submitted++
      }
      const took = performance.now() - started
      if (took > 2000) slow.push(`${file}: ${Math.round(took)} ms`)
    }
    console.info(`corpus mail: ${JSON.stringify(count)}`)
    expect(count.mails).toBeGreaterThan(200)
    expect(count.submitted).toBeGreaterThan(count.mails / 2)
    expect(slow).toEqual([])
    expect(bad).toEqual([])
  }, 120_000)

  test('every MM7 sample is read or refused in MM7 terms, and what is read becomes valid mail', () => {
    const count = { files: 0, messages: 0, others: 0, refused: 0 }
    const bad: string[] = []
    for (const file of requests) {
      count.files++
      const { contentType, body } = mm7Octets(file)
      try {
        const request = readMm7(contentType, body)
        if (!/^(SubmitReq|DeliverReq)$/.test(request.operation)) {
          count.others++
          continue
        }
        const message = readMm7Message(
          request,
          {
            peer: request.operation === 'SubmitReq' ? 'vasp1' : 'mmsc',
            ip: '',
            queueId: 'Q-0001',
            receivedAt: now,
          },
          context(),
        )
        if (isRefusal(message)) {
          count.refused++
          continue
        }
        count.messages++
        const mail = writeMail(
          {
            ...message,
            recipients: [
              {
                party: { kind: 'mail', value: 'bob@example.org', raw: 'bob@example.org' },
                field: 'to',
                serve: true,
              },
            ],
          },
          [0],
          { extensions: new Map() },
          context(),
        )
        if (isRefusal(mail)) bad.push(`${file}: no mail: ${mail.text}`)
        else for (const defect of mailDefects(Buffer.concat(mail.octets))) bad.push(`${file}: ${defect}`)
      } catch (error) {
        if (error instanceof Mm7Refusal || error instanceof Fault) count.refused++
        else bad.push(`${file}: ${String(error)}`)
      }
    }
    console.info(`corpus MM7: ${JSON.stringify(count)}`)
    expect(count.files).toBeGreaterThan(10)
    expect(count.messages).toBeGreaterThan(1)
    expect(bad).toEqual([])
  })
})

/** A SubmitReq's body as a DeliverReq's: the sender stands elsewhere. */
const deliver = (body: ReturnType<typeof readMm7>['body']): typeof body => ({
  ...body,
  name: 'DeliverReq',
  children: body.children.map((c) =>
    c.name === 'SenderIdentification'
      ? { ...c, name: 'Sender', children: c.children.find((x) => x.name === 'SenderAddress')?.children ?? [] }
      : c,
  ),
})

/** Whole HTTP requests, bodies that begin with their boundary, and bare envelopes. */
function mm7Octets(file: string): { contentType: string; body: Buffer } {
  const octets = Buffer.from(
    readFileSync(root + file)
      .toString('latin1')
      .replace(/\r\n|\n/g, '\r\n'),
    'latin1',
  )
  if (/^(POST|HTTP)/.test(octets.toString('latin1', 0, 5))) {
    const http = parseHttp(octets)
    return { contentType: httpField(http, 'Content-Type') ?? 'text/xml', body: http.body }
  }
  const boundary = /^\s*--([^\r\n]+)/.exec(octets.toString('latin1'))?.[1]
  if (boundary !== undefined)
    return { contentType: `multipart/related; type="text/xml"; boundary="${boundary}"`, body: octets }
  return { contentType: 'text/xml', body: octets }
}

/** Where mailparser shows the content otherwise by design: opened messages, calendars twice, parts of 21 levels and more. */
const shownOtherwise = (node: MimeNode): boolean =>
  leaves(node).some(
    (n) => n.type === 'message' || (n.type === 'text' && n.subtype === 'calendar') || n.defect === 'too-deep',
  )

/** Where the two parsers differ, and who is right. */
const known: readonly {
  readonly file: RegExp
  readonly what: 'text' | 'parts' | 'subject'
  readonly why: string
}[] = [
  {
    file: /epilogue-sample/,
    what: 'parts',
    why: 'scanner: a close delimiter followed by stray text still closes',
  },
  {
    file: /chardet-(success|fail)|github-102-0[12]|m4001/,
    what: 'text',
    why: 'scanner: 8-bit text without a usable charset is windows-1252',
  },
  { file: /github-102-0[12]|m4001/, what: 'subject', why: 'scanner: raw 8-bit subjects are windows-1252' },
  {
    file: /empty-ctype-bad-content/,
    what: 'parts',
    why: 'scanner: an unusable Content-Type is text/plain (RFC 2045 §5.2)',
  },
  {
    file: /multi-malformed/,
    what: 'text',
    why: 'scanner: a part without a header and its empty line is text, not nothing',
  },
  { file: /deeply_nested/, what: 'text', why: 'limit: 20 levels (SEC-021)' },
  {
    file: /james-jmap\/alternative\.eml/,
    what: 'text',
    why: 'scanner: the delimiter is not part of the text before it',
  },
  {
    file: /oneHtmlAttachmentAndSomeTextInlined/,
    what: 'parts',
    why: 'scanner: what stands after a part header without an empty line is its body',
  },
  { file: /raw_email11|stalwart\/rfc\/003/, what: 'parts', why: 'scanner: text/enriched is text' },
  {
    file: /example14|thirdparty\/005/,
    what: 'subject',
    why: 'both: octets that are wrong in their charset, shown or dropped',
  },
  {
    file: /thirdparty\/005/,
    what: 'text',
    why: 'both: octets that are wrong in their charset, shown or dropped',
  },
  { file: /malformed\/005/, what: 'text', why: 'both: a boundary that is the close delimiter of another' },
  {
    file: /malformed\/017/,
    what: 'parts',
    why: 'scanner: the boundary is found though a semicolon is missing',
  },
]

describe.skipIf(!present)('corpus: the scanner against mailparser', () => {
  test('structure, names and text agree', async () => {
    const differ: string[] = []
    const count = { compared: 0, agreed: 0, explained: 0, otherwise: 0 }
    for (const file of mails) {
      const octets = received(file)
      const node = scanMessage(octets)
      const parsed = await simpleParser(octets, {
        skipHtmlToText: true,
        skipTextToHtml: true,
        skipImageLinks: true,
        skipTextLinks: true,
      })
      count.compared++
      const found: string[] = []
      if (shownOtherwise(node)) {
        count.otherwise++
        continue
      }
      const subject = decodeWords(fieldValue(octets, node, 'Subject') ?? '')
        .replace(/\s+/g, ' ')
        .trim()
      if (subject !== (parsed.subject ?? '').replace(/\s+/g, ' ').trim())
        found.push(`subject: ${JSON.stringify(subject)} | ${JSON.stringify(parsed.subject)}`)
      const attachments = leaves(node).filter((n) => isAttachment(octets, n))
      const theirs = parsed.attachments.map((a) => a.size)
      const ours = attachments.map((n) => decodeBody(octets, n).length)
      if (JSON.stringify(ours) !== JSON.stringify(theirs))
        found.push(`parts: ${ours.join(' ')} | ${theirs.join(' ')}`)
      const text = leaves(node)
        .filter((n) => n.type === 'text' && n.subtype === 'plain' && !isAttachment(octets, n))
        .map((n) => decodeText(decodeBody(octets, n), n.params.find((p) => p.name === 'charset')?.value))
        .join('\n')
      const squeezed = (t: string): string => t.replace(/\s+/g, '')
      if (parsed.text !== undefined && squeezed(text) !== squeezed(parsed.text))
        found.push(
          `text: ${JSON.stringify(squeezed(text).slice(0, 60))} | ${JSON.stringify(squeezed(parsed.text).slice(0, 60))}`,
        )
      const left = found.filter((f) => !known.some((k) => k.file.test(file) && f.startsWith(k.what)))
      if (left.length === 0) count[found.length === 0 ? 'agreed' : 'explained']++
      differ.push(...left.map((f) => `${file}: ${f}`))
    }
    console.info(`corpus scanner: ${JSON.stringify(count)}`)
    expect(differ).toEqual([])
  }, 120_000)
})

const leaves = (node: MimeNode): MimeNode[] =>
  node.type === 'multipart' ? node.parts.flatMap(leaves) : [node]

const isAttachment = (octets: Buffer, node: MimeNode): boolean =>
  // An unknown disposition is an attachment (RFC 2183 §2.8).
  !/^(inline)?\s*(;|$)/i.test(fieldValue(octets, node, 'Content-Disposition') ?? '') ||
  node.type !== 'text' ||
  !/^(plain|html|enriched|richtext)$/.test(node.subtype)
