import type { Party, PreviousSend } from '../../model/neutral.ts'
import { isRefusal, type Refusal } from '../../model/refusal.ts'
import type { XmlElement } from '../../wire/mm7/message.ts'
import { partyFromMms } from '../addresses.ts'
import type { MappingContext } from '../context.ts'
import type { Element, MailDraft } from '../element.ts'
import { sendHistory } from '../history.ts'
import { addressField, mailboxesOf } from '../mail-address.ts'
import { mm4AddressField, mm4Parties } from '../mm4-address.ts'
import { addressElement, innerAddress } from '../mm7-address.ts'
import { fromMailDate, fromXmlDateTime, toHttpDate, toMailDate, toXmlDateTime } from '../times.ts'

/** More steps than this are not read (SEC-021). */
const maxSteps = 100

/** Resent blocks of mail, Previously-Sent elements of MMS (MAP-100 to MAP-108, MAP-145 to MAP-152). */
export const history: Element = {
  name: 'Forward counter, previously sent by and when',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3',
  mail: {
    owns: [
      'Resent-Date',
      'Resent-From',
      'Resent-Sender',
      'Resent-To',
      'Resent-Cc',
      'Resent-Message-ID',
      'Resent-Reply-To',
    ],
    read(mail, mm, ctx) {
      if (mail.resent.length === 0) return
      const original = { by: mail.field('From'), at: mail.field('Date') }
      // The newest block is the message itself; the others count up from the oldest (AMB-13).
      const older = mail.resent.slice(1).reverse()
      const steps = [original, ...older.map((b) => ({ by: b.get('from'), at: b.get('date') }))]
      mm.forwardCounter = mail.resent.length
      mm.previous = steps.flatMap(({ by, at }, index): PreviousSend[] => {
        const parties = mailboxesOf(by, ctx.settings)
        const instant = fromMailDate(at ?? '')
        const block = older[index - 1]
        if (parties.length === 0 || !instant) return []
        return [
          {
            index,
            by: parties,
            at: instant,
            to: block ? mailboxesOf(block.get('to'), ctx.settings) : undefined,
            cc: block ? mailboxesOf(block.get('cc'), ctx.settings) : undefined,
            messageId: block?.get('message-id'),
          },
        ]
      })
    },
    write(mm, mail, ctx) {
      const steps = sendHistory(mm)
      if (steps.length === 0) return
      const parties = (field: 'to' | 'cc'): Party[] =>
        mm.recipients.filter((r) => r.field === field && r.party.kind !== 'unknown').map((r) => r.party)
      const failed = block(mail, ctx, mm.date, mm.from ?? [mm.sender])
      if (failed) return failed
      for (const [name, field] of [
        ['Resent-To', 'to'],
        ['Resent-Cc', 'cc'],
      ] as const) {
        const value = addressField(parties(field), ctx.settings)
        if (isRefusal(value)) return value
        if (value !== '') mail.add(name, value)
      }
      mail.add('Resent-Message-ID', mm.messageId)
      for (const step of steps.slice(1).reverse()) {
        const refused = block(mail, ctx, step.at, step.by)
        if (refused) ctx.log?.('warn', 'a step of the history was dropped', { index: step.index })
      }
    },
  },
  mm7: {
    read(request, mm, ctx) {
      const by = numbered(request.child('Previouslysentby'))
      const at = numbered(request.child('Previouslysentdateandtime'))
      if (by.size === 0 && at.size === 0) return
      // Sequences count from 1, unless a peer starts at 0 (AMB-39).
      const shift = by.has(0) || at.has(0) ? 0 : 1
      const steps: PreviousSend[] = []
      for (const sequence of new Set([...by.keys(), ...at.keys()])) {
        const address = innerAddress(by.get(sequence))
        const party = address?.text ? partyFromMms(address.kind, address.text, ctx.settings) : undefined
        steps.push({
          index: sequence - shift,
          by: party === undefined || isRefusal(party) ? [] : [party],
          at: fromXmlDateTime(at.get(sequence)?.text ?? ''),
        })
      }
      mm.previous = steps
    },
    write(mm, request) {
      if (request.operation !== 'DeliverReq') return
      const steps = sendHistory(mm)
      const one = (name: string, index: number, children: XmlElement[], text = ''): XmlElement => ({
        name,
        namespace: '',
        attributes: { sequence: String(index + 1) },
        children,
        text,
      })
      request.set(
        'Previouslysentby',
        steps.flatMap((s) =>
          s.by.slice(0, 1).map((p) => one('UserAgent', s.index, [addressElement(p, request.peer)])),
        ),
      )
      request.set(
        'Previouslysentdateandtime',
        steps.map((s) => one('DateTime', s.index, [], toXmlDateTime(s.at))),
      )
    },
  },
  mm4: {
    read(mail, mm, ctx) {
      const steps = new Map<number, { by: Party[]; at?: PreviousSend['at'] }>()
      const step = (index: number) => {
        const found = steps.get(index) ?? { by: [] }
        if (steps.size < maxSteps) steps.set(index, found)
        return found
      }
      for (const [index, value] of listed(mail.fields('X-Mms-Previously-Sent-By')))
        step(index).by = mm4Parties(value, mail.peer, ctx.settings)
      const dates = [
        ...mail.fields('X-Mms-Previously-Sent-Date-and-Time'),
        ...mail.fields('X-Mms-Previously-Sent-Date'),
      ]
      for (const [index, value] of listed(dates)) step(index).at = fromMailDate(value)
      if (steps.size > 0) {
        mm.previous = [...steps].map(([index, { by, at }]) => ({ index, by, at }))
        mm.passThrough = mm.passThrough?.filter((f) => !/^resent-/i.test(f.name)) ?? []
      }
      const counter = mail.field('X-Mms-Forward-Counter')?.trim()
      if (counter !== undefined && /^\d{1,6}$/.test(counter)) mm.forwardCounter = Number(counter)
    },
    write(mm, mail) {
      if (mm.forwardCounter !== undefined && mm.forwardCounter > 0)
        mail.add('X-Mms-Forward-Counter', String(mm.forwardCounter))
      for (const { index, at, by } of sendHistory(mm)) {
        mail.add('X-Mms-Previously-Sent-Date-and-Time', `${index}, ${toHttpDate(at)}`)
        mail.add('X-Mms-Previously-Sent-By', `${index}, ${mm4AddressField(by, mail.peer)}`)
      }
    },
  },
}

/** Date, From, and Sender where several sent it (MAP-103, MAP-107). */
function block(
  mail: MailDraft,
  ctx: MappingContext,
  at: NonNullable<PreviousSend['at']>,
  by: readonly Party[],
): Refusal | undefined {
  const from = addressField(by, ctx.settings)
  if (isRefusal(from)) return from
  mail.add('Resent-Date', toMailDate(at))
  mail.add('Resent-From', from)
  const [first, second] = by
  const agent = first && second ? addressField([first], ctx.settings) : ''
  if (!isRefusal(agent) && agent !== '') mail.add('Resent-Sender', agent)
  return undefined
}

/** `0, value` of each field: number and value. */
function listed(values: readonly string[]): [number, string][] {
  return values.flatMap((value): [number, string][] => {
    const match = /^\s*(\d{1,5})\s*,\s*(\S.*)$/s.exec(value)
    return match ? [[Number(match[1]), match[2] ?? '']] : []
  })
}

/** Children by their sequence attribute, else by position. */
function numbered(element: XmlElement | undefined): Map<number, XmlElement> {
  const found = new Map<number, XmlElement>()
  for (const [position, child] of (element?.children ?? []).slice(0, maxSteps).entries()) {
    const sequence = Number(child.attributes.sequence ?? position + 1)
    if (Number.isSafeInteger(sequence) && sequence >= 0) found.set(sequence, child)
  }
  return found
}
