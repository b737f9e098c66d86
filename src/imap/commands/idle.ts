/** IDLE (RFC 2177): what changes is told as it happens, until DONE. */
import { bad, command, noArguments, ok } from '../command.ts'
import { tellHighestModSeq } from '../sync.ts'

export const idle = command({
  name: 'IDLE',
  source: 'RFC 2177 §3',
  states: ['authenticated', 'selected'],
  parse: noArguments,
  async run(_, session) {
    session.out.continuation('idling')
    // What was pending, first (IL-02).
    await session.sync(true)
    tellHighestModSeq(session)
    const stop = session.unasked.asItHappens()
    const line = await session.readLine()
    await stop()
    if (line === undefined) return bad('the client is gone')
    return /^done$/i.test(line) ? ok('IDLE completed') : bad('expected DONE')
  },
})
