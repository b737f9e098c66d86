import type { Notify, Party, Recipient, RecipientField } from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import type { XmlElement } from '../../wire/mm7/message.ts'
import { addressKey, mailParty, partyFromMms } from '../addresses.ts'
import type { MappingContext } from '../context.ts'
import type { Element, MailSource } from '../element.ts'
import { firstSend, sendHistory } from '../history.ts'
import { addressField, mailboxesOf } from '../mail-address.ts'
import { mm4AddressField, mm4Parties, mm4PathParty } from '../mm4-address.ts'
import { addressElement, writtenAddress } from '../mm7-address.ts'
import { fromUtf8Xtext } from '../utf8-address.ts'
import { fromXtext } from '../xtext.ts'

const fields: readonly RecipientField[] = ['to', 'cc', 'bcc']

/** Shown and served recipients: header mailboxes and the envelope (MAP-030 to MAP-043, MAP-124 to MAP-128). */
export const recipients: Element = {
  name: 'Recipient addresses',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3',
  mail: {
    owns: ['To', 'Cc', 'Bcc', 'Resent-Bcc'],
    read(mail, mm, ctx) {
      const served = envelopeRecipients(mail, (path) => mailParty(path, ctx.settings))
      if (isRefusal(served)) return served
      mm.recipients = shownAndServed((field) => shown(mail, field, ctx), served)
    },
    write(mm, mail, ctx) {
      // Whom the original went to is not known any more (MAP-102), unless who sent it on is believed to be it (AMB-16).
      if (firstSend(mm)) {
        const next = sendHistory(mm)[1]?.by ?? mm.from ?? [mm.sender]
        const inferred = ctx.settings.resent?.inferTo ? addressField(next, ctx.settings) : ''
        if (isRefusal(inferred)) return inferred
        mail.add('To', inferred === '' ? 'unrecoverable-recipients:;' : inferred)
        return
      }
      let any = false
      for (const field of ['to', 'cc'] as const) {
        const parties = mm.recipients.filter((r) => r.field === field).map((r) => r.party)
        if (parties.length === 0) continue
        const value = addressField(
          parties.filter((p) => p.kind !== 'unknown'),
          ctx.settings,
        )
        if (isRefusal(value)) return value
        if (value === '') continue
        mail.add(field === 'to' ? 'To' : 'Cc', value)
        any = true
      }
      if (!any) mail.add('To', 'undisclosed-recipients:;')
    },
  },
  mm7: {
    read(request, mm, ctx) {
      const element = request.child('Recipients') ?? request.child('Recipient')
      const list: Recipient[] = []
      for (const group of element?.children ?? []) {
        const name = group.name.toLowerCase()
        const field = fields.find((f) => f === name)
        for (const item of field ? itemsOf(group) : [group]) {
          const written = writtenAddress(item)
          if (written.text === '') continue
          // What is encrypted is no address that could be read (QUIRKS 29).
          const party = written.coding
            ? refusal('bad-recipient', 'the address is encrypted or obfuscated', written.text)
            : partyFromMms(written.kind, written.text, ctx.settings)
          // A local part that is not ASCII rejects the whole message (MAP-039), other faults that recipient.
          if (isRefusal(party) && /[^\x00-\x7f]/.test(written.text.split('@')[0] ?? '')) return party
          list.push({
            party: {
              ...(isRefusal(party) ? { kind: 'unknown', value: written.text, raw: written.text } : party),
              ...(written.coding ? { coding: written.coding } : {}),
              ...(written.displayOnly ? { displayOnly: true } : {}),
              ...(written.xmlId ? { xmlId: written.xmlId } : {}),
            } satisfies Party,
            field: field ?? 'to',
            serve: !written.displayOnly,
          })
        }
      }
      mm.recipients = list
    },
    write(mm, request) {
      const groups: XmlElement[] = []
      for (const field of fields) {
        const children: XmlElement[] = []
        mm.recipients.forEach((recipient, index) => {
          if (recipient.field !== field) return
          const serve = request.serve.has(index)
          // A blind recipient is named to nobody but the one that serves it (MAP-126).
          if (field === 'bcc' && !serve) return
          if (recipient.party.kind === 'unknown' || recipient.party.kind === 'ip') return
          children.push(addressElement(recipient.party, request.peer, !serve))
        })
        if (children.length > 0)
          groups.push({
            name: `${field[0]?.toUpperCase()}${field.slice(1)}`,
            namespace: '',
            attributes: {},
            children,
            text: '',
          })
      }
      request.set('Recipients', groups)
    },
  },
  mm4: {
    owns: ['To', 'Cc', 'Bcc', 'Resent-Bcc'],
    read(mail, mm, ctx) {
      const served = envelopeRecipients(mail, (path) => mm4PathParty(path, mail.peer, ctx.settings))
      if (isRefusal(served)) return served
      mm.recipients = shownAndServed(
        (field) => mail.fields(field).flatMap((value) => mm4Parties(value, mail.peer, ctx.settings)),
        served,
      )
    },
    write(mm, mail) {
      let any = false
      for (const field of ['to', 'cc'] as const) {
        const parties = mm.recipients.filter((r) => r.field === field).map((r) => r.party)
        const value = mm4AddressField(parties, mail.peer)
        if (value === '') continue
        mail.add(field === 'to' ? 'To' : 'Cc', value)
        any = true
      }
      if (!any) mail.add('To', 'undisclosed-recipients:;')
    },
  },
}

/** Address children; a To that holds bare text is one itself (MAP-189). */
const itemsOf = (group: XmlElement): readonly XmlElement[] =>
  group.children.length > 0 ? group.children : [group]

function shown(mail: MailSource, field: 'to' | 'cc', ctx: MappingContext): Party[] {
  const last = mail.resent[0]
  // A mail that was resent shows whom it was resent to (AMB-34).
  const values = last ? [last.get(field) ?? ''] : mail.fields(field)
  return values.flatMap((value) => mailboxesOf(value, ctx.settings))
}

/** Header mailboxes in order, those of the envelope among them served; the rest of the envelope is blind (MAP-125, MAP-126). */
function shownAndServed(
  shownIn: (field: 'to' | 'cc') => readonly Party[],
  served: readonly Recipient[],
): Recipient[] {
  const list: Recipient[] = []
  for (const field of ['to', 'cc'] as const)
    for (const party of shownIn(field)) {
      const match = served.find((s) => addressKey(s.party) === addressKey(party))
      const again = list.some((r) => r.serve && addressKey(r.party) === addressKey(party))
      list.push(
        match && !again
          ? { ...match, party: { ...party, raw: match.party.raw }, field, serve: true }
          : { party, field, serve: false },
      )
    }
  const blind = served.filter((s) => !list.some((r) => addressKey(r.party) === addressKey(s.party)))
  // MAP-127: the only recipient there is may be shown, even if it was blind.
  const field = served.length === 1 && blind.length === 1 ? 'to' : 'bcc'
  for (const one of blind) list.push({ ...one, field, serve: true })
  return list
}

function envelopeRecipients(
  mail: MailSource,
  partyOf: (path: string) => Party | Refusal,
): Recipient[] | Refusal {
  const list: Recipient[] = []
  for (const { path, params } of mail.envelope.rcptTo) {
    const party = partyOf(path)
    if (isRefusal(party)) return party
    if (list.some((r) => addressKey(r.party) === addressKey(party))) continue
    list.push({
      party: { ...party, raw: path },
      field: 'bcc',
      serve: true,
      notify: notifyOf(params.NOTIFY),
      orcpt: orcptOf(params.ORCPT),
    })
  }
  return list.length > 0 ? list : refusal('bad-recipient', 'the message has no recipient')
}

/** RFC 3461 §4.1. */
export function notifyOf(value: string | undefined): Notify | undefined {
  if (value === undefined) return undefined
  const words = value.toUpperCase().split(',')
  if (words.includes('NEVER')) return 'never'
  return {
    success: words.includes('SUCCESS'),
    failure: words.includes('FAILURE'),
    delay: words.includes('DELAY'),
  }
}

/** RFC 3461 §4.2: type; xtext. RFC 6533 §3: utf-8; an encoding of its own. */
export function orcptOf(value: string | undefined): { type: string; address: string } | undefined {
  const semicolon = value?.indexOf(';') ?? -1
  if (value === undefined || semicolon <= 0) return undefined
  const [type, address] = [value.slice(0, semicolon), value.slice(semicolon + 1)]
  return { type, address: type.toLowerCase() === 'utf-8' ? fromUtf8Xtext(address) : fromXtext(address) }
}
