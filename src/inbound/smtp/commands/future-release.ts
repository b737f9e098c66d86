/** FUTURERELEASE (RFC 4865): a message is taken now and leaves later. */
import { futureReleaseLimits } from '../../../wire/smtp/future-release.ts'
import { type Reply, reply } from '../../../wire/smtp/replies.ts'
import type { SmtpExtension } from '../command.ts'
import type { Conversation } from '../conversation.ts'

export const futureRelease: SmtpExtension = {
  source: 'RFC 4865 §3',
  keyword({ options }) {
    const maxSeconds = options.submission?.holds?.maxSeconds
    return maxSeconds === undefined
      ? undefined
      : `FUTURERELEASE ${futureReleaseLimits(maxSeconds, options.now())}`
  },
}

/** Whether there is room for one more held message (RFC 4865 §6). */
export async function holdRefused(
  params: Readonly<Record<string, string>>,
  { options, account }: Conversation,
): Promise<Reply | undefined> {
  const holds = options.submission?.holds
  if (!holds || !account || (params.HOLDFOR === undefined && params.HOLDUNTIL === undefined)) return undefined
  switch (await holds.room(account.address)) {
    case 'room':
      return undefined
    case 'user-full':
      return reply(552, '5.7.16', 'You have as many held messages as you may have')
    case 'system-full':
      return reply(552, '5.7.17', 'There are as many held messages here as there may be')
  }
}
