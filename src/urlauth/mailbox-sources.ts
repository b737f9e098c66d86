/** The key table and the sections of URLAUTH, from the mailbox store: for URLFETCH and for BURL. */
import type { AsciiForm, MessageDigest, PartRange } from '../model/message-digest.ts'
import type { MailStore, Message } from '../store/store.ts'
import { decodedStream, windowOf } from '../wire/mime/decode-stream.ts'
import {
  enclosedStructure,
  headerStructure,
  Measure,
  messageStructure,
  partStructure,
  withIdentityEncoding,
} from '../wire/mime/part-structure.ts'
import { locateSection, partAt, type SectionSpec } from '../wire/mime/section.ts'
import { messageOf, type SectionOctets, sectionOctets } from './section-octets.ts'
import type { AccessKeys, FetchedSection, SectionRequest, Sections } from './sources.ts'

/** Who has an account, by canonical user name; whoever may not log in any more is not found (UA-23). */
export interface Owners {
  find(user: string): Promise<{ readonly id: number } | undefined>
}

/** No account has this number: what is asked of it costs what is asked of an account (SC-21). */
const nobody = 0

export function createMailboxSources(store: MailStore, owners: Owners): AccessKeys & Sections {
  const accountOf = async (owner: string): Promise<number> => (await owners.find(owner))?.id ?? nobody
  const mailboxOf = async (account: number, name: string): Promise<number | undefined> => {
    const mailbox = await store.read(account, (view) => view.mailbox(name))
    return mailbox?.selectable ? mailbox.id : undefined
  }
  return {
    async accessKey(owner, name) {
      const account = await accountOf(owner)
      return store.read(account, async (view) => {
        const mailbox = await view.mailbox(name)
        const key = await view.accessKey(mailbox?.id ?? 0)
        return mailbox?.selectable ? key : undefined
      })
    },
    async makeAccessKey(owner, name) {
      const account = await accountOf(owner)
      const mailbox = await mailboxOf(account, name)
      if (mailbox === undefined) return undefined
      const [result] = await store.write(account, [{ op: 'access-key', mailbox }])
      return result?.op === 'access-key' ? result.key : undefined
    },
    async section(request) {
      const message = await messageOf(store, await accountOf(request.owner), request)
      if (!message) return undefined
      return request.form === 'binary'
        ? decodedSection(store, message, request)
        : storedSection(store, message, request)
    },
  }
}

type What = Pick<SectionRequest, 'section' | 'partial' | 'asciiHeaders'>

async function storedSection(
  store: MailStore,
  message: Message,
  { section, partial, asciiHeaders }: What,
): Promise<FetchedSection | undefined> {
  const form = asciiHeaders ? message.digest.ascii : undefined
  const found = await sectionOctets(store, message, section, partial, form)
  return (
    found && {
      octets: found.size,
      open: () => chunks(found),
      bodyPartStructure: () => structureOf(store, message, section, form),
      // A message with NUL is not stored as it came (RFC 3516 §6).
      hasNul: false,
      converted: form !== undefined && isConverted(message.digest, form, section),
    }
  )
}

async function decodedSection(
  store: MailStore,
  message: Message,
  what: What,
): Promise<FetchedSection | undefined | 'undecodable'> {
  const { section, partial } = what
  const leaf = leafOf(message, section)
  // Messages, multiparts and headers have identity encodings only (RFC 2045 §6.4).
  if (!leaf) return storedSection(store, message, what)
  const range = { start: leaf.bodyStart, end: leaf.bodyEnd }
  const open = (): AsyncIterable<Uint8Array> | undefined =>
    decodedStream(leaf, store.streamBlob(message.blob, range))
  const start = partial?.start ?? 0
  const end = partial?.octets === undefined ? Number.POSITIVE_INFINITY : start + partial.octets
  const all = open()
  if (!all) return 'undecodable'
  // What has to be told first: parts are decoded twice, and never held whole.
  const measure = new Measure()
  let at = 0
  let octets = 0
  let hasNul = false
  for await (const piece of all) {
    measure.add(piece)
    const within = piece.subarray(Math.max(0, start - at), Math.max(0, end - at))
    at += piece.length
    octets += within.length
    hasNul ||= within.includes(0)
  }
  return {
    octets,
    open: () => windowOf(open() ?? nothing(), start, end),
    bodyPartStructure: async () =>
      withIdentityEncoding(
        (await structureOf(store, message, section, what.asciiHeaders ? message.digest.ascii : undefined)) ??
          '',
        measure.result,
      ),
    converted: false,
    hasNul,
  }
}

/** Whether one of the fields that are shown otherwise is in the section. */
function isConverted({ structure }: MessageDigest, form: AsciiForm, section: SectionSpec): boolean {
  const at = locateSection(structure, section)
  if (!at) return false
  const { start, end } = at.kind === 'range' ? at : { start: at.headerStart, end: at.headerEnd }
  return form.replacements.some((each) => each.start < end && start < each.end)
}

/** The part whose body the section is, if it has neither parts nor an enclosed message. */
function leafOf({ digest }: Message, { part, text }: SectionSpec): PartRange | undefined {
  const found = partAt(digest.structure, part)
  const isBody = part.length > 0 && text === undefined
  const isText = text === 'TEXT'
  const at = isBody ? found : isText ? (part.length === 0 ? found : found?.parts[0]) : undefined
  return at && at.parts.length === 0 && !/^(?:multipart|message)\//.test(at.type) ? at : undefined
}

/** As it is shown. Of a range of it, the structure of the whole: what it is a range of. */
async function structureOf(
  store: MailStore,
  message: Message,
  section: SectionSpec,
  form: AsciiForm | undefined,
): Promise<string | undefined> {
  const { digest } = message
  const data = form ? { ...form, envelope: form.envelope ?? digest.envelope } : (digest.ascii?.utf8 ?? digest)
  const part = partStructure(data.bodyStructure, section.part)
  if (section.text === 'TEXT') return section.part.length === 0 ? part : part && enclosedStructure(part)
  if (section.text === undefined && section.part.length > 0) return part
  const whole = await sectionOctets(store, message, section, undefined, form)
  if (!whole) return undefined
  const measure = new Measure()
  for await (const piece of chunks(whole)) measure.add(piece)
  return section.text === undefined ? messageStructure(measure.result, data) : headerStructure(measure.result)
}

async function* chunks({ content }: SectionOctets): AsyncIterable<Uint8Array> {
  if (content instanceof Uint8Array) yield content
  else yield* content
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
