/**
 * Plays cases one after the other, and waits for what must not come out once a round instead of once a case. That is
 * sound because a case passes only when all that came fits it: whatever comes too much, however late, makes a case of the
 * round fail or is left at its end, and then each case of the round is played again with a pause of its own, so that what
 * is too much is told of the case that it belongs to.
 */
import type { Case } from '../case-folder.ts'
import { summary } from '../compare-items.ts'
import type { CaseResult } from '../run-case.ts'
import { runLive, type Target } from './run-live.ts'
import { numbersOf, type Sinks } from './sinks.ts'

/** Cases of a round, so that a failure has not many to be played again. */
const roundCases = 12

type Play = (one: Case, quietMs: number) => Promise<CaseResult>

/** `done` is called for each case, in order. */
export async function playInRounds(
  cases: readonly Case[],
  target: Target,
  sinks: Sinks,
  done: (result: CaseResult) => void,
): Promise<void> {
  let plays = 0
  const play: Play = (one, quietMs) => runLive(one, target, sinks, { quietMs, number: plays++ })
  let begin = 0
  let failedBefore = false
  while (begin < cases.length) {
    // After a failure the gateway has to show itself again, a case at a time.
    const round = cases.slice(begin, begin + (failedBefore ? 1 : roundCases))
    const fast = round.length > 1 ? await playFast(round, play, target, sinks) : undefined
    const results =
      fast && !fast.trouble ? fast.results : await playSingly(round, play, target, fast?.trouble)
    failedBefore = results.some((result) => !result.pass)
    for (const result of results) done(result)
    begin += results.length
  }
}

/**
 * Whether its last item, or a refusal, shows that the gateway is done with it: not where something is accepted and nothing
 * comes out, and not where the next hop's keywords are its own, which the gateway must meet before they change.
 */
function showsItsEnd(one: Case): boolean {
  if (one.json.config?.nextHop !== undefined) return false
  if (numbersOf(one).length > 0) return true
  if (one.has('input.http'))
    return (
      !one.has('expected.response.http') ||
      !/>1000</.test(one.octets('expected.response.http').toString('latin1'))
    )
  return one.has('expected.reply.json')
}

/** The result of the case at which a round ended. */
interface Fast {
  readonly results: readonly CaseResult[]
  readonly trouble?: CaseResult | undefined
}

async function playFast(round: readonly Case[], play: Play, target: Target, sinks: Sinks): Promise<Fast> {
  const before = sinks.count
  const results: CaseResult[] = []
  let taken = 0
  let ofLast = 0
  for (const one of round) {
    const result = await play(one, showsItsEnd(one) ? 0 : target.quietMs)
    ofLast = sinks.items.length
    taken += ofLast
    results.push(result)
    if (!result.pass) break
  }
  await sinks.settled(0, 0, target.quietMs)
  const last = results.at(-1)
  if (!last?.pass) return { results, trouble: last }
  if (sinks.count - before === taken) return { results }
  const late = sinks.items.slice(ofLast).map((item) => `must not leave: ${summary(item)}`)
  return { results, trouble: { ...last, pass: false, diff: late.join('\n') || 'an item too much left' } }
}

/**
 * Up to the first that fails; what comes after it is played in rounds of its own. What was wrong in the round and is not
 * when each case is played alone is told too, but for what was only missing: an item may be late.
 */
async function playSingly(
  round: readonly Case[],
  play: Play,
  target: Target,
  trouble: CaseResult | undefined,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = []
  for (const one of round) {
    const result = await play(one, target.quietMs)
    results.push(result)
    if (!result.pass) return results
  }
  const left = (trouble?.diff ?? '').split('\n').filter((line) => line !== '' && !isMissing.test(line))
  if (left.length === 0) return results
  const diff = ['right after other cases, not when played alone:', ...left].join('\n')
  return results.map((result) => (result.id === trouble?.id ? { ...result, pass: false, diff } : result))
}

const isMissing = /^item \d+: nothing left by /
