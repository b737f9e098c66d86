/** SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 §6.3.1, §6.3.2, §6.4.2; RFC 3691). */
import { bad, type Command, command, no, noArguments, ok } from '../command.ts'
import type { SelectQuery } from '../select-query.ts'
import { tellKeywords } from '../tell.ts'
import { Selected } from '../view/selected.ts'

const open = (name: 'SELECT' | 'EXAMINE', readOnly: boolean): Command =>
  command({
    name,
    source: `RFC 3501 §6.3.${readOnly ? 2 : 1}`,
    states: ['authenticated', 'selected'],
    parse(input, session) {
      const mailbox = input.sp().mailbox()
      const query: SelectQuery = {}
      // RFC 9051 §8 shows it for "inbox", too.
      const given =
        input.givenName(mailbox) ?? (/^inbox$/i.test(mailbox) && mailbox !== 'INBOX' ? mailbox : undefined)
      if (given !== undefined) query.given = given
      if (input.try(' ')) {
        input.expect('(')
        do {
          const word = input.word()
          const parameter = session.services.registry.selectParams.get(word)
          if (!parameter) return input.fail('a parameter of SELECT')
          parameter(input, query, session)
        } while (input.try(' '))
        input.expect(')')
      }
      return { name: mailbox, query }
    },
    async run({ name: wanted, query }, session) {
      const { services, out, user } = session
      if (session.selected) {
        // The old mailbox is closed whatever becomes of the new one (SE-03, SE-04).
        session.deselect()
        out.untagged('OK [CLOSED] The mailbox is closed')
      }
      const found = await services.store.read(user.id, async (view) => {
        const mailbox = await view.mailbox(wanted)
        return mailbox && { mailbox, firstUnseen: await view.firstUnseen(mailbox.id) }
      })
      if (!found) return no('there is no such mailbox', 'NONEXISTENT')
      if (!found.mailbox.selectable) return no('the name only holds other mailboxes', 'CANNOT')
      const shared = await services.mailboxes.open(user.id, found.mailbox.id)
      if (!shared) return no('there is no such mailbox', 'NONEXISTENT')
      if (query.condstore || query.qresync) session.condstore = true
      const selected = new Selected(shared, readOnly)
      session.select(selected)
      const { mailbox } = shared
      out.untagged(`${selected.exists} EXISTS`)
      if (!session.rev2) {
        out.untagged(`${selected.recent} RECENT`)
        const unseen = found.firstUnseen === undefined ? 0 : selected.uids.msnOf(found.firstUnseen)
        if (unseen > 0) out.untagged(`OK [UNSEEN ${unseen}] Unseen`)
      }
      tellKeywords(session, selected, mailbox.keywords)
      out.untagged(`OK [UIDVALIDITY ${shared.uidValidity}] Valid`)
      out.untagged(`OK [UIDNEXT ${shared.uidNext}] Next`)
      try {
        await services.registry.selected(session, mailbox, query)
      } catch (error) {
        // A SELECT that is answered NO leaves nothing selected (SE-04).
        session.deselect()
        throw error
      }
      return ok(`${name} completed`, readOnly ? 'READ-ONLY' : 'READ-WRITE')
    },
  })

export const select = open('SELECT', false)
export const examine = open('EXAMINE', true)

export const close = command({
  name: 'CLOSE',
  source: 'RFC 3501 §6.4.2',
  states: ['selected'],
  parse: noArguments,
  async run(_, session) {
    const { shared, readOnly } = session.view
    // Without untagged EXPUNGE, and nothing after EXAMINE (SE-08). What fails leaves the mailbox selected.
    if (!readOnly)
      await session.write([{ op: 'expunge', mailbox: shared.id, uids: 'all', onlyDeleted: true }])
    session.deselect()
    return ok('CLOSE completed')
  },
})

export const unselect = command({
  name: 'UNSELECT',
  source: 'RFC 3691',
  states: ['selected'],
  parse: noArguments,
  run(_, session) {
    if (!session.selected) return bad('nothing is selected')
    session.deselect()
    return ok('UNSELECT completed')
  },
})
