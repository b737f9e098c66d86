/** CANCELUPDATE (RFC 5267 §4.3.5). */
import { command, ok } from '../command.ts'

export const cancelUpdate = command({
  name: 'CANCELUPDATE',
  source: 'RFC 5267 §4.3.5',
  states: ['selected'],
  parse(input) {
    const tags: string[] = []
    do tags.push(input.sp().quoted())
    while (input.peek() === ' ')
    return new Set(tags)
  },
  // A tag that names no context has none to be cancelled (CX-10).
  run(tags, session) {
    session.view.contexts?.cancel(tags)
    session.unasked.listenAsNeeded()
    return ok('CANCELUPDATE completed')
  },
})
