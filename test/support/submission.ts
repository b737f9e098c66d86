/** A gateway with a submission listener, a relay behind it, and a client that submits. */
import { atEnd } from './at-end.ts'
import { gatewayHere, type LoggedGateway } from './gateway.ts'
import { mailSink, SmtpClient, type TakenMail } from './peers.ts'

const any = '127.0.0.1:0'
export const listening = { mm7: any, smtp: any, imap: any, admin: any, submission: any, submissions: any }

/** Mail for elsewhere goes to `taken`; mail for example.net into mailboxes. */
export async function submissionGateway(
  over: Record<string, unknown> = {},
  offers?: readonly string[],
  options: Parameters<typeof gatewayHere>[1] = {},
): Promise<{ gateway: LoggedGateway; taken: readonly TakenMail[] }> {
  const sink = await mailSink(undefined, offers)
  const gateway = await gatewayHere(
    {
      listen: listening,
      gateway: { host: 'mail.example.net' },
      routes: [
        { match: 'domain:example.net', to: 'store' },
        { match: 'domain:*', to: 'smtp:relay' },
      ],
      ...over,
      peers: { relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port }, ...(over.peers as object) },
    },
    options,
  )
  return { gateway, taken: sink.taken }
}

export const plain = (user: string, password = 'secret', authzid = ''): string =>
  Buffer.from(`${authzid}\0${user}\0${password}`).toString('base64')

export class SubmitClient extends SmtpClient {
  /** Sends the lines in one segment; one reply for each. */
  async pipelined(...lines: readonly (string | Uint8Array)[]): Promise<string[]> {
    return this.repliesTo(
      lines.length,
      Buffer.concat(lines.map((line) => Buffer.concat([Buffer.from(line), Buffer.from('\r\n')]))),
    )
  }

  async repliesTo(count: number, octets: string | Uint8Array): Promise<string[]> {
    this.write(octets)
    const replies: string[] = []
    for (let i = 0; i < count; i++) replies.push(await this.reply())
    return replies
  }

  /** Of each reply the code and the enhanced code. */
  async codes(...lines: readonly string[]): Promise<string[]> {
    const found: string[] = []
    for (const line of lines) found.push(code(await this.command(line)))
    return found
  }

  async startTls(): Promise<void> {
    const answer = await this.command('STARTTLS')
    if (!answer.startsWith('220 2.0.0')) throw new Error(answer)
    await this.secure()
  }
}

/** '250 2.1.0', or the code alone where there is no other. */
export const code = (reply: string): string =>
  /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/.exec(reply)?.[0].replace('-', ' ') ?? reply

export async function submitClient(
  gateway: LoggedGateway,
  { user, tls = false, ehlo = true }: { user?: string; tls?: boolean | 'implicit'; ehlo?: boolean } = {},
): Promise<SubmitClient> {
  const address = (tls === 'implicit' ? gateway.addresses.submissions : gateway.addresses.submission) ?? ''
  const client = new SubmitClient(address)
  atEnd(() => client.end())
  if (tls === 'implicit') await client.secure()
  await client.reply()
  if (ehlo) await client.command('EHLO phone.example.org')
  if (tls === true) {
    await client.startTls()
    await client.command('EHLO phone.example.org')
  }
  if (user !== undefined) {
    const answer = await client.command(`AUTH PLAIN ${plain(user)}`)
    if (!answer.startsWith('235 2.7.0')) throw new Error(answer)
    await client.command('EHLO phone.example.org')
  }
  return client
}
