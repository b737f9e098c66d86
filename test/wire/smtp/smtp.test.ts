import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePath } from '../../../src/wire/smtp/commands.ts'
import { SmtpFraming, type SmtpInput } from '../../../src/wire/smtp/framing.ts'
import { mailParameterFault, rcptParameterFault } from '../../../src/wire/smtp/parameters.ts'

const limits = { lineOctets: 4096, messageOctets: 10_000 }
const shown = (input: SmtpInput): unknown =>
  input.kind === 'content' ? { ...input, octets: Buffer.concat(input.octets).toString('latin1') } : input

/** All inputs of a script in which DATA is followed by content, cut at the given places. */
function play(script: string, cuts: readonly number[] = []): unknown[] {
  const octets = Buffer.from(script, 'latin1')
  const framing = new SmtpFraming(limits)
  const out: unknown[] = []
  const at = [0, ...[...cuts].map((c) => c % (octets.length + 1)).sort((a, b) => a - b), octets.length]
  for (let i = 1; i < at.length; i++) {
    framing.push(octets.subarray(at[i - 1], at[i]))
    for (let input = framing.next(); input; input = framing.next()) {
      out.push(shown(input))
      if (input.kind === 'command' && input.line === 'DATA') framing.expectContent()
    }
  }
  return out
}

const content = (text: string) => play(`DATA\r\n${text}`)[1]

test('SEC-013: dot-stuffing is removed once, the end is a dot alone on a line', () => {
  expect(content('a\r\n..b\r\n.c\r\n.\r\n')).toMatchObject({ octets: 'a\r\n.b\r\nc\r\n' })
  expect(content('.\r\n')).toMatchObject({ octets: '', size: 0 })
  expect(play('DATA\r\nx\r\n.\r\nQUIT\r\n')[2]).toEqual({ kind: 'command', line: 'QUIT' })
})

test('SEC-012: smuggling forms neither end the content nor pass', () => {
  for (const form of ['\n.\r\n', '\r\n.\n', '\n.\n', '\r.\r', '\r\n.\r', '\r\n.\rx', '\r\r\n.\r\r\n']) {
    const inputs = play(`DATA\r\nhello${form}MAIL FROM:<evil@example.org>\r\n.\r\nQUIT\r\n`)
    expect(inputs[1], JSON.stringify(form)).toMatchObject({ kind: 'content', defect: 'bare-line-end' })
    expect(inputs[2], JSON.stringify(form)).toEqual({ kind: 'command', line: 'QUIT' })
  }
  expect(content('a\0b\r\n.\r\n')).toMatchObject({ defect: 'nul', octets: '' })
})

test('limits: too much content is swallowed to its end; a long line is refused once', () => {
  const inputs = play(`DATA\r\n${'x'.repeat(20_000)}\r\n.\r\nNOOP\r\n`)
  expect(inputs[1]).toMatchObject({ defect: 'too-large', octets: '' })
  expect(inputs[2]).toEqual({ kind: 'command', line: 'NOOP' })
  expect(play(`${'x'.repeat(1_000_000)}\r\nNOOP\r\n`)).toEqual([
    { kind: 'bad-line', why: 'too-long' },
    { kind: 'command', line: 'NOOP' },
  ])
  expect(play('NOOP\nRSET\r\nNOOP\r\n')).toEqual([
    { kind: 'bad-line', why: 'bare-line-end' },
    { kind: 'command', line: 'NOOP' },
  ])
})

test('law: the same values however the octets are cut', () => {
  const script = 'NOOP\r\nbad\nline\r\nDATA\r\na\r\n..b\r\n.c\r\n\r\n.\r\nDATA\r\nx\ry\r\n.\r\nQUIT\r\n'
  const whole = play(script)
  expect(
    play(
      script,
      Array.from({ length: script.length }, (_, i) => i),
    ),
  ).toEqual(whole)
  fc.assert(
    fc.property(fc.array(fc.nat(script.length)), (cuts) => {
      expect(play(script, cuts)).toEqual(whole)
    }),
  )
})

test('paths: quoted local parts, source routes, literals, and what is none', () => {
  const path = (text: string) => {
    const parsed = parsePath(text, 'TO')
    return 'code' in parsed ? parsed.code : parsed.path.path
  }
  expect(path('TO:<a.b+c@Example.ORG>')).toBe('a.b+c@Example.ORG')
  expect(path('to: <"a>b c"@example.org>')).toBe('"a>b c"@example.org')
  expect(path('TO:<@x.example,@y.example:a@z.example>')).toBe('a@z.example')
  expect(path('TO:<a@[192.0.2.1]>')).toBe('a@[192.0.2.1]')
  expect(path('TO:<Postmaster>')).toBe('Postmaster')
  for (const bad of [
    'TO:<a@b@c>',
    'TO:<a b@c.example>',
    'TO:<@>',
    'TO:<a@>',
    'TO:<.a@b.example>',
    'TO:<a..b@c.example>',
    'TO:<>',
    'TO:<a,b@c.example>',
  ])
    expect(path(bad), bad).toBe(553)
  for (const bad of ['TO:a@b.example', 'FROM:<a@b.example>', 'TO:<a@b.example', 'TO:<a@b.example>X=1'])
    expect(path(bad), bad).toBe(501)
})

test('QUE-021, QUE-032: parameters', () => {
  const offered = { smtputf8: false, messageOctets: 1000 }
  const mail = (params: string) => {
    const parsed = parsePath(`FROM:<a@b.example> ${params}`, 'FROM')
    return 'code' in parsed ? parsed.code : (mailParameterFault(parsed.path.params, offered)?.code ?? 250)
  }
  const rcpt = (params: string) => {
    const parsed = parsePath(`TO:<a@b.example> ${params}`, 'TO')
    return 'code' in parsed ? parsed.code : (rcptParameterFault(parsed.path.params)?.code ?? 250)
  }
  for (const good of [
    'SIZE=1000',
    'BODY=8BITMIME',
    'RET=full ENVID=a+2Bb',
    'BY=3600;R',
    'BY=-10;N',
    'by=5;nT',
  ])
    expect(mail(good), good).toBe(250)
  for (const bad of [
    'SIZE=x',
    'BODY=x',
    'RET=x',
    'ENVID=a+2b',
    'ENVID=a+0D',
    `ENVID=${'x'.repeat(101)}`,
    'BY=0;R',
    'BY=-1;R',
    'BY=1;X',
    'BY=1;R BY=2;R',
    'RET=FULL RET=HDRS',
  ])
    expect(mail(bad), bad).toBe(501)
  expect(mail('SIZE=1001')).toBe(552)
  expect(mail('FOO=1')).toBe(555)
  expect(mail('SMTPUTF8')).toBe(555)
  for (const good of ['NOTIFY=never', 'NOTIFY=SUCCESS,delay', 'ORCPT=rfc822;+2B1202@x'])
    expect(rcpt(good), good).toBe(250)
  for (const bad of [
    'NOTIFY=NEVER,SUCCESS',
    'NOTIFY=x',
    'ORCPT=rfc822',
    'ORCPT=rfc822;a+xx',
    'ORCPT=rfc822;a=b',
    `ORCPT=rfc822;${'x'.repeat(500)}`,
  ])
    expect(rcpt(bad), bad).toBe(501)
})
