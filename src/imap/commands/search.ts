/** SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5182). */
import { isUtf8 } from 'node:buffer'
import { type SearchKey, searchKeys, usesKey } from '../../wire/imap/search-keys.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { bad, command, no, type Reply } from '../command.ts'
import { openContext, tagInUse } from '../context/open-context.ts'
import { awareOfModSeq } from '../mod-seq.ts'
import { findMessages, messageTest } from '../search/evaluate.ts'
import { withFilters } from '../search/filters.ts'
import {
  highest,
  type ReturnOptions,
  returnOptions,
  saveResult,
  savingAtBest,
  searched,
  tagCorrelator,
  tellEsearch,
  tellNumbers,
  tellsAnything,
} from '../search/return-options.ts'
import type { Session } from '../session.ts'

export interface SearchArguments {
  readonly options: ReturnOptions | undefined
  readonly charset: string | undefined
  readonly search: SearchKey
}

/** [RETURN (...) SP] [CHARSET x SP] keys; the first word tells which. */
export function searchProgram(input: CommandInput, session: Session): SearchArguments {
  let options: ReturnOptions | undefined
  if (input.tryWord('RETURN')) {
    options = returnOptions(input.sp(), session)
    input.sp()
  }
  let charset: string | undefined
  if (input.tryWord('CHARSET')) {
    // RFC 6855 §3: the charset is UTF-8, and is not said (U8-03).
    if (session.enabled.has('UTF8=ACCEPT')) input.fail('no CHARSET after ENABLE UTF8=ACCEPT')
    charset = input.sp().astring().toUpperCase()
    input.sp()
  }
  return { options, charset, search: searchKeys(input) }
}

/** What is wrong with the charset, or with strings that are not in it (SR-14, SR-15). */
export function charsetProblem(charset: string | undefined, search: SearchKey): Reply | undefined {
  if (charset !== undefined && charset !== 'UTF-8' && charset !== 'US-ASCII')
    // A filter is UTF-8 itself, so that with it another charset is a mistake (FI-07).
    return (usesKey(search, 'filter') ? bad : no)(
      'the charset is not supported',
      'BADCHARSET (US-ASCII UTF-8)',
    )
  return stringsOf(search).every((octets) => isUtf8(Buffer.from(octets, 'latin1')))
    ? undefined
    : bad('a string is not UTF-8')
}

function stringsOf(search: SearchKey): string[] {
  if (search.key === 'not') return stringsOf(search.inner)
  if ('keys' in search) return search.keys.flatMap(stringsOf)
  return 'text' in search ? [search.text] : []
}

export const search = command({
  name: 'SEARCH',
  source: 'RFC 3501 §6.4.4',
  states: ['selected'],
  uid: 'too',
  expunges: 'uid-form',
  parse: (input, session) => searchProgram(input.sp(), session),
  run: (args, session, uid) => savingAtBest(session, args.options, () => runSearch(args, session, uid)),
})

async function runSearch(
  { options: asked, charset, search: named }: SearchArguments,
  session: Session,
  uid: boolean,
): Promise<Reply> {
  const options = asked ?? (session.rev2 ? { ...plain, all: true } : undefined)
  const problem = tagInUse(session, options) ?? charsetProblem(charset, named)
  if (problem) return problem
  const criteria = await withFilters(session, named)
  const modSeq = usesKey(criteria, 'modseq')
  if (modSeq) awareOfModSeq(session)
  if (usesKey(criteria, 'msn')) session.holdExpunges()
  const test = await messageTest(session, criteria, session.view)
  const found = await findMessages(session, test)
  if (!options) {
    const { uids } = session.view
    const end = modSeq && found.length > 0 ? ` (MODSEQ ${highest(found)})` : ''
    await tellNumbers(session, 'SEARCH', found, (each) => (uid ? each : uids.msnOf(each)), end)
    return searched(session, 'SEARCH', uid)
  }
  if (options.save) saveResult(session, found, options)
  const correlator = tagCorrelator(session.tag)
  if (tellsAnything(options)) tellEsearch(session, found, options, { uid, modSeq, correlator })
  openContext(session, options, { found, test, uid, correlator })
  return searched(session, 'SEARCH', uid)
}

const plain: ReturnOptions = { min: false, max: false, all: false, count: false, save: false }
