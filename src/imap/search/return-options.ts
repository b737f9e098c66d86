/** RETURN (...) of SEARCH, SORT and their kin (RFC 4731, RFC 5182, RFC 5267), and the ESEARCH response. */
import { asFault } from '../../model/fault.ts'
import type { ModSeq, Uid } from '../../store/store.ts'
import { numberSet } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { ok, type Reply } from '../command.ts'
import { fetchItems } from '../commands/fetch.ts'
import type { FetchItem } from '../fetch/item.ts'
import { responseFor } from '../response-for.ts'
import type { Session } from '../session.ts'
import { Turns } from '../turns.ts'
import { uidSetOf } from '../view/uid-list.ts'
import type { Found } from './evaluate.ts'

export interface ReturnOptions {
  min: boolean
  max: boolean
  all: boolean
  count: boolean
  save: boolean
  partial?: { readonly from: number; readonly to: number }
  /** Keep the result up to date; what to fetch of new messages in it (RFC 5267 §4.3, RFC 5465 §7). */
  update?: { readonly items: readonly FetchItem[] }
}

const fresh = (): ReturnOptions => ({ min: false, max: false, all: false, count: false, save: false })

/** From after "RETURN ". `()` means ALL (ES-02). */
export function returnOptions(input: CommandInput, session: Session): ReturnOptions {
  const options = fresh()
  input.expect('(')
  if (!input.try(')')) {
    do option(input, options, session)
    while (input.try(' '))
    input.expect(')')
  }
  if (options.partial && options.all) input.fail('PARTIAL or ALL, not both')
  const { min, max, count, save, partial } = options
  // UPDATE and CONTEXT ask for nothing by themselves: with them alone, the usual is told (CX-06, CX-07).
  if (!min && !max && !count && !save && !partial) options.all = true
  return options
}

function option(input: CommandInput, options: ReturnOptions, session: Session): void {
  switch (input.word()) {
    case 'MIN':
      options.min = true
      return
    case 'MAX':
      options.max = true
      return
    case 'ALL':
      options.all = true
      return
    case 'COUNT':
      options.count = true
      return
    case 'SAVE':
      options.save = true
      return
    case 'PARTIAL': {
      if (options.partial) input.fail('one PARTIAL')
      const a = input.sp().nzNumber()
      const b = input.expect(':').nzNumber()
      options.partial = { from: Math.min(a, b), to: Math.max(a, b) }
      return
    }
    // A hint, and no more: the answer is the same without it (RFC 5267 §4.2).
    case 'CONTEXT':
      return
    case 'UPDATE': {
      if (options.update) input.fail('one UPDATE')
      const listed = input.peekBehindSpace() === '('
      options.update = { items: listed ? fetchItems(input.sp(), session) : [] }
      return
    }
    default:
      input.fail('a return option')
  }
}

/** `$` afterwards: MIN and MAX save what they tell, everything else saves all (ES-09). */
export function saveResult(session: Session, found: readonly Found[], options: ReturnOptions): void {
  const { min, max, all, count, partial } = options
  const only = (min || max) && !all && !count && !partial
  const kept = only ? [...(min ? found.slice(0, 1) : []), ...(max ? found.slice(-1) : [])] : found
  session.view.result = uidSetOf([...new Set(kept.map((m) => m.uid))].sort((a, b) => a - b))
}

/** A search that was to save its result and is answered NO leaves nothing saved (ES-12). */
export async function savingAtBest(
  session: Session,
  options: ReturnOptions | undefined,
  search: () => Promise<Reply>,
): Promise<Reply> {
  const before = session.selected
  const answered = ({ status }: Reply): void => {
    if (status === 'NO' && options?.save && before) before.result = []
  }
  try {
    const reply = await search()
    answered(reply)
    return reply
  } catch (error) {
    answered(responseFor(asFault(error)))
    throw error
  }
}

export interface EsearchForm {
  readonly uid: boolean
  /** The criteria named mod-sequences (QR-22, QR-23). */
  readonly modSeq: boolean
  /** What stands between the parentheses: the tag, of ESEARCH also the mailbox. */
  readonly correlator: string
}

/** Anything but SAVE and the like is told. */
export const tellsAnything = ({ min, max, all, count, partial }: ReturnOptions): boolean =>
  min || max || all || count || partial !== undefined

/** One ESEARCH response (RFC 4466 §2.6.2). `found` is in the order of the result. */
export function tellEsearch(
  session: Session,
  found: readonly Found[],
  options: ReturnOptions,
  form: EsearchForm,
): void {
  const number = (uid: Uid): number => (form.uid ? uid : session.view.uids.msnOf(uid))
  const parts = [`ESEARCH (${form.correlator})`]
  if (form.uid) parts.push('UID')
  const first = found[0]
  const last = found[found.length - 1]
  if (options.min && first) parts.push(`MIN ${number(first.uid)}`)
  if (options.max && last) parts.push(`MAX ${number(last.uid)}`)
  if (options.count) parts.push(`COUNT ${found.length}`)
  if (options.all && first) parts.push(`ALL ${numberSet(found.map((m) => number(m.uid)))}`)
  if (options.partial) {
    const { from, to } = options.partial
    const window = found.slice(from - 1, to).map((m) => number(m.uid))
    parts.push(`PARTIAL (${from}:${to} ${window.length === 0 ? 'NIL' : numberSet(window)})`)
  }
  if (form.modSeq && first) {
    const { min, max, all, count, partial } = options
    const told: readonly Found[] =
      all || count || partial ? found : [...(min ? [first] : []), ...(max && last ? [last] : [])]
    if (told.length > 0) parts.push(`MODSEQ ${highest(told)}`)
  }
  session.out.untagged(parts.join(' '))
}

/** Numbers between two pauses. */
const numbersAtOnce = 5000

/** The responses that are a list of numbers: SEARCH, SORT. `end`: what stands behind them. */
export async function tellNumbers(
  session: Session,
  name: string,
  found: readonly Found[],
  numberOf: (uid: Uid) => number,
  end = '',
): Promise<void> {
  const { out } = session
  const turns = new Turns()
  out.text(`* ${name}`)
  for (let i = 0; i < found.length; i += numbersAtOnce) {
    let text = ''
    for (const { uid } of found.slice(i, i + numbersAtOnce)) text += ` ${numberOf(uid)}`
    out.text(text)
    await out.ready()
    if (turns.isDue) await turns.give()
  }
  out.text(`${end}\r\n`)
}

export const highest = (found: readonly Found[]): ModSeq =>
  found.reduce((most, m) => Math.max(most, m.modSeq), 0)

/** A tag as the string that it has to be here (ES-07). */
export const quotedTag = (tag: string): string => `"${tag.replace(/["\\]/g, '\\$&')}"`

export const tagCorrelator = (tag: string): string => `TAG ${quotedTag(tag)}`

/** What is gone, and may not be told yet, was left out (RFC 5530 §3, SR-18). */
export const searched = (session: Session, name: string, uid: boolean): Reply =>
  ok(
    `${name} completed`,
    (!uid || session.holdsExpunges) && session.view.heldBack.length > 0 ? 'EXPUNGEISSUED' : undefined,
  )
