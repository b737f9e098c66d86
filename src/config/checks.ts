/** What the schema of the configuration cannot say: names that must exist, and values that only fit together. */
import { isIP } from 'node:net'
import { parseNetwork } from '../model/network.ts'
import type { Config } from './schema.ts'

const safeUrl = /^(?:https:\/\/|http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)[:/])\S+$/

/** Routes name peers that exist and can be reached, and mail is not relayed for everyone (SEC-060). One line a problem. */
export function crossCheck(config: Config): string[] {
  const problems = [...routeProblems(config), ...listenProblems(config), ...peerProblems(config)]
  if (config.numbering.shortCode.min > config.numbering.shortCode.max)
    problems.push('numbering.shortCode: min is greater than max')
  const { tokens, oauth } = config.auth
  if (oauth && /^\w+:\/\//.test(oauth.jwks) && !safeUrl.test(oauth.jwks))
    problems.push('auth.oauth.jwks: expected a file or an https URL (http on loopback only)')
  if (tokens.lifetimeDays > tokens.fullLoginDays)
    problems.push('auth.tokens: lifetimeDays is greater than fullLoginDays, expected at most as great')
  return problems
}

function routeProblems({ routes, peers }: Config): string[] {
  return routes.flatMap((route, i) => {
    const [kind, name] = route.to.split(':')
    if (name === undefined || kind === 'reject') return []
    const peer = peers[name]
    const wanted = kind === 'smtp' ? 'smtp' : kind === 'mm4' ? 'mm4' : 'mm7'
    if (!peer) return [`routes.${i}.to: no peer is called ${name}`]
    if (peer.interface !== wanted)
      return [`routes.${i}.to: peer ${name} is ${peer.interface}, expected ${wanted}`]
    const key = wanted === 'mm7' ? 'url' : 'host'
    return peer[key] ? [] : [`peers.${name}.${key}: expected, since routes.${i} sends there`]
  })
}

function listenProblems({ listen }: Config): string[] {
  return Object.entries(listen).flatMap(([key, address]) => {
    const port = Number(address.slice(address.lastIndexOf(':') + 1))
    return port > 65_535 ? [`listen.${key}: port ${port} does not exist, expected 0 to 65535`] : []
  })
}

function peerProblems({ peers }: Config): string[] {
  return Object.entries(peers).flatMap(([name, { ip, allow = [] }]) => [
    ...(ip !== undefined && isIP(ip) === 0 ? [`peers.${name}.ip: expected an IP address`] : []),
    ...allow.flatMap((text, i) =>
      parseNetwork(text)
        ? []
        : [`peers.${name}.allow.${i}: expected an address or a network such as 192.0.2.0/24`],
    ),
  ])
}
