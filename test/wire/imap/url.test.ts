import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { catenateSource } from '../../../src/wire/imap/catenate-url.ts'
import { isBadUrl, parseImapUrl } from '../../../src/wire/imap/url.ts'
import { badUrlCode, type WritableUrl, writeImapUrl } from '../../../src/wire/imap/url-encoding.ts'
import { urlRange } from '../../../src/wire/imap/url-section.ts'

const parsed = (text: string) => parseImapUrl(text)
const problem = (text: string): string | undefined => {
  const url = parseImapUrl(text)
  return isBadUrl(url) ? url.badUrl : undefined
}

describe('IMAP URLs (RFC 5092)', () => {
  test('the printed examples of RFC 5092 §9', () => {
    expect(
      parsed('imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024'),
    ).toMatchObject({
      kind: 'message',
      server: { host: 'minbari.example.org', user: undefined, port: undefined },
      mailbox: 'gray-council',
      uidValidity: 385759045,
      uid: 20,
      section: undefined,
      partial: { start: 0, octets: 1024 },
    })
    expect(
      parsed('imap://psicorp.example.org/~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/%E5%8F%B0%E5%8C%97'),
    ).toMatchObject({ kind: 'mailbox', mailbox: '~peter/日本語/台北' })
    expect(parsed('imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2')).toMatchObject(
      {
        server: { user: undefined, auth: 'GSSAPI' },
        uid: 20,
        section: '1.2',
      },
    )
    expect(parsed('imap://;AUTH=*@minbari.example.org/gray%20council?SUBJECT%20shadows')).toMatchObject({
      kind: 'mailbox',
      server: { auth: '*' },
      mailbox: 'gray council',
      search: 'SUBJECT shadows',
    })
    expect(
      parsed(
        'imap://john;AUTH=*@minbari.example.org/babylon5/personel?charset%20UTF-8%20SUBJECT%20%7B14+%7D%0D%0A%D0%98%D0%B2%D0%B0%D0%BD%D0%BE%D0%B2%D0%B0',
      ),
    ).toMatchObject({
      server: { user: 'john', auth: '*' },
      mailbox: 'babylon5/personel',
      search: `charset UTF-8 SUBJECT {14+}\r\n${Buffer.from('Иванова', 'utf8').toString('latin1')}`,
    })
    expect(parsed('/foo/;UID=20/..')).toMatchObject({ kind: 'mailbox', mailbox: 'foo' })
    expect(problem(';UID=20')).toBe('relative-path reference')
    expect(problem('..;UIDVALIDITY=385759045/;UID=20')).toBe('relative-path reference')
  })

  test('the printed example of RFC 5092 §6.1.2: URLAUTH', () => {
    const text =
      'imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:91354a473744909de610943775f92038'
    expect(parsed(text)).toMatchObject({
      kind: 'message',
      text,
      server: { user: 'joe', host: 'example.com' },
      authorization: {
        access: 'submit',
        accessUser: 'fred',
        rump: 'imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred',
        verifier: { mechanism: 'INTERNAL', token: '91354a473744909de610943775f92038' },
      },
    })
  })

  test('servers: port, IPv6, percent-encoded user', () => {
    expect(parsed('imap://host')).toMatchObject({ kind: 'server', server: { host: 'host' } })
    expect(parsed('IMAP://joe%40x.example;AUTH=PLAIN@[::1]:1143/a')).toMatchObject({
      server: { user: 'joe@x.example', auth: 'PLAIN', host: '[::1]', port: 1143 },
    })
    expect(parsed('imap://HOST.Example/a')).toMatchObject({ server: { host: 'host.example' } })
    for (const text of [
      'imap:///a',
      'imap://@h/a',
      'imap://a@b@h/x',
      'imap://h:99999/a',
      'imap://u:pw@h/a',
      'imap://h?x',
    ])
      expect(problem(text), text).toBe('bad server')
  })

  test('CA-13: keywords have no case', () => {
    const one = parsed('/a;uidvalidity=1/;uid=2/;section=text/;partial=3.4')
    expect(one).toMatchObject({
      mailbox: 'a',
      uidValidity: 1,
      uid: 2,
      section: 'text',
      partial: { start: 3, octets: 4 },
    })
  })

  test('CA-14: names are percent-encoded UTF-8; %2F is a slash like any other', () => {
    expect(parsed('/%D0%9F/;UID=1')).toMatchObject({ mailbox: 'П' })
    expect(parsed('/a%2Fb/;UID=1')).toMatchObject({ mailbox: 'a/b' })
    expect(parsed('/a/b%3B%3F%25/;UID=1')).toMatchObject({ mailbox: 'a/b;?%' })
    // Modified UTF-7 is no spelling of a URL: the ampersand is an ampersand.
    expect(parsed('/&BB8-/;UID=1')).toMatchObject({ mailbox: '&BB8-' })
    for (const text of [
      '/%C3%28/;UID=1',
      '/%ED%A0%80/;UID=1',
      '/%C0%AF/;UID=1',
      '/a%00/;UID=1',
      '/a%0D%0A/;UID=1',
    ])
      expect(problem(text), text).toBe('bad percent-encoding')
    for (const text of ['/%/;UID=1', '/%4/;UID=1', '/%GG/;UID=1'])
      expect(problem(text)).toBe('bad percent-encoding')
  })

  test('CA-17: dot-segments never lead above the root; encoded dots are names', () => {
    expect(parsed('/../../other/;UID=1')).toMatchObject({ mailbox: 'other', uid: 1 })
    expect(parsed('/a/./b/../c/;UID=1')).toMatchObject({ mailbox: 'a/c' })
    expect(parsed('/%2E%2E/x/;UID=1')).toMatchObject({ mailbox: '../x' })
    expect(parsed('imap://u@h/a/../../../b/;UID=1')).toMatchObject({ server: { user: 'u' }, mailbox: 'b' })
    expect(problem('//u@h/../..')).toBeUndefined()
  })

  test.each([
    ['', 'relative-path reference'],
    ['http://h/a', 'not an imap URL'],
    ['imaps://h/a/;UID=1', 'not an imap URL'],
    ['imap:/a', 'not an imap URL'],
    ['/a b/;UID=1', 'bad character'],
    ['/ü/;UID=1', 'bad character'],
    ['/a/;UID=1#x', 'bad character'],
    ['/;UID=1', 'no mailbox'],
    ['/a/;UID=0', 'bad UID'],
    ['/a/;UID=', 'bad UID'],
    ['/a/;UID=4294967296', 'bad UID'],
    ['/a/;UID=1:2', 'bad UID'],
    ['/a/;UID=*', 'bad UID'],
    ['/a;UID=1', 'bad parameter'],
    ['/a;UIDVALIDITY=0/;UID=1', 'bad UIDVALIDITY'],
    ['/a;UIDVALIDITY=x', 'bad UIDVALIDITY'],
    ['/a/;UID=1/;SECTION=', 'bad section'],
    ['/a/;UID=1;SECTION=1', 'bad parameter'],
    ['/a/;UID=1/;PARTIAL=1.0', 'bad partial'],
    ['/a/;UID=1/;PARTIAL=.5', 'bad partial'],
    ['/a/;UID=1/;PARTIAL=1/;SECTION=1', 'bad parameter'],
    ['/a/;SECTION=1/;UID=1', 'bad parameter'],
    ['/a/;UID=1/;UID=2', 'bad parameter'],
    ['/a/;UID=1/', 'bad UID'],
    ['/a/;UID=1;EXPIRE=2030-01-01T00:00:00Z', 'bad parameter'],
    ['/a/;UID=1;EXPIRE=2030-02-30T00:00:00Z;URLAUTH=anonymous', 'bad EXPIRE'],
    ['/a/;UID=1;EXPIRE=tomorrow;URLAUTH=anonymous', 'bad EXPIRE'],
    ['/a/;UID=1?x', 'bad parameter'],
    ['/a?', 'bad character'],
  ])('CA-05, UA-13, UA-15: %s is refused', (text, why) => {
    expect(problem(text)).toBe(why)
  })

  test('UA-15, SC-24, DE-14: URLAUTH is last, once, with hex digits', () => {
    const base = 'imap://u@h/a/;UID=1'
    const token = '0'.repeat(32)
    expect(problem(`${base};URLAUTH=anonymous:INTERNAL:${token}`)).toBeUndefined()
    for (const tail of [
      ';URLAUTH=',
      ';URLAUTH=submit+',
      ';URLAUTH=anonymous:INTERNAL',
      ';URLAUTH=anonymous:INTERNAL:',
      `;URLAUTH=anonymous:INTERNAL:${token.slice(1)}`,
      `;URLAUTH=anonymous:INTERNAL:${token}g`,
      `;URLAUTH=anonymous:INTERNAL:${token}:1`,
      `;URLAUTH=anonymous::${token}`,
      `;URLAUTH=a-b:INTERNAL:${token}`,
      `;URLAUTH=anonymous:INTERNAL:${token}/`,
    ])
      expect(problem(base + tail), tail).toBe('bad URLAUTH')
    for (const tail of [
      `;URLAUTH=anonymous;URLAUTH=anonymous:INTERNAL:${token}`,
      `;URLAUTH=anonymous:INTERNAL:${token};x=y`,
      `;URLAUTH=anonymous:INTERNAL:${token};EXPIRE=2030-01-01T00:00:00Z`,
      `/;URLAUTH=anonymous`,
    ])
      expect(problem(base + tail), tail).toMatch(/bad (?:parameter|URLAUTH|UID)/)
  })

  test('UA-13: EXPIRE is a date-time of RFC 3339', () => {
    const at = (text: string) => {
      const url = parsed(`imap://u@h/a/;UID=1;EXPIRE=${text};URLAUTH=anonymous`)
      return !isBadUrl(url) && url.kind === 'message' ? url.expire : undefined
    }
    expect(at('2026-01-02T03:04:05Z')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5))
    expect(at('2026-01-02t03:04:05.75+01:30')).toBe(Date.UTC(2026, 0, 2, 1, 34, 5, 750))
    expect(at('2026-01-02T03:04:05-08:00')).toBe(Date.UTC(2026, 0, 2, 11, 4, 5))
    for (const wrong of [
      '2026-01-02',
      '2026-01-02T03:04:05',
      '2026-13-02T03:04:05Z',
      '2026-01-02T24:00:00Z',
      '',
    ])
      expect(at(wrong), wrong).toBeUndefined()
  })

  test('UA-45: 4096 octets are read, more are not', () => {
    expect(problem(`/${'a'.repeat(4096 - '/'.length - '/;UID=1'.length)}/;UID=1`)).toBeUndefined()
    expect(problem(`/${'a'.repeat(4096)}/;UID=1`)).toBe('too long')
  })

  test('hostile text is refused or read, never thrown on, in linear time', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'/;?:@%=.&+aA1[]'), maxLength: 60 }), (text) => {
        parseImapUrl(text)
        parseImapUrl(`imap://${text}`)
        parseImapUrl(`/a/;UID=1${text}`)
      }),
    )
    const start = process.cpuUsage()
    for (const unit of ['/..', ';', '/;UID=1', '%41', ';URLAUTH=a:', '@', 'a+', '&'])
      for (const head of ['/', 'imap://', '/a/;UID=1;URLAUTH='])
        parseImapUrl((head + unit.repeat(4096)).slice(0, 4096))
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(500)
  })

  test('RFC 5092 §8: what is written is read as the same values', () => {
    expect(
      writeImapUrl({ mailbox: 'Ärger/a b;c', uidValidity: 7, uid: 3, section: 'HEADER.FIELDS (TO)' }),
    ).toBe('/%C3%84rger/a%20b%3Bc;UIDVALIDITY=7/;UID=3/;SECTION=HEADER.FIELDS%20(TO)')
    expect(
      writeImapUrl({
        server: { user: 'joe@x.example', host: 'h', port: 1143 },
        mailbox: '/a/../b',
        uid: 1,
        expire: Date.UTC(2030, 0, 1),
        access: { word: 'submit', user: 'fred smith' },
      }),
    ).toBe(
      'imap://joe%40x.example@h:1143/%2Fa/%2E%2E/b/;UID=1;EXPIRE=2030-01-01T00:00:00Z;URLAUTH=submit+fred%20smith',
    )
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((s) => s.isWellFormed() && !/[\0\r\n]/.test(s))
    fc.assert(
      fc.property(
        name,
        fc.option(name, { nil: undefined }),
        fc.integer({ min: 1, max: 4294967295 }),
        fc.option(fc.nat(), { nil: undefined }),
        (mailbox, user, uid, start) => {
          const given: WritableUrl = {
            ...(user === undefined ? {} : { server: { user, host: 'h' } }),
            mailbox: `${mailbox}x`,
            uid,
            ...(start === undefined ? {} : { partial: { start } }),
          }
          expect(parsed(writeImapUrl(given))).toMatchObject({
            kind: 'message',
            mailbox: `${mailbox}x`,
            uid,
            partial: start === undefined ? undefined : { start, octets: undefined },
            ...(user === undefined ? { server: undefined } : { server: { user } }),
          })
        },
      ),
    )
  })
})

describe('URLs of CATENATE (RFC 4469 §3)', () => {
  test('CA-02: sections', () => {
    const section = (text: string) => {
      const source = catenateSource(`/INBOX/;UID=1${text}`)
      return 'badUrl' in source ? source.badUrl : source.section
    }
    expect(section('')).toEqual({ part: [] })
    expect(section('/;SECTION=1.MIME')).toEqual({ part: [1], text: 'MIME' })
    expect(section('/;section=header')).toEqual({ part: [], text: 'HEADER' })
    expect(section('/;Section=2')).toEqual({ part: [2] })
    expect(section('/;SECTION=1.2.HEADER.FIELDS%20(TO%20%22Cc%22)')).toEqual({
      part: [1, 2],
      text: 'HEADER.FIELDS',
      fields: ['TO', 'Cc'],
    })
    for (const wrong of ['MIME', '1.', '0', '1.2]', 'HEADER.FIELDS', 'x', '1%20', '1/2', 'TEXT%0D%0A'])
      expect(section(`/;SECTION=${wrong}`), wrong).toBe('bad section')
  })

  test('CA-06, DE-04: only absolute-path references to messages', () => {
    const problemOf = (text: string) => {
      const source = catenateSource(text)
      return 'badUrl' in source ? source.badUrl : undefined
    }
    expect(problemOf('/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER')).toBeUndefined()
    expect(problemOf('imap://u@h/INBOX/;UID=1')).toBe('absolute URL')
    expect(problemOf('//u@h/INBOX/;UID=1')).toBe('absolute URL')
    expect(problemOf('/INBOX')).toBe('not a message')
    expect(problemOf('/')).toBe('not a message')
    expect(problemOf('/INBOX?ALL')).toBe('not a message')
    expect(problemOf(';UID=20')).toBe('relative-path reference')
    expect(problemOf('mbox/;UID=20')).toBe('relative-path reference')
    expect(problemOf('http://h/')).toBe('not an imap URL')
    expect(problemOf('/INBOX/;UID=1;URLAUTH=anonymous')).toBe('bad URLAUTH')
  })

  test('CA-16: ranges', () => {
    const range = (text: string, size: number) => {
      const source = catenateSource(`/INBOX/;UID=1/;PARTIAL=${text}`)
      return 'badUrl' in source ? undefined : urlRange(source, size)
    }
    expect(range('0.1024', 2000)).toEqual({ start: 0, end: 1024 })
    expect(range('0.1024', 100)).toEqual({ start: 0, end: 100 })
    expect(range('5', 100)).toEqual({ start: 5, end: 100 })
    expect(range('200.5', 100)).toEqual({ start: 100, end: 100 })
    expect(range('4294967295.4294967295', 100)).toEqual({ start: 100, end: 100 })
  })

  test('CA-05, SC-10: BADURL names the URL as given and stays one line', () => {
    expect(badUrlCode('/INBOX;UIDVALIDITY=785799047/;UID=113330;section=1.5.9')).toBe(
      'BADURL "/INBOX;UIDVALIDITY=785799047/;UID=113330;section=1.5.9"',
    )
    expect(badUrlCode('a]"\\\r\n* BYE\0ü')).toBe('BADURL "a%5D%22%5C%0D%0A* BYE%00%FC"')
  })
})
