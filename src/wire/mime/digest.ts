/** Computes once what FETCH, SORT, THREAD and SEARCH will ask of a message (D6). */
import type { AsciiForm, ComputedDigest, PartRange } from '../../model/message-digest.ts'
import { asciiHeaders } from './ascii-headers.ts'
import { baseSubject, subjectParts } from './base-subject.ts'
import { bodyStructureOf } from './body-structure.ts'
import { parseDate } from './date.ts'
import { decodeWords } from './encoded-words.ts'
import { envelopeOf } from './envelope.ts'
import { utf8Safe } from './imap-strings.ts'
import { keysOf } from './keys.ts'
import { isOpaque, type MimeNode, storeScanLimits } from './node.ts'
import { previewOf } from './preview.ts'
import { replaced, replacedNode } from './replaced.ts'
import { fieldValue, scanMessage } from './scan.ts'

export { baseSubject }

export function digestMessage(octets: Uint8Array): ComputedDigest {
  const node = scanMessage(octets, storeScanLimits)
  const date = parseDate(fieldValue(octets, node, 'Date') ?? '')
  const references = ids(fieldValue(octets, node, 'References') ?? '')
  const subject = subjectParts(decodeWords(fieldValue(octets, node, 'Subject') ?? ''))
  return {
    size: octets.length,
    envelope: envelopeOf(octets, node),
    bodyStructure: bodyStructureOf(octets, node, true),
    body: bodyStructureOf(octets, node, false),
    structure: rangeOf(node),
    sentAt: date?.epochMs ?? null,
    sentOffsetMinutes: date?.offsetMinutes ?? null,
    baseSubject: subject.base,
    messageId: ids(fieldValue(octets, node, 'Message-ID') ?? '')[0] ?? null,
    // In-Reply-To counts only without References, and only its first id (RFC 5256 §3, step 1).
    references:
      references.length > 0 ? references : ids(fieldValue(octets, node, 'In-Reply-To') ?? '').slice(0, 1),
    preview: previewOf(octets, node),
    keys: keysOf(octets, node, subject),
    ...asciiForm(octets, node),
  }
}

function asciiForm(octets: Uint8Array, node: MimeNode): { readonly ascii?: AsciiForm } {
  const replacements = asciiHeaders(octets, node)
  if (replacements.length === 0) return {}
  const shown = replaced(octets, replacements)
  const shownNode = replacedNode(node, replacements)
  return {
    ascii: {
      size: shown.length,
      envelope: envelopeOf(shown, shownNode),
      utf8: {
        envelope: envelopeOf(octets, node, utf8Safe),
        bodyStructure: bodyStructureOf(octets, node, true, utf8Safe),
        body: bodyStructureOf(octets, node, false, utf8Safe),
      },
      bodyStructure: bodyStructureOf(shown, shownNode, true),
      body: bodyStructureOf(shown, shownNode, false),
      structure: rangeOf(shownNode),
      replacements,
    },
  }
}

function rangeOf(node: MimeNode): PartRange {
  const charset = node.params.find((p) => p.name === 'charset')?.value
  return {
    headerStart: node.headerStart,
    bodyStart: node.bodyStart,
    bodyEnd: node.bodyEnd,
    type: isOpaque(node) ? 'application/octet-stream' : `${node.type}/${node.subtype}`,
    encoding: node.encoding,
    ...(charset === undefined ? {} : { charset }),
    parts: node.parts.map(rangeOf),
  }
}

/** More msg-ids of one message are not kept: the first, which roots the thread, and the last, its parent, are (SO-17). */
const maxIds = 200

/** msg-ids without brackets. A quoted local part is the same id as one without quotes (RFC 5256 §3). */
function ids(value: string): string[] {
  const all = [...value.matchAll(/<([^<>\s]+)>/g)].map((match) => match[1] ?? '')
  const kept = all.length <= maxIds ? all : [...all.slice(0, 1), ...all.slice(1 - maxIds)]
  return kept.map((id) => {
    const quoted = /^"((?:[^"\\]|\\.)*)"@/.exec(id)
    return quoted ? `${(quoted[1] ?? '').replace(/\\(.)/g, '$1')}@${id.slice(quoted[0].length)}` : id
  })
}
