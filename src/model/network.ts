/** Addresses that a peer speaks from (SEC-061): one, or networks such as 192.0.2.0/24 and 2001:db8::/32. */
import { BlockList, isIP } from 'node:net'
import type { Peer } from './settings.ts'

interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** undefined: it is neither an address nor a network. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return undefined
  const most = version === 4 ? 32 : 128
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
  return prefix >= 0 && prefix <= most
    ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }
    : undefined
}

const lists = new WeakMap<readonly string[], BlockList>()

function listOf(networks: readonly string[]): BlockList {
  const known = lists.get(networks)
  if (known) return known
  const list = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network) list.addSubnet(network.address, network.prefix, network.family)
  }
  lists.set(networks, list)
  return list
}

/** Whether an address is in one of the networks; no networks: none is. */
export const isWithin = (ip: string, networks: readonly string[]): boolean => {
  const version = isIP(ip)
  return version !== 0 && listOf(networks).check(ip, version === 4 ? 'ipv4' : 'ipv6')
}

/** Whether the peer is known to speak from the address. */
export const speaksFrom = (peer: Pick<Peer, 'ip' | 'allow'>, ip: string): boolean =>
  peer.allow === undefined ? peer.ip === ip : isWithin(ip, peer.allow)
