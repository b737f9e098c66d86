/**
 * Mail of other projects, read in place: structure, names and text as the scanner and as mailparser find them, who agree
 * except where a reason says who is right (SEC-021, GEN-013). What becomes of it by every way out: corpus-ways.test.ts.
 */
import { simpleParser } from 'mailparser'
import { describe, expect, test } from 'vitest'
import { decodeText } from '../src/wire/mime/charset.ts'
import { decodeWords } from '../src/wire/mime/encoded-words.ts'
import type { MimeNode } from '../src/wire/mime/node.ts'
import { parseDisposition } from '../src/wire/mime/parameters.ts'
import { decodeBody, fieldValue, scanMessage } from '../src/wire/mime/scan.ts'
import { corpusFiles, hasCorpus, receivedMail } from './support/corpus.ts'

const mails = [...(corpusFiles.get('mail') ?? []), ...(corpusFiles.get('carrier-mail') ?? [])]

/** Where mailparser shows the content otherwise by design: opened messages, calendars twice, parts of 21 levels and more. */
const shownOtherwise = (node: MimeNode): boolean =>
  leaves(node).some(
    (n) => n.type === 'message' || (n.type === 'text' && n.subtype === 'calendar') || n.defect === 'too-deep',
  )

/** Where the two parsers differ, and who is right. */
const known: readonly {
  readonly file: RegExp
  readonly what: 'text' | 'parts' | 'names' | 'subject'
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
    file: /thirdparty\/005/,
    what: 'text',
    why: 'both: octets that are wrong in their charset, shown or dropped',
  },
  {
    file: /james-3901/,
    what: 'names',
    why: 'scanner: a percent sign in a plain name is itself, RFC 2231 needs the asterisk',
  },
  {
    file: /attachment_with_encoded_name|raw_email8/,
    what: 'names',
    why: 'both: an octet that is wrong in its charset, shown or dropped',
  },
  { file: /malformed\/005/, what: 'text', why: 'both: a boundary that is the close delimiter of another' },
  {
    file: /malformed\/017/,
    what: 'parts',
    why: 'scanner: the boundary is found though a semicolon is missing',
  },
]

describe.skipIf(!hasCorpus)('corpus: the scanner against mailparser', () => {
  test('structure, names and text agree', async () => {
    const differ: string[] = []
    const used = new Set<(typeof known)[number]>()
    const count = { compared: 0, agreed: 0, explained: 0, otherwise: 0 }
    for (const file of mails) {
      const octets = receivedMail(file)
      const node = scanMessage(octets)
      const parsed = await simpleParser(octets, {
        skipHtmlToText: true,
        skipTextToHtml: true,
        skipImageLinks: true,
        skipTextLinks: true,
      })
      count.compared++
      const found: string[] = []
      const subject = decodeWords(fieldValue(octets, node, 'Subject') ?? '')
        .replace(/\s+/g, ' ')
        .trim()
      if (subject !== (parsed.subject ?? '').replace(/\s+/g, ' ').trim())
        found.push(`subject: ${JSON.stringify(subject)} | ${JSON.stringify(parsed.subject)}`)
      if (shownOtherwise(node)) {
        count.otherwise++
        differ.push(...found.map((f) => `${file}: ${f}`))
        continue
      }
      const attachments = leaves(node).filter((n) => isAttachment(octets, n))
      const theirs = parsed.attachments.map((a) => a.size)
      const ours = attachments.map((n) => decodeBody(octets, n).length)
      if (JSON.stringify(ours) !== JSON.stringify(theirs))
        found.push(`parts: ${ours.join(' ')} | ${theirs.join(' ')}`)
      const names = attachments.map((n) => nameOf(octets, n))
      const theirNames = parsed.attachments.map((a) => a.filename ?? '')
      if (ours.length === theirs.length && JSON.stringify(names) !== JSON.stringify(theirNames))
        found.push(`names: ${JSON.stringify(names)} | ${JSON.stringify(theirNames)}`)
      const text = leaves(node)
        .filter((n) => n.type === 'text' && n.subtype === 'plain' && !isAttachment(octets, n))
        .map((n) => decodeText(decodeBody(octets, n), n.params.find((p) => p.name === 'charset')?.value))
        .join('\n')
      const squeezed = (t: string): string => t.replace(/\s+/g, '')
      if (parsed.text !== undefined && squeezed(text) !== squeezed(parsed.text))
        found.push(
          `text: ${JSON.stringify(squeezed(text).slice(0, 60))} | ${JSON.stringify(squeezed(parsed.text).slice(0, 60))}`,
        )
      const reasons = found.map((f) => known.find((k) => k.file.test(file) && f.startsWith(k.what)))
      for (const reason of reasons) if (reason) used.add(reason)
      const left = found.filter((_, i) => reasons[i] === undefined)
      if (left.length === 0) count[found.length === 0 ? 'agreed' : 'explained']++
      differ.push(...left.map((f) => `${file}: ${f}`))
    }
    console.info(`corpus scanner: ${JSON.stringify(count)}`)
    expect(differ).toEqual([])
    // A reason that nothing needs any more is none.
    expect(known.filter((reason) => !used.has(reason))).toEqual([])
    expect(count.agreed).toBeGreaterThanOrEqual(248)
  }, 120_000)
})

const leaves = (node: MimeNode): MimeNode[] =>
  node.type === 'multipart' ? node.parts.flatMap(leaves) : [node]

const nameOf = (octets: Buffer, node: MimeNode): string => {
  const disposition = fieldValue(octets, node, 'Content-Disposition')
  const given =
    (disposition && parseDisposition(disposition).params.find((p) => p.name === 'filename')?.value) ??
    node.params.find((p) => p.name === 'name')?.value
  return given ?? ''
}

const isAttachment = (octets: Buffer, node: MimeNode): boolean =>
  // An unknown disposition is an attachment (RFC 2183 §2.8).
  !/^(inline)?\s*(;|$)/i.test(fieldValue(octets, node, 'Content-Disposition') ?? '') ||
  node.type !== 'text' ||
  !/^(plain|html|enriched|richtext)$/.test(node.subtype)
