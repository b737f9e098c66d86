/** The configuration file (YAML) with the defaults: read, checked, with errors that name file, path and what was expected. */
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { parse, YAMLParseError } from 'yaml'
import { crossCheck } from './config/checks.ts'
import { defaults } from './config/defaults.ts'
import { Config } from './config/schema.ts'
import { Fault } from './model/fault.ts'

export type { Config }
export { defaults }

const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(Config)

/**
 * Defaults with the file merged in: objects deeply, lists and scalars replace. `peers`, `routes` and `accounts` of the
 * file replace the defaults whole.
 * @throws Fault 'malformed' whose text names file, path and what was expected, one line each
 */
export function loadConfig(file: string | undefined): Config {
  if (file === undefined) return defaults
  let raw: unknown
  try {
    raw = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const why = error instanceof YAMLParseError ? error.message : (error as Error).message
    throw new Fault('malformed', `${file}: ${why}`)
  }
  return checkConfig(raw ?? {}, file)
}

export function checkConfig(raw: unknown, file: string): Config {
  const listen = listenersFor(raw)
  const merged = merge({ ...defaults, ...waysFor(raw), listen, accounts: [] }, raw)
  if (!validate(merged)) {
    const lines = (validate.errors ?? []).map((e) => {
      const extra = e.params as { additionalProperty?: string; allowedValue?: unknown }
      const path = [
        ...e.instancePath.split('/').slice(1),
        ...(extra.additionalProperty ? [extra.additionalProperty] : []),
      ].join('.')
      return `${file}: ${path || '(top)'}: ${e.message ?? 'is wrong'}${extra.allowedValue === undefined ? '' : ` (${String(extra.allowedValue)})`}`
    })
    throw new Fault('malformed', [...new Set(lines)].join('\n'))
  }
  const config = merged as Config
  const problems = crossCheck(config)
  if (problems.length > 0) throw new Fault('malformed', problems.map((p) => `${file}: ${p}`).join('\n'))
  return config
}

/** Where the file names listeners, one that need not be there is there only if it names it. */
function listenersFor(raw: unknown): Config['listen'] {
  if (!isPlain(raw) || raw.listen === undefined) return defaults.listen
  const { submission: _, ...needed } = defaults.listen
  return needed
}

/** Default peers where the file tells of no way at all; default routes as far as their peers exist. */
function waysFor(raw: unknown): Pick<Config, 'peers' | 'routes'> {
  const given = isPlain(raw) ? raw : {}
  if (given.peers === undefined && given.routes === undefined)
    return { peers: defaults.peers, routes: defaults.routes }
  const peers = isPlain(given.peers) ? Object.keys(given.peers) : []
  const exists = ({ to }: Config['routes'][number]): boolean => {
    const [, peer] = to.split(':')
    return peer === undefined || peers.includes(peer)
  }
  return { peers: {}, routes: defaults.routes.filter(exists) }
}

function merge(base: unknown, over: unknown): unknown {
  if (!isPlain(base) || !isPlain(over)) return over === undefined ? base : over
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over))
    result[key] = key === 'peers' ? value : merge(base[key], value)
  return result
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** '127.0.0.1:8080', '[::1]:25'. */
export function hostPort(listen: string): { host: string; port: number } {
  const colon = listen.lastIndexOf(':')
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) }
}

/** The folder that `store` names. */
export const storeFolder = (store: string): string => store.slice('sqlite:'.length)
