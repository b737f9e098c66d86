/** `lemonade demo`: one message each way through a gateway of its own, in a temporary folder; tells what crossed it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { request } from 'undici'
import { compose, type Gateway } from '../compose.ts'
import { type Config, checkConfig, hostPort } from '../config.ts'
import { createLog } from '../log.ts'
import { decodeWords } from '../wire/mime/encoded-words.ts'
import { decodeBody, fieldValue, scanMessage } from '../wire/mime/scan.ts'
import { bundledDeliverReq, pictureOctets } from './demo-message.ts'
import { listeningMmsc } from './demo-mmsc.ts'
import { firstLiteral, imapDialogue } from './imap-dialogue.ts'
import { smtpDialogue } from './smtp-dialogue.ts'

type Out = (line: string) => void

const address = 'alice@example.net'
const password = 'secret'
const number = '+12025550123'
const any = '127.0.0.1:0'

/** Exit code 0 only if all of it happened. */
export async function demo(out: Out): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'lemonade-demo-'))
  const mmsc = await listeningMmsc()
  const config: Config = checkConfig(
    {
      store: `sqlite:${folder}`,
      log: 'error',
      // Ports that are free: a gateway that runs already is not disturbed.
      listen: { mm7: any, smtp: any, imap: any, submission: any, admin: any },
      peers: {
        mmsc: {
          interface: 'mm7',
          role: 'rs',
          ip: '127.0.0.1',
          url: mmsc.url,
          vaspId: 'gateway',
          mailOut: true,
        },
      },
      accounts: [{ address, password }],
    },
    'demo',
  )
  try {
    const gateway = await compose(config, createLog('error'))
    try {
      return (await tell(gateway, mmsc.received, out)) ? 0 : 1
    } finally {
      await gateway.close()
    }
  } finally {
    mmsc.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function tell(gateway: Gateway, submitted: Promise<string>, out: Out): Promise<boolean> {
  const failed = (why: string): false => {
    out(`   FAILED: ${why}`)
    return false
  }
  out(`1. ${number} sends a picture message; the MMSC posts it by MM7 (DeliverReq) for ${address}`)
  const posted = await request(gateway.addresses.mm7 ?? '', { method: 'POST', ...bundledDeliverReq() })
  const answer = await posted.body.text()
  const status = /<[^>]*StatusCode>(\d+)</.exec(answer)?.[1]
  if (status !== '1000') return failed(`HTTP ${posted.statusCode}, MM7 status ${status}: ${answer}`)
  out(`   <- HTTP ${posted.statusCode}, MM7 status 1000 Success: the message is safe on disk`)

  out('2. Alice fetches it over IMAP, as Internet mail (RFC 4356)')
  const mail = await retried(() => firstMail(gateway))
  if (!mail) return failed('no message arrived')
  const node = scanMessage(mail)
  for (const name of ['From', 'To', 'Subject', 'Date', 'Importance'])
    out(`   ${name}: ${decodeWords(fieldValue(mail, node, name) ?? '(none)').slice(0, 100)}`)
  for (const part of node.parts)
    out(`   - ${`${part.type}/${part.subtype}`.toLowerCase()}, ${decodeBody(mail, part).length} octets`)
  const picture = node.parts.find((part) => part.type.toLowerCase() === 'image')
  if (!picture || !Buffer.from(decodeBody(mail, picture)).equals(pictureOctets))
    return failed('the picture is not the one that was sent')
  out('   the picture arrived octet for octet')

  out(`3. Alice answers; her mail server relays it by SMTP for ${number}`)
  const smtp = hostPort(gateway.addresses.smtp ?? '')
  const transport = createTransport({ ...smtp, tls: { rejectUnauthorized: false } })
  const sent = await transport.sendMail({
    from: `Alice <${address}>`,
    to: `${number}@mms.example.net`,
    subject: 'Re: Greetings',
    text: 'Thank you!',
  })
  out(`   <- ${sent.response}`)

  out('4. The MMSC gets it as an MM7 SubmitReq for the handset')
  const patience = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 10_000).unref())
  const submit = await Promise.race([submitted, patience])
  if (submit === undefined) return failed('no SubmitReq reached the MMSC')
  for (const wanted of [/<Subject>[^<]*<\/Subject>/, /<Number[^>]*>[^<]*<\/Number>/, /Thank you!/]) {
    const found = wanted.exec(submit)?.[0]
    if (found === undefined) return failed(`${wanted.source} is not in ${submit}`)
    out(`   ${found}`)
  }
  if (!submit.includes(number)) return failed('the SubmitReq is for somebody else')
  return forwarded(gateway, out, failed)
}

/** RFC 5550 §8.4: what is in the mailbox goes on without coming to the phone. */
async function forwarded(
  { addresses, engine }: Gateway,
  out: Out,
  failed: (why: string) => false,
): Promise<boolean> {
  out('5. Alice forwards the picture to herself without downloading it (BURL)')
  const rump = `imap://alice%40example.net@localhost.localdomain/INBOX/;UID=1;URLAUTH=submit+alice%40example.net`
  const said = await imapDialogue(hostPort(addresses.imap ?? ''), [
    `LOGIN ${address} ${password}`,
    `GENURLAUTH "${rump}" INTERNAL`,
  ])
  const url = /^\* GENURLAUTH "([^"]+)"/m.exec(said)?.[1]
  if (url === undefined) return failed('IMAP gave no URL')
  out(`   IMAP: GENURLAUTH <- ${url.slice(0, url.lastIndexOf(':') + 5)}...`)
  const lines = [
    'EHLO demo',
    `AUTH PLAIN ${Buffer.from(`\0${address}\0${password}`).toString('base64')}`,
    `MAIL FROM:<${address}>`,
    `RCPT TO:<${address}>`,
    `BURL ${url} LAST`,
  ]
  const answer = (await smtpDialogue(hostPort(addresses.submission ?? ''), lines)).at(-1) ?? ''
  if (!answer.startsWith('250')) return failed(`submission said ${answer}`)
  out(`   SMTP: BURL <- ${answer}`)
  const arrived = await retried(async () => {
    const account = await engine.directory.find(address)
    const box = account && (await engine.store.read(account.id, (view) => view.mailbox('INBOX')))
    return box && box.messages >= 2 ? box.messages : undefined
  })
  if (arrived === undefined) return failed('nothing arrived')
  out('   it is in her mailbox a second time')
  out('All of it works.')
  return true
}

/** The first message of INBOX over IMAP, once there is one. */
async function firstMail({ addresses }: Gateway): Promise<Uint8Array | undefined> {
  const said = await imapDialogue(hostPort(addresses.imap ?? ''), [
    `LOGIN ${address} ${password}`,
    'SELECT INBOX',
    'UID FETCH 1 (BODY.PEEK[])',
  ])
  return firstLiteral(said)
}

async function retried<T>(fn: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let i = 0; i < 100; i++) {
    const value = await fn()
    if (value !== undefined) return value
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return undefined
}
