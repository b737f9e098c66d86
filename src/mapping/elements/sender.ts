import type { Party } from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import type { XmlElement } from '../../wire/mm7/message.ts'
import { addressKey, mailAddressOf, mailParty, partyFromMms } from '../addresses.ts'
import type { MappingContext } from '../context.ts'
import type { Element } from '../element.ts'
import { firstSend } from '../history.ts'
import { addressField, mailboxesOf } from '../mail-address.ts'
import { mm4AddressField, mm4Parties } from '../mm4-address.ts'
import { addressElement, innerAddress } from '../mm7-address.ts'

const badSender = (why: Refusal): Refusal => ({ ...why, refused: 'bad-sender' })

/** Sender to From, number qualified (MAP-050 to MAP-060); From or Sender to the MMS sender (MAP-129, ADR-031). */
export const sender: Element = {
  name: 'Sender address',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3',
  mail: {
    owns: ['From', 'Sender'],
    read(mail, mm, ctx) {
      // Of a mail that was resent, who resent it last (MAP-146).
      const last = mail.resent.find((block) => block.has('from'))
      const from = mailboxesOf(last ? last.get('from') : mail.field('From'), ctx.settings)
      const agent = last ? last.get('sender') : mail.field('Sender')
      const named = from.length === 1 ? from[0] : (mailboxesOf(agent, ctx.settings)[0] ?? from[0])
      const path = mail.envelope.mailFrom.path
      const party = named ?? (path === null ? undefined : mailParty(path, ctx.settings))
      if (party === undefined) return refusal('bad-sender', 'there is no From, and the reverse-path is null')
      if (isRefusal(party)) return badSender(party)
      mm.sender = party
      if (from.length > 1) mm.from = from
    },
    write(mm, mail, ctx) {
      const from = firstSend(mm)?.by ?? mm.from ?? [mm.sender]
      const value = addressField(from, ctx.settings)
      if (isRefusal(value)) return badSender(value)
      mail.add('From', value)
      const first = from[0]
      if (from.length > 1 && first) {
        const sole = addressField([first], ctx.settings)
        if (!isRefusal(sole)) mail.add('Sender', sole)
      }
    },
  },
  mm7: {
    read(request, mm, ctx) {
      const element =
        request.operation === 'SubmitReq'
          ? innerAddress(
              child(request.child('SenderIdentification'), 'SenderAddress') ?? request.child('SenderAddress'),
            )
          : innerAddress(request.child('Sender'))
      if (element?.coding)
        return refusal('sender-hiding', 'the sender is hidden, and a mail must have one that can be answered')
      // No address: the identity that the peer logged in with (MAP-058).
      const text = element?.text || request.peer.senders?.[0]
      if (text === undefined || text === '') return refusal('bad-sender', 'there is no sender address')
      const party = partyFromMms(element?.text ? element.kind : '', text, ctx.settings)
      if (isRefusal(party)) return badSender(party)
      if (
        request.operation === 'SubmitReq' &&
        request.peer.senders &&
        !request.peer.senders.some((s) => same(s, party, ctx))
      )
        return refusal('not-authorised', 'the sender address is not registered to this VASP', text)
      mm.sender = element?.xmlId ? { ...party, xmlId: element.xmlId } : party
    },
    write(mm, request, ctx) {
      const shown: Party =
        mm.sender.kind === 'mail' ? { ...mm.sender, value: mailOnly(mm.sender, ctx) } : mm.sender
      const { senderPolicy, senderAddress } = request.peer
      const address =
        senderPolicy === 'shortcode' && senderAddress !== undefined
          ? text('ShortCode', senderAddress)
          : addressElement(shown, request.peer)
      if (request.operation === 'DeliverReq') {
        request.set('Sender', request.bare ? address.text : [address])
        return
      }
      const { vaspId, vasId } = request.peer
      request.set('SenderIdentification', [
        ...(vaspId ? [text('VASPID', vaspId)] : []),
        ...(vasId ? [text('VASID', vasId)] : []),
        request.bare
          ? text('SenderAddress', address.text)
          : { name: 'SenderAddress', namespace: '', attributes: {}, children: [address], text: '' },
      ])
    },
  },
  mm4: {
    owns: ['From', 'Sender'],
    read(mail, mm, ctx) {
      const from = mail.fields('From').flatMap((value) => mm4Parties(value, mail.peer, ctx.settings))
      const [first] = from
      if (!first) return refusal('bad-sender', 'there is no From that can be answered', mail.field('From'))
      // A number must be one that the peer's operator gives out, where that is told (SEC-031).
      const { numbers } = mail.peer
      if (numbers && first.kind === 'number' && !numbers.some((prefix) => first.value.startsWith(prefix)))
        return refusal('bad-sender', 'the sender is not a number of this peer', first.raw)
      mm.sender = first
      if (from.length > 1) mm.from = from
    },
    write(mm, mail) {
      const from = mm.from ?? [mm.sender]
      const value = mm4AddressField(from, mail.peer)
      if (value === '') return refusal('bad-sender', 'the sender has no form on MM4', mm.sender.raw)
      mail.add('From', value)
      // Who of them sent it (RFC 5322 §3.6.2).
      if (from.length > 1) mail.add('Sender', mm4AddressField([mm.sender], mail.peer))
    },
  },
}

const text = (name: string, value: string): XmlElement => ({
  name,
  namespace: '',
  attributes: {},
  children: [],
  text: value,
})

const child = (element: XmlElement | undefined, name: string): XmlElement | undefined =>
  element?.children.find((c) => c.name.toLowerCase() === name.toLowerCase())

const mailOnly = (party: Party, ctx: MappingContext): string => {
  const address = mailAddressOf(party, ctx.settings)
  return isRefusal(address) ? party.value : address
}

/** Registered senders are written as people write them: any form of the same address counts (SEC-030). */
function same(registered: string, party: Party, ctx: MappingContext): boolean {
  const other = partyFromMms('', registered, ctx.settings)
  return !isRefusal(other) && addressKey(other) === addressKey(party)
}
