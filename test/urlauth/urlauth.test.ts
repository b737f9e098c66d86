import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Asker } from '../../src/urlauth/access.ts'
import { makeToken, newAccessKey, verifyToken } from '../../src/urlauth/token.ts'
import { authorize, generate, type UrlauthRules, withoutToken } from '../../src/urlauth/urlauth.ts'

const rules: UrlauthRules = {
  applications: new Set(['submit', 'stream', 'archive']),
  allowAnonymous: true,
  allowAuthuser: true,
  isOurs: (host, port) => host === 'mail.example.net' && (port === undefined || port === 143),
  canonicalUser: (user) => user.toLowerCase(),
}

/** A key table as RFC 4467 §2.2 describes it. */
class Table {
  readonly keys = new Map<string, Uint8Array>()
  readonly mailboxes = new Set(['alice INBOX', 'alice Drafts', 'bob INBOX'])
  readonly asked: string[] = []

  async accessKey(owner: string, mailbox: string): Promise<Uint8Array | undefined> {
    this.asked.push(`${owner} ${mailbox}`)
    return this.mailboxes.has(`${owner} ${mailbox}`) ? this.keys.get(`${owner} ${mailbox}`) : undefined
  }

  async makeAccessKey(owner: string, mailbox: string): Promise<Uint8Array | undefined> {
    const name = `${owner} ${mailbox}`
    if (!this.mailboxes.has(name)) return undefined
    const key = this.keys.get(name) ?? newAccessKey()
    this.keys.set(name, key)
    return key
  }
}

const as = (user: string | undefined, ...applications: string[]): Asker => ({
  user,
  applications: new Set(applications),
})
const submit = as('submitserver', 'submit')
const now = Date.UTC(2026, 5, 1, 12)
const base = 'imap://alice@mail.example.net/INBOX;UIDVALIDITY=7/;UID=20/;SECTION=1.2'

const setUp = () => {
  const table = new Table()
  return {
    table,
    make: (url: string, mechanism = 'INTERNAL', user = 'alice') =>
      generate(url, mechanism, user, rules, table, now),
    fetch: (url: string, asker: Asker = submit, at = now) => authorize(url, asker, at, rules, table),
  }
}

describe('tokens (RFC 4467 §2.4.1, §5, §6)', () => {
  const key = Buffer.alloc(32, 7)

  test('UA-03, UA-04, DE-14: marker and HMAC of the rump, hex digits only', () => {
    const token = makeToken('rump', key)
    expect(token).toBe(`02${createHmac('sha256', key).update('rump').digest('hex')}`)
    expect(makeToken('rump', key, 'sha1')).toBe(`01${createHmac('sha1', key).update('rump').digest('hex')}`)
    expect(token).toMatch(/^[0-9a-f]{66}$/)
  })

  test('UA-04: an old algorithm is good only while it is accepted', () => {
    const old = makeToken('rump', key, 'sha1')
    expect(verifyToken('rump', old, key)).toBe(false)
    expect(verifyToken('rump', old, key, ['sha256', 'sha1'])).toBe(true)
    // The digest of one algorithm under the marker of the other.
    expect(verifyToken('rump', `02${old.slice(2)}`, key, ['sha256', 'sha1'])).toBe(false)
  })

  test('UA-12, SC-18: no key, an empty or a short one verifies nothing', () => {
    for (const broken of [undefined, Buffer.alloc(0), Buffer.alloc(15)])
      for (const signer of [Buffer.alloc(32), Buffer.alloc(16), Buffer.from('INBOX'.padEnd(16))])
        expect(verifyToken('rump', makeToken('rump', signer), broken)).toBe(false)
    expect(
      verifyToken('rump', `02${createHmac('sha256', '').update('rump').digest('hex')}`, Buffer.alloc(0)),
    ).toBe(false)
    expect(() => makeToken('rump', Buffer.alloc(0))).toThrow(RangeError)
  })

  test('SC-24: hex in either case, the exact length', () => {
    const token = makeToken('rump', key)
    expect(verifyToken('rump', token.toUpperCase(), key)).toBe(true)
    for (const wrong of [
      '',
      '02',
      token.slice(0, -1),
      `${token}0`,
      token.slice(0, 32),
      `${token.slice(0, -1)}g`,
    ])
      expect(verifyToken('rump', wrong, key)).toBe(false)
  })

  test('UA-25, SC-21: without a key no token is right, however it was made', () => {
    const rump = 'x'.repeat(4000)
    for (const made of [key, new Uint8Array(32), Buffer.alloc(32, 1)])
      for (const missing of [undefined, new Uint8Array(0)])
        expect(verifyToken(rump, makeToken(rump, made), missing)).toBe(false)
  })
})

describe('GENURLAUTH (RFC 4467 §7)', () => {
  test('UA-01, UA-03: the URL as given, then mechanism and token', async () => {
    const { make, table } = setUp()
    const full = await make(`${base};URLAUTH=submit+alice`)
    expect(full.startsWith(`${base};URLAUTH=submit+alice:internal:02`)).toBe(true)
    expect(full).toMatch(/:internal:[0-9a-f]{66}$/)
    // UA-11: made once.
    expect(await make(`${base};URLAUTH=submit+alice`, 'internal')).toBe(full)
    expect(table.keys.size).toBe(1)
  })

  test.each([
    ['missing access identifier', base, 'INTERNAL'],
    [
      'missing owner username',
      'imap://mail.example.net/Shared/;uid=20/;section=1.2;urlauth=submit+fred',
      'INTERNAL',
    ],
    ['unknown URLAUTH mechanism', `${base};URLAUTH=submit+alice`, 'XSAMPLE'],
    ['no such mailbox', 'imap://alice@mail.example.net/None/;UID=1;URLAUTH=anonymous', 'INTERNAL'],
    ['not a message or part', 'imap://alice@mail.example.net/INBOX', 'INTERNAL'],
    ['not a message or part', 'imap://alice@mail.example.net/', 'INTERNAL'],
    ['not a message or part', 'imap://alice@mail.example.net/INBOX?ALL', 'INTERNAL'],
    ['not this server', 'imap://alice@other.example/INBOX/;UID=1;URLAUTH=anonymous', 'INTERNAL'],
    ['not this server', 'imap://alice@mail.example.net:993/INBOX/;UID=1;URLAUTH=anonymous', 'INTERNAL'],
    ['not your URL', 'imap://bob@mail.example.net/INBOX/;UID=1;URLAUTH=anonymous', 'INTERNAL'],
    ['not an absolute URL', '/INBOX/;UID=1;URLAUTH=anonymous', 'INTERNAL'],
    ['not an absolute URL', '//alice@mail.example.net/INBOX/;UID=1;URLAUTH=anonymous', 'INTERNAL'],
    ['bad EXPIRE', `${base};EXPIRE=soon;URLAUTH=anonymous`, 'INTERNAL'],
    ['bad section', 'imap://alice@mail.example.net/INBOX/;UID=1/;SECTION=x;URLAUTH=anonymous', 'INTERNAL'],
    ['unknown access identifier', `${base};URLAUTH=frob`, 'INTERNAL'],
    ['unknown access identifier', `${base};URLAUTH=frob+alice`, 'INTERNAL'],
    ['unknown access identifier', `${base};URLAUTH=submit`, 'INTERNAL'],
    ['unknown access identifier', `${base};URLAUTH=user`, 'INTERNAL'],
    ['unknown access identifier', `${base};URLAUTH=anonymous+x`, 'INTERNAL'],
    ['unknown access identifier', `${base};URLAUTH=stream+x`, 'INTERNAL'],
  ])('UA-05, UA-06, UA-09, UA-13, UA-16: %s', async (why, url, mechanism) => {
    const { make } = setUp()
    await expect(make(url, mechanism)).rejects.toMatchObject({ kind: 'malformed', message: why })
  })

  test('UA-10, UA-16: an authorized URL is not authorized again', async () => {
    const { make } = setUp()
    const full = await make(`${base};URLAUTH=anonymous`)
    await expect(make(full)).rejects.toMatchObject({ kind: 'malformed' })
  })

  test('SC-30: anonymous and authuser can be off', async () => {
    const { table } = setUp()
    const closed = { ...rules, allowAnonymous: false, allowAuthuser: false }
    for (const word of ['anonymous', 'authuser'])
      await expect(
        generate(`${base};URLAUTH=${word}`, 'INTERNAL', 'alice', closed, table, now),
      ).rejects.toThrow()
  })
})

describe('URLFETCH (RFC 4467 §6, §7)', () => {
  test('UA-17, UA-20: a submission entity gets what the owner signed', async () => {
    const { make, fetch } = setUp()
    const full = await make(`${base}/;PARTIAL=5.10;EXPIRE=2026-06-01T12:00:00Z;URLAUTH=submit+fred`)
    expect(await fetch(full)).toEqual({
      owner: 'alice',
      mailbox: 'INBOX',
      uidValidity: 7,
      uid: 20,
      section: { part: [1, 2] },
      partial: { start: 5, octets: 10 },
    })
  })

  test('UA-20 to UA-22: who may use it', async () => {
    const { make, fetch } = setUp()
    const askers = {
      owner: as('alice'),
      other: as('bob'),
      submit,
      stream: as('media', 'stream'),
      anonymous: as(undefined, 'submit', 'stream'),
    }
    const who = async (access: string): Promise<string[]> => {
      const url = await make(`${base};URLAUTH=${access}`)
      const may: string[] = []
      for (const [name, asker] of Object.entries(askers)) if (await fetch(url, asker)) may.push(name)
      return may
    }
    expect(await who('submit+alice')).toEqual(['submit'])
    expect(await who('user+bob')).toEqual(['other'])
    expect(await who('user+BOB')).toEqual(['other'])
    expect(await who('authuser')).toEqual(['owner', 'other', 'submit', 'stream'])
    expect(await who('anonymous')).toEqual(['owner', 'other', 'submit', 'stream', 'anonymous'])
    expect(await who('stream')).toEqual(['stream'])
    expect(await who('archive+x')).toEqual([])
  })

  test('SC-25: good up to the second of EXPIRE, by the clock of the server', async () => {
    const { make, fetch } = setUp()
    const full = await make(`${base};EXPIRE=2026-06-01T14:00:00+02:00;URLAUTH=anonymous`)
    expect(await fetch(full, submit, now)).toBeDefined()
    expect(await fetch(full, submit, now + 999)).toBeDefined()
    expect(await fetch(full, submit, now + 1000)).toBeUndefined()
  })

  test('SC-22, UA-24: any other character before the token, and there is nothing', async () => {
    const { make, fetch } = setUp()
    const full = await make(`${base};URLAUTH=anonymous`)
    expect(await fetch(full)).toBeDefined()
    const end = full.indexOf(':internal:')
    for (let i = 0; i < end; i += 1) {
      const c = full[i]!
      for (const other of [
        c === 'x' ? 'y' : 'x',
        c.toUpperCase(),
        c.toLowerCase(),
        `%${c.charCodeAt(0).toString(16)}`,
        '',
      ])
        if (other !== c)
          expect(await fetch(full.slice(0, i) + other + full.slice(i + 1)), `${i} ${other}`).toBeUndefined()
    }
    for (let i = end + 1; i < full.length; i += 1) {
      const other = /[0-9]/.test(full[i]!) ? (Number(full[i]) + 1) % 10 : 'x'
      expect(await fetch(full.slice(0, i) + other + full.slice(i + 1)), `${i}`).toBeUndefined()
    }
    // The mechanism has no case (RFC 4467 §9).
    expect(await fetch(full.replace(':internal:', ':INTERNAL:'))).toBeDefined()
    expect(await fetch(`${full};URLAUTH=anonymous`)).toBeUndefined()
    expect(await fetch(full.slice(0, end))).toBeUndefined()
  })

  test('SC-23: the token of another URL, mailbox or user', async () => {
    const { make, fetch } = setUp()
    const tail = (full: string): string => full.slice(full.indexOf(':internal:'))
    const one = await make(`${base};URLAUTH=anonymous`)
    const two = await make('imap://alice@mail.example.net/Drafts/;UID=20;URLAUTH=anonymous')
    const bob = await make('imap://bob@mail.example.net/INBOX/;UID=20;URLAUTH=anonymous', 'INTERNAL', 'bob')
    for (const a of [one, two, bob])
      for (const b of [one, two, bob])
        expect((await fetch(a.slice(0, a.indexOf(':internal:')) + tail(b))) !== undefined).toBe(a === b)
  })

  test('UA-23, UA-31, UA-34: key gone, mailbox or owner gone', async () => {
    const { make, fetch, table } = setUp()
    const full = await make(`${base};URLAUTH=anonymous`)
    table.keys.set('alice INBOX', randomBytes(32))
    expect(await fetch(full)).toBeUndefined()
    table.keys.clear()
    expect(await fetch(full)).toBeUndefined()
    const again = await make(`${base};URLAUTH=anonymous`)
    table.mailboxes.delete('alice INBOX')
    expect(await fetch(again)).toBeUndefined()
  })

  test('SC-20, SC-21: the table is asked before role and expiry decide', async () => {
    const { make, fetch, table } = setUp()
    const full = await make(`${base};EXPIRE=2020-01-01T00:00:00Z;URLAUTH=user+bob`)
    table.asked.length = 0
    expect(await fetch(full, as('eve'))).toBeUndefined()
    expect(table.asked).toEqual(['alice INBOX'])
  })

  test('UA-18: other servers, other kinds of URL, no URL at all', async () => {
    const { fetch } = setUp()
    for (const url of [
      '',
      'x',
      'imap://mail.example.net/',
      'imap://alice@mail.example.net/INBOX',
      'http://x/',
      `${base}`,
      '\r\n',
    ])
      expect(await fetch(url)).toBeUndefined()
  })

  test('SC-32: logs get no token', () => {
    expect(withoutToken(`${base};URLAUTH=submit+a:internal:0011`)).toBe(`${base};URLAUTH=submit+a:(token)`)
    expect(withoutToken('/INBOX/;UID=1')).toBe('/INBOX/;UID=1')
  })
})
