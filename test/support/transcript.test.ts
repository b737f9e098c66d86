/** The player of transcripts must fail where a server is wrong: these are its own tests. */
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { startImap } from './imap-server.ts'
import { readResponse } from './imap-values.ts'
import { play, startOfPlay } from './transcript.ts'
import { parseTranscript } from './transcript-file.ts'
import { mismatch, readPattern } from './transcript-match.ts'

const fits = (pattern: string, actual: string, captures = new Map<string, string>()): boolean =>
  mismatch(readPattern(pattern, 'a1', captures), readResponse([actual]), captures) === undefined

describe('matching', () => {
  test.each([
    ['* 3 EXISTS', '* 3 exists'],
    ['* FLAGS (\\Seen \\Deleted)', '* FLAGS (\\Deleted \\Seen)'],
    ['* FLAGS (\\Seen ...)', '* FLAGS (\\Deleted \\Seen x)'],
    ['* 1 FETCH (FLAGS (a b) UID 3)', '* 1 FETCH (UID 3 FLAGS (b a))'],
    ['* 1 FETCH (UID 3 ...)', '* 1 FETCH (FLAGS () UID 3)'],
    ['* ESEARCH (TAG "a1") UID COUNT 2 ALL 4:5', '* ESEARCH (TAG "a1") UID ALL 4,5 COUNT 2'],
    ['* LIST (\\A \\B) "/" foo', '* LIST (\\B \\A) "/" "foo"'],
    ['* CAPABILITY IMAP4rev1 ...', '* CAPABILITY X IMAP4REV1 Y'],
    ['* STATUS x (MESSAGES 1 UIDNEXT 2)', '* STATUS x (UIDNEXT 2 MESSAGES 1)'],
    ['OK', 'a1 OK [READ-WRITE] fine'],
    ['OK [COPYUID 7 1:2 5:6]', 'a1 OK [COPYUID 7 1,2 5,6] fine'],
    ['* SEARCH 1 (MODSEQ $_)', '* SEARCH 1 (MODSEQ 9)'],
    ['* THREAD (1 2)((3)(4))', '* THREAD (1 2)((3)(4))'],
  ])('%s takes %s', (pattern, actual) => {
    expect(fits(pattern, actual)).toBe(true)
  })

  test.each([
    ['* 3 EXISTS', '* 4 EXISTS'],
    ['* FLAGS (\\Seen)', '* FLAGS (\\Seen x)'],
    ['* 1 FETCH (UID 3)', '* 1 FETCH (FLAGS () UID 3)'],
    ['* 1 FETCH (BODY[] "x")', '* 1 FETCH (BODY[] NIL)'],
    ['* 1 FETCH (BODY[] NIL)', '* 1 FETCH (BODY[] "NIL")'],
    ['* 1 FETCH (BINARY[1] ~"x")', '* 1 FETCH (BINARY[1] "x")'],
    ['* SEARCH 1 2', '* SEARCH 2 1'],
    ['* THREAD (1 2)', '* THREAD (1)(2)'],
    ['OK [READ-ONLY]', 'a1 OK [READ-WRITE] x'],
    ['OK [READ-ONLY]', 'a1 OK x'],
    ['OK', 'a2 OK x'],
    ['NO', 'a1 OK x'],
    ['* ESEARCH (TAG "a1") UID COUNT 2', '* ESEARCH (TAG "a1") COUNT 2'],
  ])('%s refuses %s', (pattern, actual) => {
    expect(fits(pattern, actual)).toBe(false)
  })

  test('captures keep their first value', () => {
    const captures = new Map<string, string>()
    expect(fits('* OK [UIDVALIDITY $v]', '* OK [UIDVALIDITY 7] x', captures)).toBe(true)
    expect(fits('* OK [UIDVALIDITY $v]', '* OK [UIDVALIDITY 8] x', captures)).toBe(false)
    expect(fits(['* X "a', '{v}b"'].join('$'), '* X "a7b"', captures)).toBe(true)
  })
})

test('RFC 3501 §9: responses that break the grammar are errors', () => {
  for (const raw of [
    '',
    'a1',
    '* OK',
    '* OK [X',
    '* (',
    '* X  Y',
    '* X "a',
    '* X "a\\b"',
    '* X "\xe9"',
    '* X %',
    '* X (a)b',
  ])
    expect(() => readResponse([raw]), raw).toThrow()
})

describe('playing', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  /** A server that answers each line with what it is told to. */
  const scripted = async (...answers: string[]): Promise<number> => {
    const server = createServer((socket: Socket) => {
      socket.write('* OK hello\r\n')
      let next = 0
      socket.on('data', (octets) => {
        for (const line of octets.toString('latin1').split('\r\n').slice(0, -1))
          socket.write((answers[next++] ?? 'x BAD\r\n').replaceAll('%', line.split(' ')[0] ?? ''), 'latin1')
      })
      socket.on('error', () => {})
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as { port: number }).port
  }

  const run = async (text: string, ...answers: string[]): Promise<string | undefined> =>
    play(parseTranscript(`# t\nraw\nS: * OK\n${text}`), {
      server: {
        host: '127.0.0.1',
        port: await scripted(...answers),
        directory: { put: async () => {} } as never,
        deliver: async () => 0,
      },
      setClock: () => {},
      run: 1,
    })

  test('order, groups, what is left over', async () => {
    await run('C: X\nS: * 1 EXISTS\nS: * 2 EXISTS\nS: OK', '* 1 EXISTS\r\n* 2 EXISTS\r\n% OK x\r\n')
    await run('C: X\nU: * 2 EXISTS\nU: * 1 EXISTS\nS: OK', '* 1 EXISTS\r\n* 2 EXISTS\r\n% OK x\r\n')
    await run('C: X\nS: ...\nS: OK', '* 1 EXISTS\r\n* 2 EXISTS\r\n% OK x\r\n')
    await run('C: X\nU: * 2 EXISTS\nU: ...\nS: OK', '* 1 EXISTS\r\n* 2 EXISTS\r\n* 3 EXISTS\r\n% OK x\r\n')
    for (const [text, answer] of [
      ['C: X\nS: * 2 EXISTS\nS: * 1 EXISTS\nS: OK', '* 1 EXISTS\r\n* 2 EXISTS\r\n% OK x\r\n'],
      ['C: X\nS: OK', '* 1 EXISTS\r\n% OK x\r\n'],
      ['C: X\nU: * 2 EXISTS\nS: OK', '* 2 EXISTS\r\n* 2 EXISTS\r\n% OK x\r\n'],
      ['C: X\nU: * 2 EXISTS\nU: ...\nS: OK', '* 1 EXISTS\r\n% OK x\r\n'],
      ['C: X\nS: OK', '% OK x\r\n* 1 EXISTS\r\n'],
      ['C: X\nS: NO', '% OK x\r\n'],
    ] as const)
      await expect(run(text, answer), text).rejects.toThrow()
  })

  test('literals: sizes are counted, nothing is sent before "+"', async () => {
    const server = await startImap({ now: () => startOfPlay })
    try {
      const text =
        '# t\nC: APPEND INBOX {}\n| Subject: a\n|\nS: +\nS: OK\nC: APPEND INBOX {+}\n| Subject: b\n|\nS: OK\nC: SELECT INBOX\nS: ...\nS: OK\nC: FETCH 1:* RFC822.SIZE\nS: * 1 FETCH (RFC822.SIZE 14)\nS: * 2 FETCH (RFC822.SIZE 14)\nS: OK'
      expect(await play(parseTranscript(text), { server, setClock: () => {}, run: 1 })).toBeUndefined()
      const needs = parseTranscript('# t\nneeds NOTHING\nC: X\nS: OK')
      expect(await play(needs, { server, setClock: () => {}, run: 2 })).toBe('not advertised: NOTHING')
    } finally {
      await server.close()
    }
  })

  test('lines that are nothing of the format', () => {
    for (const text of ['', 'C: X', '# t', '# t\n| data', '# t\nhello\nS: OK', '# t\nC: X'])
      expect(() => parseTranscript(text), text).toThrow()
  })
})
