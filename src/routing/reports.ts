/** What failed outcomes call for: a DSN to the sender of a mail, as a queue entry of our own (QUE-003, RPT-054). */
import { failureReport } from '../mapping/reports/dsn.ts'
import type { IdSource } from '../model/providers.ts'
import type { NewQueueEntry } from '../model/queue.ts'
import type { Settings } from '../model/settings.ts'
import type { ReportInput } from '../queue/runner.ts'
import type { Acceptor } from './accept.ts'

export function createReporter(options: {
  readonly settings: Settings
  readonly ids: IdSource
  readonly acceptor: Acceptor
  readonly log: (level: 'info' | 'warn', message: string, fields?: Readonly<Record<string, unknown>>) => void
}): (input: ReportInput) => Promise<readonly NewQueueEntry[]> {
  const { settings, ids } = options
  return async ({ delivery, outcomes, octets, now }) => {
    if (!outcomes.some((o) => o.state === 'failed' || o.state === 'expired')) return []
    const { queueId, origin } = delivery.entry
    if (origin.carrier !== 'mail') return []
    const reportId = ids.queueId()
    const ctx = { settings, ids: ids.of(reportId, ''), now }
    const report = failureReport(delivery, outcomes, await octets(), now, ctx)
    if (!report) return []
    const deliveries = await options.acceptor.ownDeliveries(report.to, now)
    if (deliveries.length === 0) {
      // Nobody can be told: the log is then the only witness (RPT-010).
      options.log('warn', 'a report cannot be delivered', { queueId, sender: report.to })
      return []
    }
    const session = {
      peer: null,
      ehlo: settings.gateway.host,
      ip: '127.0.0.1',
      port: 0,
      auth: null,
      tls: false,
      esmtp: true,
    }
    return [
      {
        queueId: reportId,
        receivedAt: now,
        origin: {
          carrier: 'mail',
          own: true,
          envelope: {
            session,
            mailFrom: { path: null, params: {} },
            rcptTo: [{ path: report.to, params: { NOTIFY: 'NEVER' } }],
            receivedAt: Math.floor(now / 1000),
          },
        },
        octets: [report.octets],
        sender: '',
        deliveries,
      },
    ]
  }
}
