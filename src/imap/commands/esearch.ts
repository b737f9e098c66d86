/** ESEARCH: the search of several mailboxes at once (RFC 7377). */
import type { Mailbox } from '../../store/store.ts'
import { mailboxName } from '../../wire/imap/encode.ts'
import { type SearchKey, usesKey } from '../../wire/imap/search-keys.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { bad, command, no, ok, type Reply } from '../command.ts'
import { openContext, tagInUse } from '../context/open-context.ts'
import { awareOfModSeq } from '../mod-seq.ts'
import { coversMailbox, type MailboxFilter, mailboxFilter } from '../notify/mailbox-filter.ts'
import { findMessages, messageTest, type SearchScope } from '../search/evaluate.ts'
import { withFilters } from '../search/filters.ts'
import {
  type ReturnOptions,
  saveResult,
  savingAtBest,
  tagCorrelator,
  tellEsearch,
  tellsAnything,
} from '../search/return-options.ts'
import type { Session } from '../session.ts'
import { charsetProblem, type SearchArguments, searchProgram } from './search.ts'

interface EsearchArguments extends SearchArguments {
  readonly sources: readonly MailboxFilter[]
}

const kinds: ReadonlySet<MailboxFilter['kind']> = new Set([
  'selected',
  'inboxes',
  'personal',
  'subscribed',
  'subtree',
  'subtree-one',
  'mailboxes',
])
const maxSources = 100
/** Mailboxes that one command searches (MS-12). */
const maxMailboxes = 5000
const selectedOnly: readonly MailboxFilter[] = [{ kind: 'selected' }]

/** "(" filter *(SP filter) ")"; of the scope options that could follow there are none yet. */
function sourceOptions(input: CommandInput): MailboxFilter[] {
  const sources: MailboxFilter[] = []
  input.expect('(')
  do sources.push(mailboxFilter(input, kinds))
  while (input.try(' '))
  input.expect(')')
  if (sources.length > maxSources) input.fail(`at most ${maxSources} mailbox specifiers`)
  return sources
}

function esearchArguments(input: CommandInput, session: Session): EsearchArguments {
  input.sp()
  let sources = selectedOnly
  if (input.tryWord('IN')) {
    sources = sourceOptions(input.sp())
    input.sp()
  }
  return { sources, ...searchProgram(input, session) }
}

const maxUid = 4_294_967_295

/** A source without result options means ALL (RFC 7377 §2.1). */
const all: ReturnOptions = { min: false, max: false, all: true, count: false, save: false }

/** What cannot be asked of these sources in this state (MS-04, MS-08). */
function sourceProblem(
  session: Session,
  sources: readonly MailboxFilter[],
  options: ReturnOptions,
): Reply | undefined {
  const { selected } = session
  if (!selected && sources.some(({ kind }) => kind === 'selected')) return bad('no mailbox is selected')
  if (options.save && sources.some(({ kind }) => kind !== 'selected'))
    return bad('only the result of the selected mailbox is saved')
  if (!options.update) return undefined
  return selected ? tagInUse(session, options) : bad('only the selected mailbox is updated')
}

/** The mailboxes of the sources, each once (MS-06, MS-11). Those that are not there are passed over (MS-10). */
async function sourceMailboxes(session: Session, sources: readonly MailboxFilter[]): Promise<Mailbox[]> {
  const selected = sources.some(({ kind }) => kind === 'selected') ? session.selected?.shared.id : undefined
  return session.services.store.read(session.user.id, async (view) => {
    const subscribed = new Set(await view.subscriptions())
    return (await view.mailboxes()).filter(
      (mailbox) =>
        mailbox.id === selected ||
        (mailbox.selectable &&
          sources.some((source) => coversMailbox(source, mailbox.name, subscribed.has(mailbox.name)))),
    )
  })
}

export const esearch = command({
  name: 'ESEARCH',
  source: 'RFC 7377 §2',
  states: ['authenticated', 'selected'],
  parse: esearchArguments,
  run: (args, session) => savingAtBest(session, args.options, () => runEsearch(args, session)),
})

async function runEsearch(args: EsearchArguments, session: Session): Promise<Reply> {
  const { sources, charset } = args
  const options = args.options ?? all
  const problem = sourceProblem(session, sources, options) ?? charsetProblem(charset, args.search)
  if (problem) return problem
  const search = await withFilters(session, args.search)
  if (usesKey(search, 'modseq')) awareOfModSeq(session)
  if (usesKey(search, 'msn')) session.holdExpunges()
  const mailboxes = await sourceMailboxes(session, sources)
  if (mailboxes.length > maxMailboxes) return no(`at most ${maxMailboxes} mailboxes are searched`, 'LIMIT')
  for (const mailbox of mailboxes) {
    if (mailbox.id === session.selected?.shared.id)
      await searchMailbox(session, search, options, mailbox, session.selected)
    else await searchOther(session, search, options, mailbox)
    await session.out.ready()
  }
  return ok('ESEARCH completed')
}

/** Nothing of a mailbox that is not selected changes, \Recent neither (MS-13). */
async function searchOther(
  session: Session,
  search: SearchKey,
  options: ReturnOptions,
  mailbox: Mailbox,
): Promise<void> {
  const { mailboxes } = session.services
  const shared = await mailboxes.open(session.user.id, mailbox.id)
  if (!shared) return
  try {
    const recentFrom = shared.recentFrom
    const scope = {
      shared,
      uids: shared.uids,
      result: [],
      isRecent: (uid: number) => uid >= recentFrom,
      recentSet: [{ from: recentFrom, to: maxUid }],
    }
    await searchMailbox(session, search, options, mailbox, scope)
  } finally {
    mailboxes.close(shared)
  }
}

async function searchMailbox(
  session: Session,
  search: SearchKey,
  options: ReturnOptions,
  mailbox: Mailbox,
  scope: SearchScope,
): Promise<void> {
  const test = await messageTest(session, search, scope)
  const found = await findMessages(session, test, scope)
  const name = mailboxName(mailbox.name, session.utf8)
  const correlator = `${tagCorrelator(session.tag)} MAILBOX ${name} UIDVALIDITY ${mailbox.uidValidity}`
  // Of a mailbox without matches nothing is said (MS-01, MS-03).
  if (found.length > 0 && tellsAnything(options))
    tellEsearch(session, found, options, { uid: true, modSeq: usesKey(search, 'modseq'), correlator })
  if (scope !== session.selected) return
  if (options.save) saveResult(session, found, options)
  openContext(session, options, { found, test, uid: true, correlator })
}
