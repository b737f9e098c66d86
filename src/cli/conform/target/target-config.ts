/** The configuration under which a gateway can be tested: that of the cases, with the places of a run. */
import { stringify } from 'yaml'
import { hostPort } from '../../../config.ts'
import { bundledSettings } from '../case-folder.ts'
import type { Target } from './run-live.ts'
import type { SinkPlaces } from './sinks.ts'

/** As YAML for `lemonade serve`; for other gateways it says what must be set. */
export function targetConfig(target: Target, places: SinkPlaces): string {
  const { clock: _clock, nextHop: _nextHop, ...settings } = bundledSettings()
  const loopback = /^(127\.|\[?::1\]?$|localhost$)/.test(target.mm7.hostname)
  const peers = Object.entries(settings.peers).map(([name, peer]) => {
    const { ip: _ip, url: _url, ...kept } = peer
    const login = target.logins.get(name)
    const ip = login ? undefined : target.from.get(name)
    const smtp = places.smtp.get(name)
    const at = smtp === undefined ? {} : hostPort(smtp)
    return [
      name,
      {
        ...kept,
        ...(ip === undefined ? {} : { ip }),
        ...(login ? { auth: { scheme: 'basic', ...login } } : {}),
        ...(peer.interface === 'mm7' ? { url: `http://${places.mm7}/${name}/mm7` } : at),
      },
    ]
  })
  return stringify({
    ...settings,
    peers: Object.fromEntries(peers),
    listen: {
      mm7: `${target.mm7.hostname}:${target.mm7.port || '80'}`,
      smtp: `${target.smtp.host}:${target.smtp.port}`,
    },
    store: 'sqlite:./conform-data',
    ...(loopback || target.logins.size === 0 ? {} : { auth: { allowPlaintext: 'always' } }),
  })
}
