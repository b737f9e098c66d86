/** `lemonade translate IN`: what would leave the gateway for one message, by the mapping alone (DESIGN 5). */
import { loadConfig } from '../config.ts'
import { createIds } from '../ids.ts'
import type { MappingContext } from '../mapping/context.ts'
import { isRefusal } from '../model/refusal.ts'
import { Mm7Refusal } from '../wire/mm7/refusal.ts'
import { bundledSettings, type CaseSettings, readCase } from './conform/case-folder.ts'
import { fixtureIds } from './conform/fixture-ids.ts'
import { type Accepted, accept, findSource, isCase } from './translate/input.ts'
import { type Carrier, type Written, writeItems } from './translate/output.ts'

export interface TranslateOptions {
  readonly to?: string | undefined
  readonly envelope?: string | undefined
  readonly config?: string | undefined
  readonly fixed?: boolean | undefined
  readonly explain?: boolean | undefined
}

/**
 * Prints every outgoing item: a line that names it, the envelope as JSON, the message. Exit code 1: it is refused.
 * @throws Fault 'not-found', 'malformed', 'unsupported'
 */
export async function translate(
  path: string,
  options: TranslateOptions,
  out: (octets: string | Uint8Array) => void,
): Promise<number> {
  const settings = settingsFor(path, options)
  const ids = options.fixed ? fixtureIds(settings.gateway.host) : createIds(settings.gateway.host)
  const now = options.fixed ? Date.parse(settings.clock) : Date.now()
  const queueId = ids.queueId()
  const contextOf = (scope: string): MappingContext => ({ settings, ids: ids.of(queueId, scope), now })
  const source = findSource(path, options.envelope)
  let accepted: Accepted
  try {
    accepted = accept(source, queueId, contextOf(''))
  } catch (error) {
    if (!(error instanceof Mm7Refusal)) throw error
    out(`refused: ${error.status}: ${error.message}\n`)
    return 1
  }
  const { message } = accepted
  if (isRefusal(message)) {
    out(`refused: ${message.refused}: ${message.text}\n`)
    return 1
  }
  const items = writeItems({ ...accepted, message }, settings, {
    to: carrierOf(options.to),
    nextHop: settings.nextHop,
    contextOf,
  })
  items.forEach((item, n) => {
    print(item, n + 1, options.explain === true, out)
  })
  return items.length > 0 && items.every((item) => item.octets) ? 0 : 1
}

function print(item: Written, n: number, explain: boolean, out: (octets: string | Uint8Array) => void): void {
  out(`=== ${n} ${item.target}\n`)
  if (item.refused) {
    out(`refused: ${item.refused.refused}: ${item.refused.text}\n`)
    return
  }
  if (item.envelope) out(`${JSON.stringify(item.envelope, undefined, 2)}\n`)
  // A PDU is binary: shown as hexadecimal, which is read again.
  if (item.octets)
    out(item.target === 'mm1' ? `${item.octets.toString('hex').replace(/(.{64})/g, '$1\n')}\n` : item.octets)
  if (explain) out(`\n--- rules\n${item.explained.map((line) => `${line}\n`).join('')}`)
}

/** A case's own configuration; with --fixed that of the fixtures; else the file, or what `serve` runs with. */
function settingsFor(path: string, options: TranslateOptions): CaseSettings {
  if (options.config === undefined && isCase(path)) return readCase(path).settings
  const fixtures = bundledSettings()
  if (options.config === undefined && options.fixed) return fixtures
  return { ...loadConfig(options.config), clock: fixtures.clock, nextHop: {} }
}

const carrierOf = (to: string | undefined): Carrier | undefined =>
  to === 'mail' || to === 'mm7' || to === 'mm4' || to === 'mm1' ? to : undefined
