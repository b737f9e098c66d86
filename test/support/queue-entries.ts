/** Entries of the queue as the acceptance makes them. */
import type { NewQueueEntry } from '../../src/model/queue.ts'

const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }

/** A mail of 1500 octets to one recipient; with `keepContent` a report may have to return it. */
export const entry = (
  queueId: string,
  now: number,
  { keepContent }: { keepContent?: boolean } = {},
): NewQueueEntry => ({
  queueId,
  receivedAt: now,
  origin: {
    carrier: 'mail',
    envelope: { session, mailFrom: { path: 'a@b.example', params: {} }, rcptTo: [], receivedAt: 0 },
  },
  octets: [Buffer.alloc(1500, queueId)],
  sender: 'a@b.example',
  deliveries: [
    {
      target: 'mm7-submit:mmsc',
      recipients: [{ index: 0, address: '+12025550123' }],
      dueAt: now,
      expiresAt: now + 3_600_000,
    },
  ],
  ...(keepContent
    ? {
        original: {
          messageId: null,
          origin: { kind: 'mail', returnPath: 'a@b.example', header: '', size: 1500 },
          recipients: [
            {
              index: 0,
              address: '+12025550123',
              party: { kind: 'number', value: '+12025550123', raw: '+12025550123' },
              blind: false,
              target: 'mm7-submit:mmsc',
              reports: [],
            },
          ],
          keepContent: true,
          keepUntil: now + 100 * 3_600_000,
        } satisfies NewQueueEntry['original'],
      }
    : {}),
})
