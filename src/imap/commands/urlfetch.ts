/** URLFETCH, plain and extended (RFC 4467 §7, RFC 5524 §3). */
import type { FetchedSection } from '../../urlauth/sources.ts'
import { authorize } from '../../urlauth/urlauth.ts'
import { string } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, ok } from '../command.ts'
import type { Session } from '../session.ts'

type Item = 'BODY' | 'BINARY' | 'BODYPARTSTRUCTURE'

interface Wanted {
  readonly url: string
  /** Empty: the plain form. */
  readonly items: ReadonlySet<Item>
}

function wantedUrl(input: CommandInput): Wanted {
  const items = new Set<Item>()
  if (!input.try('(')) return { url: input.astring(), items }
  const url = input.astring()
  while (input.try(' ')) {
    const item = input.word()
    if (item !== 'BODY' && item !== 'BINARY' && item !== 'BODYPARTSTRUCTURE')
      return input.fail('BODY or BINARY')
    if (items.has(item)) input.fail('each item once')
    items.add(item)
  }
  input.expect(')')
  if (items.has('BODY') && items.has('BINARY')) input.fail('BODY or BINARY, not both')
  return { url, items }
}

export const urlFetch = command({
  name: 'URLFETCH',
  source: 'RFC 4467 §7, RFC 5524 §3',
  states: ['authenticated', 'selected'],
  parse(input) {
    const wanted: Wanted[] = []
    do wanted.push(wantedUrl(input.sp()))
    while (input.peek() === ' ')
    return wanted
  },
  async run(wanted, session) {
    for (const each of wanted) await tellUrl(session, each)
    return ok('URLFETCH completed')
  },
})

/** One response for each URL: one that is no good spoils none of the others (UA-28). */
async function tellUrl(session: Session, { url, items }: Wanted): Promise<void> {
  const { services, user, out } = session
  const { urls } = services
  const request = await authorize(url, urls.asker(user.address), services.now(), urls, urls.sources)
  const form = items.has('BINARY') ? 'binary' : 'stored'
  // The same octets as BODY.PEEK[] gives this session (LP-16, FE-25).
  const asked = request && { ...request, asciiHeaders: !session.utf8 }
  const decoded = asked && (await urls.sources.section({ ...asked, form }))
  // What cannot be decoded has a structure all the same (UA-40).
  const found =
    decoded === 'undecodable' && asked ? await urls.sources.section({ ...asked, form: 'stored' }) : decoded
  if (found === undefined || found === 'undecodable') await urls.failed(user.address)
  else urls.succeeded(user.address)
  // What has to be looked up is looked up before the response begins: it cannot be called off any more then.
  const structure =
    found && found !== 'undecodable' && items.has('BODYPARTSTRUCTURE')
      ? await found.bodyPartStructure()
      : undefined
  out.secret(`* URLFETCH ${string(url)}`)
  if (found === undefined || found === 'undecodable') out.text(' NIL')
  else if (items.size === 0) await tellOctets(session, ' ', found, '')
  else {
    if (structure !== undefined) out.text(` (BODYPARTSTRUCTURE ${structure})`)
    if (decoded === 'undecodable') out.text(' (BINARY NIL)')
    else if (items.has('BINARY')) await tellOctets(session, ' (BINARY ', found, ')')
    else if (items.has('BODY')) await tellOctets(session, ' (BODY ', found, ')')
  }
  out.text('\r\n')
  await out.ready()
}

async function tellOctets(
  session: Session,
  before: string,
  section: FetchedSection,
  behind: string,
): Promise<void> {
  const { out } = session
  if (section.octets === 0) {
    out.text(`${before}""${behind}`)
    return
  }
  out.text(`${before}${section.hasNul ? '~' : ''}{${section.octets}}\r\n`)
  await out.stream(section.octets, section.open())
  out.text(behind)
}
