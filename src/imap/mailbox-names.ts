/** Rules of mailbox names that hold whatever the encoding (MB-01, MB-08). */
import { Fault } from '../model/fault.ts'

const maxNameCharacters = 500
const maxLevels = 50

/** A name that may be created. A trailing delimiter only announces children (MX-02). @throws Fault 'content-refused' */
export function creatableName(given: string): string {
  const name = given.endsWith('/') ? given.slice(0, -1) : given
  const levels = name.split('/')
  if (name === '' || levels.some((level) => level === '' || level === '.' || level === '..'))
    throw new Fault('content-refused', 'the name has an empty level, "." or ".."')
  if (name.length > maxNameCharacters || levels.length > maxLevels)
    throw new Fault(
      'content-refused',
      `a name has at most ${maxNameCharacters} characters and ${maxLevels} levels`,
    )
  // What a session in UTF-8 could never name (MB-07) is not made in modified UTF-7 either.
  if (/[*%\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(name))
    throw new Fault('content-refused', 'the name holds a wildcard or a control character')
  return name
}

/** CREATE would take the name as it stands (RFC 3501 §7.1 TRYCREATE; AP-06, AP-11). */
export function isCreatable(name: string): boolean {
  try {
    return creatableName(name) === name
  } catch {
    return false
  }
}

/** INBOX in any case is INBOX, and so is the first level of its children (MB-01). */
export const canonicalName = (name: string): string => name.replace(/^inbox(?=$|\/)/i, 'INBOX')

/** The levels above a name, outermost first. */
export function parentsOf(name: string): string[] {
  const levels = name.split('/')
  return levels.slice(1).map((_, i) => levels.slice(0, i + 1).join('/'))
}
