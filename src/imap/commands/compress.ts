/** COMPRESS (RFC 4978 §3). */
import { bad, command, ok } from '../command.ts'

export const compress = command({
  name: 'COMPRESS',
  source: 'RFC 4978 §3',
  // Before login everybody could make us work for nothing; and STARTTLS cannot come after it (CO-08).
  states: ['authenticated', 'selected'],
  parse(input) {
    if (input.sp().word() !== 'DEFLATE') input.fail('DEFLATE')
  },
  run(_, session) {
    if (session.channel.compressed) return bad('compression is active already')
    session.afterAnswer(() => {
      session.out.flush()
      session.channel.compress(session.framing.takeQueued())
    })
    return ok('DEFLATE active')
  },
})
