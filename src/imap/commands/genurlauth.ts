/** GENURLAUTH (RFC 4467 §7). */
import { generate } from '../../urlauth/urlauth.ts'
import { string } from '../../wire/imap/encode.ts'
import { command, ok } from '../command.ts'

export const genUrlAuth = command({
  name: 'GENURLAUTH',
  source: 'RFC 4467 §7',
  states: ['authenticated', 'selected'],
  parse(input) {
    const wanted: { url: string; mechanism: string }[] = []
    do wanted.push({ url: input.sp().astring(), mechanism: input.sp().word() })
    while (input.peek() === ' ')
    return wanted
  },
  async run(wanted, { services: { urls, now }, user, out }) {
    const made: string[] = []
    for (const { url, mechanism } of wanted)
      made.push(await generate(url, mechanism, user.address, urls, urls.sources, now()))
    // All of them or none (UA-02).
    out.secret(`* GENURLAUTH ${made.map(string).join(' ')}\r\n`)
    return ok('GENURLAUTH completed')
  },
})
