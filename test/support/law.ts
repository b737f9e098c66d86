/** The kinds of clients that the laws let loose, and how what they know is compared with the truth. */
import { expect } from 'vitest'
import { type Box, boxes, type Kind, type LawClient } from './law-client.ts'
import type { LiveResult } from './law-model.ts'

export interface Truth {
  readonly uid: number
  readonly flags: ReadonlySet<string>
  readonly subject: string
}

export const kinds: readonly Kind[] = [
  { kind: 'plain', setup: [] },
  { kind: 'qresync', setup: ['ENABLE QRESYNC'], compress: true },
  { kind: 'notify-now', setup: ['NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))'] },
  {
    kind: 'notify-delayed qresync, status of the others',
    setup: [
      'ENABLE QRESYNC',
      'NOTIFY SET STATUS (selected-delayed (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge))',
    ],
  },
  {
    kind: 'uid search context',
    setup: [],
    compress: true,
    results: [
      [true, false, 'FLAGGED'],
      [true, false, 'ALL'],
    ],
  },
  {
    kind: 'msn contexts',
    setup: [],
    results: [
      [false, true, 'UNSEEN'],
      [false, false, 'FLAGGED'],
    ],
  },
  {
    kind: 'notify-now qresync, contexts',
    setup: [
      'ENABLE QRESYNC',
      'NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange MailboxName))',
    ],
    results: [
      [true, true, 'FLAGGED'],
      [false, true, 'ALL'],
    ],
  },
  {
    kind: 'rev2, qresync, contexts',
    setup: ['ENABLE IMAP4rev2 QRESYNC UTF8=ACCEPT'],
    compress: true,
    results: [[true, true, 'UNSEEN']],
  },
]

function expected(result: LiveResult, messages: readonly Truth[]): number[] {
  const matching = messages.filter(({ flags }) =>
    result.keys === 'ALL' ? true : result.keys === 'UNSEEN' ? !flags.has('\\Seen') : flags.has('\\Flagged'),
  )
  if (result.sorted)
    matching.sort((a, b) => (a.subject === b.subject ? a.uid - b.uid : a.subject < b.subject ? 1 : -1))
  return matching.map((m) => m.uid)
}

/** What the client knows is so. What it does not know, it may not. */
export function compare(client: LawClient, messages: readonly Truth[]): void {
  const where = (): string => `${client.kind.kind}, ${client.box}\n${client.log.slice(-100).join('\n')}`
  const { model, problems } = client
  if (problems.length > 0) expect.fail(`${client.kind.kind}, ${client.box}: ${problems.join('\n')}`)
  if (model.view.length !== messages.length) expect(model.view.length, where()).toBe(messages.length)
  model.view.forEach((message, i) => {
    const { uid, flags } = messages[i]!
    if (message.uid !== 0 && message.uid !== uid) expect(message.uid, where()).toBe(uid)
    if (
      message.flags &&
      (message.flags.size !== flags.size || [...flags].some((f) => !message.flags!.has(f)))
    )
      expect([...message.flags].sort(), `${uid} ${where()}`).toEqual([...flags].sort())
  })
  for (const result of model.results) {
    const list = result.list.map((each) =>
      typeof each === 'number' ? each : messages[model.view.indexOf(each)]?.uid,
    )
    const wanted = expected(result, messages)
    expect(result.sorted ? list : list.toSorted((a, b) => a! - b!), `${result.tag} ${where()}`).toEqual(
      wanted,
    )
  }
}

/** What STATUS told of mailboxes that are not open; it comes in its own time. */
export async function compareStatus(
  client: LawClient,
  truth: ReadonlyMap<Box, { readonly messages: number; readonly uidNext: number }>,
): Promise<void> {
  if (!client.kind.setup.some((line) => line.includes('SET STATUS'))) return
  const others = boxes.filter((box) => box !== client.box && client.model.status.has(box))
  const told = () => others.map((box) => client.model.status.get(box))
  const wanted = others.map((box) => truth.get(box))
  for (let i = 0; i < 500 && JSON.stringify(told()) !== JSON.stringify(wanted); i += 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  expect(told(), client.log.slice(-100).join('\n')).toEqual(wanted)
}

/** Numbers below a bound, the same for a seed. */
export function chance(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}
