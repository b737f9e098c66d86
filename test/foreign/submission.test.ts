/** Other people's mail clients submit: swaks, curl, msmtp, nodemailer, Python's smtplib. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { beforeAll, expect, test } from 'vitest'
import { hostPort } from '../../src/config.ts'
import { folder, type LoggedGateway } from '../support/gateway.ts'
import { eventually, type TakenMail } from '../support/peers.ts'
import { submissionGateway } from '../support/submission.ts'
import { needs, password, run, user } from './clients.ts'

let gateway: LoggedGateway
let taken: readonly TakenMail[]
let port = 0
let tlsPort = 0
beforeAll(async () => {
  const made = await submissionGateway({ submission: { tlsFirst: true } })
  gateway = made.gateway
  taken = made.taken
  port = hostPort(gateway.addresses.submission ?? '').port
  tlsPort = hostPort(gateway.addresses.submissions ?? '').port
})

const relayed = async (subject: string): Promise<string> => {
  const { data } = await eventually(() => taken.find((mail) => mail.data.includes(`Subject: ${subject}\r\n`)))
  expect(data.replace(/\r\n\s+/g, ' ')).toMatch(/with ESMTPSA id /)
  return data
}

test('swaks: AUTH after STARTTLS and under implicit TLS, PLAIN; a wrong password is told', async (context) => {
  needs(context, 'swaks')
  const common = [
    '--to',
    'bob@example.org',
    '--from',
    user,
    '--server',
    '127.0.0.1',
    '--auth',
    'PLAIN',
    '--auth-user',
    user,
  ]
  const starttls = await run('swaks', [
    ...common,
    '--port',
    String(port),
    '-tls',
    '--auth-password',
    password,
    '--header',
    'Subject: swaks starttls',
  ])
  expect(starttls).toMatch(/235 2\.7\.0/)
  await relayed('swaks starttls')
  await run('swaks', [
    ...common,
    '--port',
    String(tlsPort),
    '-tlsc',
    '--auth-password',
    password,
    '--header',
    'Subject: swaks implicit',
  ])
  await relayed('swaks implicit')
  expect(
    await run('swaks', [...common, '--port', String(port), '-tls', '--auth-password', 'no'], { code: 28 }),
  ).toMatch(/535 5\.7\.8/)
  expect(
    await run('swaks', [...common, '--port', String(port), '--auth-password', password], { code: 28 }),
  ).toMatch(/530 5\.7\.0|AUTH/)
})

test('curl sends over STARTTLS and smtps', async (context) => {
  needs(context, 'curl')
  const file = join(folder(), 'mail')
  for (const [url, subject] of [
    [`smtp://127.0.0.1:${port}`, 'curl starttls'],
    [`smtps://127.0.0.1:${tlsPort}`, 'curl implicit'],
  ] as const) {
    writeFileSync(
      file,
      `From: ${user}\r\nTo: bob@example.org\r\nSubject: ${subject}\r\n\r\nHello\r\n.dot\r\n`,
    )
    await run('curl', [
      '-sS',
      '-k',
      '--ssl-reqd',
      url,
      '-u',
      `${user}:${password}`,
      '--mail-from',
      user,
      '--mail-rcpt',
      'bob@example.org',
      '-T',
      file,
    ])
    expect(await relayed(subject)).toMatch(/\r\n\r\nHello\r\n\.dot\r\n$/)
  }
})

test('msmtp sends with STARTTLS, strips nothing and loses nothing', async (context) => {
  needs(context, 'msmtp')
  const config = join(folder(), 'msmtprc')
  writeFileSync(
    config,
    `account default\nhost 127.0.0.1\nport ${port}\nfrom ${user}\nauth scram-sha-256\nuser ${user}\npassword ${password}\ntls on\ntls_certcheck off\n`,
  )
  chmodSync(config, 0o600)
  const input = `From: ${user}\nTo: bob@example.org\nBcc: hidden@example.org\nSubject: msmtp\n\nGrüße\n`
  const send = (): Promise<string> => run('msmtp', ['-C', config, '-t'], { input })
  try {
    await send()
  } catch (error) {
    // Builds without GNU SASL know PLAIN only.
    if (!/scram|not supported/i.test(String(error))) throw error
    writeFileSync(
      config,
      `account default\nhost 127.0.0.1\nport ${port}\nfrom ${user}\nauth plain\nuser ${user}\npassword ${password}\ntls on\ntls_certcheck off\n`,
    )
    await send()
  }
  expect(await relayed('msmtp')).not.toMatch(/hidden/)
})

test('nodemailer: DSN, a large attachment, pooled connections', async () => {
  const transport = createTransport({
    host: '127.0.0.1',
    port,
    pool: true,
    maxConnections: 2,
    requireTLS: true,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: false },
  })
  await Promise.all(
    [1, 2, 3, 4].map((n) =>
      transport.sendMail({
        from: `Älice <${user}>`,
        to: 'bob@example.org',
        bcc: 'hidden@example.org',
        subject: `nodemailer ${n}`,
        text: 'Grüße',
        attachments: [{ filename: 'x.bin', content: Buffer.alloc(300_000, n) }],
      }),
    ),
  )
  transport.close()
  for (const n of [1, 2, 3, 4]) expect(await relayed(`nodemailer ${n}`)).not.toMatch(/hidden/)
})

test('smtplib: STARTTLS, login, UTF-8 text, a refused sender', async (context) => {
  needs(context, 'python3')
  const script = `
import smtplib, ssl
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
smtp = smtplib.SMTP('127.0.0.1', ${port})
smtp.starttls(context=context)
smtp.ehlo()
assert smtp.has_extn('burl') and smtp.has_extn('chunking') and smtp.has_extn('binarymime'), smtp.esmtp_features
smtp.login('${user}', '${password}')
smtp.ehlo()
assert 'imap' in smtp.esmtp_features['burl']
smtp.sendmail('${user}', ['bob@example.org'], 'From: ${user}\\r\\nSubject: smtplib\\r\\n\\r\\nHello\\r\\n.x', mail_options=['BODY=8BITMIME'], rcpt_options=['NOTIFY=FAILURE'])
try:
    smtp.sendmail('ceo@example.net', ['bob@example.org'], 'x')
    raise SystemExit('not refused')
except smtplib.SMTPSenderRefused as error:
    assert error.smtp_code == 550, error
body = b'From: ${user}\\r\\nSubject: smtplib bdat\\r\\n\\r\\nin chunks\\r\\n'
smtp.mail('${user}', ['BODY=BINARYMIME'])
smtp.rcpt('bob@example.org')
smtp.putcmd('BDAT %d LAST' % len(body))
smtp.send(body)
assert smtp.getreply()[0] == 250
smtp.quit()
with smtplib.SMTP_SSL('127.0.0.1', ${tlsPort}, context=context) as smtp:
    smtp.login('${user}', '${password}')
`
  await run('python3', ['-c', script])
  await relayed('smtplib')
  expect(await relayed('smtplib bdat')).toMatch(/\r\n\r\nin chunks\r\n$/)
})
