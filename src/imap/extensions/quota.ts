/** QUOTA (RFC 9208): one quota root for each account, set by the operator. */
import type { Quota } from '../../store/store.ts'
import { astring, mailboxName } from '../../wire/imap/encode.ts'
import { command, no, ok } from '../command.ts'
import type { Extension } from '../extension.ts'
import type { Session } from '../session.ts'
import { statusItem } from '../status-item.ts'

/** Its name: the account's own, so that no two sessions take one for the other. */
const rootOf = (session: Session): string => astring(session.user.address)

/** Without a limit there is no root: a QUOTA response names one resource at least (RFC 9208 §5). */
const isLimited = ({ octets, messages }: Quota): boolean =>
  octets.limit !== undefined || messages.limit !== undefined

const quotaOf = (session: Session): Promise<Quota> =>
  session.services.store.read(session.user.id, (view) => view.quota())

/** STORAGE counts units of 1024 octets (QU-04). What has no limit is not listed. */
function resources({ octets, messages }: Quota): string {
  const list: string[] = []
  if (octets.limit !== undefined)
    list.push(`STORAGE ${Math.ceil(octets.used / 1024)} ${Math.floor(octets.limit / 1024)}`)
  if (messages.limit !== undefined) list.push(`MESSAGE ${messages.used} ${messages.limit}`)
  return list.join(' ')
}

function tellQuota(session: Session, quota: Quota): void {
  session.out.untagged(`QUOTA ${rootOf(session)} (${resources(quota)})`)
}

const getQuota = command({
  name: 'GETQUOTA',
  source: 'RFC 9208 §4.1.1',
  states: ['authenticated', 'selected'],
  parse: (input) => input.sp().astring(),
  async run(root, session) {
    const quota = await quotaOf(session)
    if (root !== session.user.address || !isLimited(quota))
      return no('there is no such quota root', 'NONEXISTENT')
    tellQuota(session, quota)
    return ok('GETQUOTA completed')
  },
})

const getQuotaRoot = command({
  name: 'GETQUOTAROOT',
  source: 'RFC 9208 §4.1.2',
  states: ['authenticated', 'selected'],
  parse: (input) => input.sp().mailbox(),
  async run(name, session) {
    // The mailbox need not exist (QU-02).
    const quota = await quotaOf(session)
    const root = isLimited(quota) ? ` ${rootOf(session)}` : ''
    session.out.untagged(`QUOTAROOT ${mailboxName(name, session.utf8)}${root}`)
    if (root !== '') tellQuota(session, quota)
    return ok('GETQUOTAROOT completed')
  },
})

const setQuota = command({
  name: 'SETQUOTA',
  source: 'RFC 9208 §4.1.3',
  states: ['authenticated', 'selected'],
  parse(input) {
    const root = input.sp().astring()
    input.sp().expect('(')
    if (!input.try(')')) {
      do {
        input.atom()
        input.sp().digits()
      } while (input.try(' '))
      input.expect(')')
    }
    return root
  },
  // The operator's affair (QU-07).
  run: () => no('limits are set by the operator', 'NOPERM'),
})

export const quota: Extension = {
  capability: () => ['QUOTA', 'QUOTA=RES-STORAGE', 'QUOTA=RES-MESSAGE'],
  title: 'QUOTA',
  source: 'RFC 9208',
  commands: [getQuota, getQuotaRoot, setQuota],
  statusItems: { 'DELETED-STORAGE': statusItem((m) => String(Math.ceil(m.deletedOctets / 1024))) },
}
