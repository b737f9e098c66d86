/** CONDSTORE and QRESYNC (RFC 7162). */
import type { Mailbox } from '../../store/store.ts'
import type { CommandInput, NumberSet } from '../../wire/imap/tokens.ts'
import { fetchMessages } from '../commands/fetch.ts'
import type { Extension } from '../extension.ts'
import { flagsItem, modSeqItem, uidItem } from '../fetch/basic-items.ts'
import { awareOfModSeq, modSeqValue, tellVanishedEarlier } from '../mod-seq.ts'
import type { SelectQuery } from '../select-query.ts'
import type { Session } from '../session.ts'
import { countOf, normalised } from '../view/uid-list.ts'

export const condstore: Extension = {
  capability: 'CONDSTORE',
  source: 'RFC 7162 §3.1',
  enable: 'CONDSTORE',
  onEnable: awareOfModSeq,
  selectParams: {
    CONDSTORE(_, query) {
      query.condstore = true
    },
  },
  // To every session: one sentence of RFC 7162 §3.1.2 asks for that (QR-08).
  onSelect(session) {
    session.out.untagged(`OK [HIGHESTMODSEQ ${session.view.highestModSeq}] Highest`)
  },
  fetchItems: { MODSEQ: () => modSeqItem },
  fetchModifiers: {
    CHANGEDSINCE(input, query) {
      // Old clients send 0 for everything (DE-19).
      query.changedSince = modSeqValue(input.sp(), 0)
    },
  },
  statusItems: { HIGHESTMODSEQ: { condstore: true, value: (m) => String(m.highestModSeq) } },
}

/** Pairs of known MSNs and UIDs that are looked at; more add nothing (QR-37). */
const maxMatchPairs = 10_000

export const qresync: Extension = {
  capability: 'QRESYNC',
  source: 'RFC 7162 §3.2',
  enable: 'QRESYNC',
  onEnable(session) {
    session.enabled.add('CONDSTORE')
    awareOfModSeq(session)
  },
  selectParams: { QRESYNC: qresyncParameter },
  fetchModifiers: {
    VANISHED(_, query) {
      query.vanished = true
    },
  },
  onSelect: resynchronise,
}

/** (uidvalidity modseq [known-uids] [(msns uids)]) (RFC 7162 §7). */
function qresyncParameter(input: CommandInput, query: SelectQuery, session: Session): void {
  if (!session.qresync) input.fail('ENABLE QRESYNC first')
  input.sp().expect('(')
  const uidValidity = input.nzNumber()
  const modSeq = modSeqValue(input.sp())
  let known: NumberSet | undefined
  let match: { msns: number[]; uids: number[] } | undefined
  if (input.try(' ') && input.peek() !== '(') {
    known = input.numberSet()
    input.try(' ')
  }
  if (input.try('(')) {
    const msns = numbersOf(input, input.numberSet())
    const uids = numbersOf(input, input.sp().numberSet())
    input.expect(')')
    if (msns.length !== uids.length) input.fail('as many UIDs as message numbers')
    match = { msns, uids }
  }
  input.expect(')')
  query.qresync = {
    uidValidity,
    modSeq,
    ...(known ? { known: normalised(fixed(input, known)) } : {}),
    ...(match ? { match } : {}),
  }
}

/** `*` has no meaning before the mailbox is open (QR-35). */
function fixed(input: CommandInput, set: NumberSet): { from: number; to: number }[] {
  return set.map(({ from, to }) => {
    if (from === '*' || to === '*') return input.fail('numbers')
    return from <= to ? { from, to } : { from: to, to: from }
  })
}

function numbersOf(input: CommandInput, set: NumberSet): number[] {
  const ranges = fixed(input, set)
  if (countOf(ranges) > maxMatchPairs) input.fail(`at most ${maxMatchPairs} pairs`)
  const numbers = ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i))
  if (numbers.some((n, i) => i > 0 && n <= (numbers[i - 1] ?? 0))) input.fail('ascending numbers')
  return numbers
}

/** VANISHED (EARLIER) and the changed flags, after the data of SELECT (QR-31 to QR-34, QR-40). */
async function resynchronise(session: Session, mailbox: Mailbox, query: SelectQuery): Promise<void> {
  const wanted = query.qresync
  // Another UIDVALIDITY: the client's knowledge is of another mailbox (QR-32).
  if (!wanted || wanted.uidValidity !== mailbox.uidValidity) return
  const { view } = session
  const known = wanted.known ?? [{ from: 1, to: view.shared.uidNext - 1 }]
  if (wanted.modSeq >= view.shared.modSeq || view.shared.uidNext === 1) return
  // Every expunge is remembered, so that the client's pairs of numbers tell nothing new (QR-37).
  await tellVanishedEarlier(session, known, wanted.modSeq)
  await fetchMessages(session, [uidItem, flagsItem, modSeqItem], view.uids.intersect(known), wanted.modSeq)
}
