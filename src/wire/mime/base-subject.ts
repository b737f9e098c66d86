/** Base subject of SORT and THREAD (RFC 5256 §2.1, grammar §5). */

export interface SubjectParts {
  readonly base: string
  /** A reply or forward mark was taken off: subj-refwd, "(fwd)" or "[fwd: ...]" (RFC 5256 §3 REFERENCES). */
  readonly isReply: boolean
}

/** Characters of a subject that count; more would only cost time (SC-36). */
const maxCharacters = 1000

const blob = String.raw`\[[^[\]]*\] *`
const blobAtStart = new RegExp(`^${blob}`)
/** subj-leader without its WSP: (*subj-blob subj-refwd). */
const mark = new RegExp(`^(?:${blob})*(?:re|fwd?) *(?:${blob})?:`, 'i')

/** Of a subject in Unicode, encoded words decoded. Translated marks stay (SO-07). */
export function subjectParts(subject: string): SubjectParts {
  // Step 1.
  let text = subject.slice(0, maxCharacters).replace(/[ \t\r\n]+/g, ' ')
  let isReply = false
  for (;;) {
    // Step 2: subj-trailer.
    for (;;) {
      const end = text.replace(/ +$/, '')
      if (!/\(fwd\)$/i.test(end)) {
        text = end
        break
      }
      isReply = true
      text = end.slice(0, -'(fwd)'.length)
    }
    // Steps 3 to 5: subj-leader, and subj-blob where something remains.
    for (let before: string | undefined; before !== text; ) {
      before = text
      text = text.replace(/^ +/, '')
      const found = mark.exec(text)
      if (found) {
        isReply = true
        text = text.slice(found[0].length)
        continue
      }
      const rest = text.replace(blobAtStart, '')
      if (rest !== '') text = rest
    }
    // Step 6: subj-fwd.
    if (!/^\[fwd:/i.test(text) || !text.endsWith(']')) return { base: text, isReply }
    isReply = true
    text = text.slice('[fwd:'.length, -1)
  }
}

export const baseSubject = (subject: string): string => subjectParts(subject).base
