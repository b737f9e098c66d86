/** NAMESPACE (RFC 2342), ID (RFC 2971), ENABLE (RFC 5161). */
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, noArguments, ok } from '../command.ts'

export const namespace = command({
  name: 'NAMESPACE',
  source: 'RFC 2342 §5',
  states: ['authenticated', 'selected'],
  parse: noArguments,
  run(_, session) {
    // One personal namespace; no other users' and no shared mailboxes here (NS-01).
    session.out.untagged('NAMESPACE (("" "/")) NIL NIL')
    return ok('NAMESPACE completed')
  },
})

const maxPairs = 30
const maxFieldOctets = 30
const maxValueOctets = 1024

/** NIL, or pairs of strings (ID-02). */
function identification(input: CommandInput): ReadonlyMap<string, string | undefined> {
  const pairs = new Map<string, string | undefined>()
  if (!input.try('(')) {
    if (input.word() !== 'NIL') input.fail('NIL or a list')
    return pairs
  }
  while (!input.try(')')) {
    if (pairs.size > 0) input.sp()
    const field = input.string().toLowerCase()
    const value = input.sp().nstring()
    if (pairs.size >= maxPairs || pairs.has(field)) input.fail(`at most ${maxPairs} different fields`)
    if (field.length > maxFieldOctets || (value?.length ?? 0) > maxValueOctets)
      input.fail(`fields of ${maxFieldOctets} octets and values of ${maxValueOctets} at most`)
    pairs.set(field, value)
  }
  return pairs
}

export const id = command({
  name: 'ID',
  source: 'RFC 2971 §3.1',
  parse: (input) => identification(input.sp()),
  run(pairs, session) {
    // Told to the operator only of those who logged in (ID-04); it changes nothing (ID-03).
    if (session.account && pairs.size > 0)
      session.services.log('info', 'IMAP client', {
        client: [...pairs]
          .slice(0, 10)
          .map(([k, v]) => `${k}=${v ?? ''}`)
          .join(' ')
          .replace(/[^\x20-\x7e]/g, '?')
          .slice(0, 500),
      })
    session.out.untagged('ID ("name" "lemonade-gateway")')
    return ok('ID completed')
  },
})

export const enable = command({
  name: 'ENABLE',
  source: 'RFC 5161 §3.1',
  states: ['authenticated', 'selected'],
  parse(input) {
    const names: string[] = []
    do names.push(input.sp().word())
    while (input.peek() === ' ')
    return names
  },
  run(names, session) {
    const fresh: string[] = []
    for (const name of names) {
      const extension = session.services.registry.enables.get(name)
      if (!extension?.enable || session.enabled.has(extension.enable)) continue
      session.enabled.add(extension.enable)
      extension.onEnable?.(session)
      fresh.push(extension.enable)
    }
    session.out.untagged(['ENABLED', ...fresh].join(' '))
    return ok('ENABLE completed')
  },
})
