/** I18NLEVEL=2 with COMPARATOR, and LANGUAGE (RFC 5255). */
import { installedCollations, negotiateCollation } from '../../wire/imap/collation.ts'
import { astring } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { bad, command, no, ok } from '../command.ts'
import type { Extension } from '../extension.ts'

const maxArguments = 50

function strings(input: CommandInput): string[] {
  const list: string[] = []
  while (input.try(' ')) {
    list.push(input.astring())
    if (list.length > maxArguments) input.fail(`at most ${maxArguments} arguments`)
  }
  return list
}

const comparator = command({
  name: 'COMPARATOR',
  source: 'RFC 5255 §4.7',
  states: ['authenticated', 'selected'],
  parse: strings,
  run(wanted, session) {
    if (wanted.length === 0) {
      session.out.untagged(`COMPARATOR ${astring(session.comparator.name)}`)
      return ok('COMPARATOR completed')
    }
    const chosen = negotiateCollation(wanted, installedCollations)
    if (chosen === 'malformed') return bad('expected comparators, with * for any characters')
    if (!chosen) return no('there is no such comparator', 'BADCOMPARATOR')
    session.comparator = chosen.active
    const others =
      chosen.matching.length > 1 ? ` (${chosen.matching.map(({ name }) => astring(name)).join(' ')})` : ''
    session.out.untagged(`COMPARATOR ${astring(chosen.active.name)}${others}`)
    return ok('COMPARATOR completed')
  },
})

export const i18nLevel: Extension = {
  capability: 'I18NLEVEL=2',
  source: 'RFC 5255 §4',
  commands: [comparator],
}

/** The texts of the server are English, for i-default too (RFC 2277 §4.5). */
const languages = ['EN', 'i-default']

/** RFC 4647 §3.4: from the range as it is to its first subtag. */
function lookup(range: string): string | undefined {
  const subtags = range.toLowerCase().split('-')
  for (let n = subtags.length; n > 0; n--) {
    const tag = subtags.slice(0, n).join('-')
    const found = languages.find((language) => language.toLowerCase() === tag)
    if (found) return found
  }
  return undefined
}

const language = command({
  name: 'LANGUAGE',
  source: 'RFC 5255 §3.2',
  parse(input) {
    const ranges = strings(input)
    if (ranges.some((range) => !/^(?:[A-Za-z]{1,8}|\*)(?:-(?:[A-Za-z0-9]{1,8}|\*))*$/.test(range)))
      input.fail('language ranges')
    return ranges
  },
  run(ranges, session) {
    if (ranges.length === 0) {
      session.out.untagged(`LANGUAGE (${languages.join(' ')})`)
      return ok('LANGUAGE completed')
    }
    for (const range of ranges) {
      const found = range.toLowerCase() === 'default' ? 'i-default' : lookup(range)
      if (!found) continue
      session.out.untagged(`LANGUAGE (${found})`)
      return ok('LANGUAGE completed')
    }
    return no('the texts are not in these languages')
  },
})

export const languageExtension: Extension = {
  capability: 'LANGUAGE',
  afterLogin: false,
  source: 'RFC 5255 §3',
  commands: [language],
}
