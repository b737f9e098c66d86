/** SORT and UID SORT (RFC 5256 §3, RFC 5957), with return options (RFC 5267 §3). */
import { type SearchKey, searchKeys, usesKey } from '../../wire/imap/search-keys.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, type Reply } from '../command.ts'
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
import { sortFound } from '../search/sort-records.ts'
import type { Session } from '../session.ts'
import { type SortCriterion, sortKeyNamed } from '../sorting/sort.ts'
import { charsetProblem } from './search.ts'

interface SortArguments {
  readonly options: ReturnOptions | undefined
  readonly criteria: readonly SortCriterion[]
  readonly charset: string
  readonly search: SearchKey
}

const maxCriteria = 32

/** "(" [REVERSE SP] key *(SP ...) ")": REVERSE is for the next key alone (SO-02). */
function sortCriteria(input: CommandInput): SortCriterion[] {
  const criteria: SortCriterion[] = []
  input.expect('(')
  do {
    let word = input.word()
    const reverse = word === 'REVERSE'
    if (reverse) word = input.sp().word()
    const key = sortKeyNamed(word) ?? input.fail('a sort key')
    criteria.push({ key, reverse })
  } while (input.try(' '))
  input.expect(')')
  if (criteria.length > maxCriteria) input.fail(`at most ${maxCriteria} sort keys`)
  return criteria
}

/** charset SP keys: here the charset is obligatory (SO-01). */
export function charsetAndKeys(input: CommandInput): { charset: string; search: SearchKey } {
  const charset = input.astring().toUpperCase()
  return { charset, search: searchKeys(input.sp()) }
}

function sortArguments(input: CommandInput, session: Session): SortArguments {
  input.sp()
  let options: ReturnOptions | undefined
  if (input.tryWord('RETURN')) {
    options = returnOptions(input.sp(), session)
    input.sp()
  }
  const criteria = sortCriteria(input)
  return { options, criteria, ...charsetAndKeys(input.sp()) }
}

export const sort = command({
  name: 'SORT',
  source: 'RFC 5256 §3',
  states: ['selected'],
  uid: 'too',
  expunges: 'uid-form',
  parse: sortArguments,
  run: (args, session, uid) => savingAtBest(session, args.options, () => runSort(args, session, uid)),
})

async function runSort(
  { options, criteria, charset, search: named }: SortArguments,
  session: Session,
  uid: boolean,
): Promise<Reply> {
  const problem = tagInUse(session, options) ?? charsetProblem(charset, named)
  if (problem) return problem
  const search = await withFilters(session, named)
  const modSeq = usesKey(search, 'modseq')
  if (modSeq) awareOfModSeq(session)
  if (usesKey(search, 'msn')) session.holdExpunges()
  const test = await messageTest(session, search, session.view)
  const found = await sortFound(session, await findMessages(session, test), criteria, {
    records: options?.update !== undefined,
  })
  if (!options) {
    const { uids } = session.view
    const end = modSeq && found.length > 0 ? ` (MODSEQ ${highest(found)})` : ''
    await tellNumbers(session, 'SORT', found, (each) => (uid ? each : uids.msnOf(each)), end)
    return searched(session, 'SORT', uid)
  }
  if (options.save) saveResult(session, found, options)
  const correlator = tagCorrelator(session.tag)
  if (tellsAnything(options)) tellEsearch(session, found, options, { uid, modSeq, correlator })
  openContext(session, options, { found, test, criteria, uid, correlator })
  return searched(session, 'SORT', uid)
}
