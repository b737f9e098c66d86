/** Python's libraries, curl and swaks against the whole gateway. What is not installed is skipped, and said so. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folder, gatewayHere, type LoggedGateway } from '../support/gateway.ts'
import { eventually, inbox } from '../support/peers.ts'
import { certificateOf, here, listening, mail, needs, password, portsOf, run, user } from './clients.ts'

const gatewayForAll = (): Promise<LoggedGateway> =>
  gatewayHere({ listen: listening, limits: { messageOctets: 300_000 } })
const mails = (gateway: LoggedGateway, count: number): Promise<Buffer[]> =>
  eventually(async () => {
    const found = await inbox(gateway)
    return found.length >= count && found
  })

test('Python smtplib and imaplib: STARTTLS, attachment, dot-stuffing, COPY, STORE, EXPUNGE, APPEND', async (context) => {
  needs(context, 'python3')
  const { smtp, imap } = portsOf(await gatewayForAll())
  expect(await run('python3', [here('send_and_read.py'), String(smtp), String(imap)])).toBe('ok\n')
})

test('Python imaplib: plain, STARTTLS, TLS; UTF8, SORT, THREAD, MOVE, quota, annotations, IDLE', async (context) => {
  needs(context, 'python3')
  const gateway = await gatewayForAll()
  const { imap, imaps } = portsOf(gateway)
  expect(await run('python3', [here('imaplib_session.py'), String(imap), String(imaps)])).toBe('ok\n')
  expect(gateway.logged.filter(({ level }) => level === 'error')).toEqual([])
})

test('curl: mail by SMTP, IMAP list, search, fetch, sections, append, store; STARTTLS, imaps, SASL', async (context) => {
  needs(context, 'curl')
  const gateway = await gatewayForAll()
  const { smtp, imap, imaps } = portsOf(gateway)
  const file = join(folder(), 'mail')
  writeFileSync(file, mail(1, 'curl'))
  const certificate = await certificateOf(gateway)
  const curl = (...args: string[]) => run('curl', ['-sS', '--max-time', '10', ...args])
  const trust = ['-k', '--cacert', certificate]
  await curl(
    `smtp://127.0.0.1:${smtp}/client.example.org`,
    ...trust,
    '--ssl-reqd',
    '--mail-from',
    'x@example.org',
    '--mail-rcpt',
    user,
    '-T',
    file,
  )
  await mails(gateway, 1)
  await curl('-u', `${user}:${password}`, `imap://127.0.0.1:${imap}/`, '-X', 'CREATE Sent')
  const ways = [
    [`imap://127.0.0.1:${imap}`],
    [`imap://127.0.0.1:${imap}`, ...trust, '--ssl-reqd'],
    [`imaps://127.0.0.1:${imaps}`, ...trust],
    [`imap://127.0.0.1:${imap}`, '--login-options', 'AUTH=PLAIN', '--sasl-ir'],
    [`imap://127.0.0.1:${imap}`, '--login-options', 'AUTH=LOGIN'],
  ]
  for (const [url = '', ...options] of ways.slice(0, 4)) {
    const imapCurl = (path: string, ...args: string[]) =>
      curl('-u', `${user}:${password}`, ...options, ...args, `${url}/${path}`)
    expect(await imapCurl('')).toMatch(/LIST \([^)]*\) "\/" "?INBOX/)
    expect(await imapCurl('INBOX;MAILINDEX=1')).toMatch(/^Subject: curl\r$/m)
    expect(await imapCurl('INBOX;UID=1;SECTION=1')).toBe('Gr=C3=BC=C3=9Fe number 1')
    expect(await imapCurl('INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)')).toBe('Subject: curl\r\n\r\n')
    expect(await imapCurl('INBOX?SUBJECT%20curl')).toMatch(/SEARCH 1/)
    expect(await imapCurl('INBOX', '-X', 'EXAMINE INBOX')).toMatch(/\[UIDVALIDITY \d+\]/)
    expect(await imapCurl('', '-X', 'STATUS INBOX (MESSAGES)')).toMatch(/STATUS "?INBOX"? \(MESSAGES 1\)/)
    await imapCurl('Sent', '-T', file)
    expect(await imapCurl('INBOX', '-X', 'STORE 1 +FLAGS (\\Flagged)')).toMatch(
      /FETCH \(.*FLAGS \([^)]*\\Flagged/,
    )
  }
  const login = ['-u', `${user}:${password}`]
  expect(await curl(...login, `imap://127.0.0.1:${imap}/Sent?ALL`)).toMatch(/SEARCH 1 2 3 4\r/)
  // 67: the login was refused; 78: there is no such message.
  await run('curl', ['-sS', '-u', `${user}:wrong`, `imap://127.0.0.1:${imap}/`], { code: 67 })
  await run('curl', ['-sS', ...login, `imap://127.0.0.1:${imap}/INBOX;UID=9`], { code: 78 })
})

test('swaks: TLS, pipelining, DSN parameters, SIZE, several recipients, refusals', async (context) => {
  needs(context, 'swaks')
  const gateway = await gatewayForAll()
  const { smtp } = portsOf(gateway)
  const swaks = (code: number, ...args: string[]) =>
    run(
      'swaks',
      [
        '--server',
        '127.0.0.1',
        '--port',
        String(smtp),
        '--timeout',
        '10',
        '--helo',
        'client.example.org',
        ...args,
      ],
      { code },
    )
  const to = ['--from', 'x@example.org', '--to', user]
  expect(await swaks(0, '--tls', ...to)).toMatch(/250 2\.6\.0 Queued as/)
  const offered = await swaks(0, '--quit-after', 'EHLO', ...to)
  for (const name of ['PIPELINING', 'SIZE 300000', 'DSN', 'STARTTLS', '8BITMIME', 'ENHANCEDSTATUSCODES'])
    expect(offered).toMatch(new RegExp(`250[- ]${name}`))
  const piped = await swaks(
    0,
    '--pipeline',
    '--tls',
    '--from',
    'x@example.org',
    '--to',
    `${user},bob@example.net`,
  )
  expect(piped).toMatch(/MAIL FROM:<x@example\.org>\r?\n ~> RCPT TO/)
  // It has no option for ESMTP parameters; the `>` that it adds is an xchar (RFC 3461 §4).
  const asked = [
    `${user}> RET=HDRS SIZE=1000 BODY=8BITMIME ENVID=id+2B1`,
    'bob@example.net> NOTIFY=SUCCESS ORCPT=rfc822;b@example.net',
  ]
  await swaks(
    0,
    '--from',
    asked[0]!,
    '--to',
    asked[1]!,
    '--data',
    'From: x@example.org\nSubject: dsn\n\nHello\n',
  )
  const [, , report] = await mails(gateway, 3)
  expect(report?.toString()).toMatch(/^Original-Envelope-Id: id\+1>\r\n/m)
  expect(report?.toString()).toMatch(
    /^Original-Recipient: rfc822; ?b@example\.net>\r\n(?:.*\r\n)*Action: delivered\r\n/m,
  )
  expect(await swaks(23, '--from', 'x@example.org> SIZE=300001 ENVID=1', '--to', user)).toMatch(/552 5\.3\.4/)
  expect(await swaks(24, '--from', 'x@example.org', '--to', 'nobody@elsewhere.example')).toMatch(
    /550 5\.7\.1/,
  )
})
