/** RETURN (UPDATE) of SEARCH, SORT and ESEARCH (RFC 5267 §4.3). */
import { bad, type Reply } from '../command.ts'
import type { Found, MessageTest } from '../search/evaluate.ts'
import { quotedTag, type ReturnOptions } from '../search/return-options.ts'
import type { Session } from '../session.ts'
import type { SortCriterion } from '../sorting/sort.ts'
import { Context } from './context.ts'
import { Contexts } from './contexts.ts'

/** A tag names one context at a time; asked before anything is done (CX-08). */
export const tagInUse = (session: Session, options: ReturnOptions | undefined): Reply | undefined =>
  options?.update && session.view.contexts?.has(session.tag)
    ? bad('a context with this tag is being updated')
    : undefined

/** Keeps the result up to date, or says that it will not be (CX-09). */
export function openContext(
  session: Session,
  options: ReturnOptions,
  result: {
    readonly found: readonly Found[]
    readonly test: MessageTest
    readonly criteria?: readonly SortCriterion[]
    readonly uid: boolean
    readonly correlator: string
  },
): void {
  if (!options.update) return
  const { view, tag } = session
  const now = session.services.now()
  view.contexts ??= new Contexts(now)
  const context = new Context(
    { ...result, tag, items: options.update.items, comparator: session.comparator },
    result.found,
  )
  if (!view.contexts.add(context, now))
    session.out.untagged(`NO [NOUPDATE ${quotedTag(tag)}] Too many contexts`)
  session.unasked.listenAsNeeded()
}
