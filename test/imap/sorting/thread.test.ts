import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pacedSort } from '../../../src/imap/sorting/paced-sort.ts'
import type { Thread, ThreadMessage } from '../../../src/imap/sorting/thread.ts'
import * as threading from '../../../src/imap/sorting/thread.ts'
import * as byReferences from '../../../src/imap/sorting/thread-references.ts'
import { subjectParts } from '../../../src/wire/mime/base-subject.ts'
import { finished } from '../../support/paced.ts'

const threadLists = (threads: readonly Thread[]) => finished(threading.threadLists(threads))
const threadBySubject = (list: readonly ThreadMessage[]) => finished(threading.threadBySubject(list))
const threadByReferences = (list: readonly ThreadMessage[]) => finished(byReferences.threadByReferences(list))

interface Given {
  readonly id?: string
  readonly refs?: readonly string[]
  readonly subject?: string
  readonly sent?: number
}

/** Messages 1, 2, 3 ...; sent in that order unless said. */
const mail = (...given: readonly Given[]): ThreadMessage[] =>
  given.map(({ id, refs, subject, sent }, i) => {
    const { base, isReply } = subjectParts(subject ?? '')
    return {
      number: i + 1,
      sent: sent ?? i,
      subject: base.toUpperCase(),
      isReply,
      messageId: id ?? null,
      references: refs ?? [],
    }
  })

const references = (...given: readonly Given[]): string => threadLists(threadByReferences(mail(...given)))

describe('the THREAD response (RFC 5256 §4)', () => {
  const leaf = (number: number, ...children: Thread[]): Thread => ({
    message: { ...mail({})[0]!, number },
    children,
  })

  test('SO-13: the printed examples', () => {
    expect(threadLists([leaf(2), leaf(3, leaf(6, leaf(4, leaf(23)), leaf(44, leaf(7, leaf(96)))))])).toBe(
      '(2)(3 6 (4 23)(44 7 96))',
    )
    expect(threadLists([{ message: undefined, children: [leaf(3), leaf(5)] }])).toBe('((3)(5))')
    expect(threadLists([])).toBe('')
    expect(
      threadLists([{ message: undefined, children: [leaf(3, leaf(4)), leaf(5, leaf(6), leaf(7))] }]),
    ).toBe('((3 4)(5 (6)(7)))')
  })

  test('SO-17: a thread 100,000 deep that splits at every level is written without recursion', () => {
    let deep = leaf(1)
    for (let i = 0; i < 100_000; i += 1) deep = leaf(3, leaf(2), deep)
    const text = threadLists([deep])
    expect(text.startsWith('(3 (2)(3 (2)(3 (2)')).toBe(true)
    expect(text.split('(').length).toBe(text.split(')').length)
  })
})

describe('THREAD=ORDEREDSUBJECT (RFC 5256 §3)', () => {
  test('SO-11: one child level, threads by the date of their first message', () => {
    const list = mail(
      { subject: 'b', sent: 5 },
      { subject: 'a', sent: 9 },
      { subject: 'Re: A', sent: 2 },
      { subject: 'c', sent: 1 },
      { subject: 'A', sent: 9 },
      { subject: 're: C (fwd)', sent: 1 },
    )
    expect(threadLists(threadBySubject(list))).toBe('(4 6)(3 (2)(5))(1)')
    expect(threadBySubject([])).toEqual([])
  })
})

describe('THREAD=REFERENCES (RFC 5256 §3)', () => {
  test('SO-12 step 1: a chain, siblings, siblings by date', () => {
    expect(
      references(
        { id: 'a' },
        { id: 'b', refs: ['a'] },
        { id: 'c', refs: ['a', 'b'] },
        { id: 'd', refs: ['a'], sent: 0 },
      ),
    ).toBe('(1 (4)(2 3))')
  })

  test('SO-12 step 1: quoted and bare local part are one id; case counts (SO-16)', () => {
    expect(
      references(
        { id: '"01KF8JCEOCBS0045PS"@xxx.yyy.com' },
        { id: 'x', refs: ['01KF8JCEOCBS0045PS@xxx.yyy.com'] },
      ),
    ).toBe('(1 2)')
    expect(references({ id: '"a\\"b"@c' }, { id: 'x', refs: ['a"b@c'] })).toBe('(1 2)')
    expect(references({ id: 'A@b' }, { id: 'x', refs: ['a@b'] })).toBe('(1)(2)')
  })

  test('SO-12 step 1: of two with one id only the first is referred to', () => {
    expect(references({ id: 'a' }, { id: 'a' }, { id: 'b', refs: ['a'] })).toBe('(1 3)(2)')
    // Both keep what they refer to.
    expect(references({ id: 'p' }, { id: 'a', refs: ['p'] }, { id: 'a', refs: ['p'] })).toBe('(1 (2)(3))')
  })

  test('SO-12 step 1.B: the message says itself who its parent is', () => {
    // 3 is first linked below x by the References of 1.
    expect(
      references({ id: 'a', refs: ['x', 'c'] }, { id: 'y' }, { id: 'c', refs: ['y'] }, { id: 'x' }),
    ).toBe('(2 3 1)(4)')
    // Without references it has no parent.
    expect(references({ id: 'a', refs: ['x', 'c'] }, { id: 'x' }, { id: 'c' })).toBe('(2)(3 1)')
  })

  test('SO-12 step 1: no link closes a loop', () => {
    expect(references({ id: 'a', refs: ['b'] }, { id: 'b', refs: ['a'] })).toBe('(2 1)')
    expect(references({ id: 'a', refs: ['a'] })).toBe('(1)')
    expect(references({ id: 'a', refs: ['b', 'c'] }, { id: 'b', refs: ['a'] }, { id: 'c', refs: [] })).toBe(
      '(2)(3 1)',
    )
  })

  test('SO-12, SO-13 step 3: dummies are pruned; at the top one with two children stays', () => {
    expect(references({ id: 'a', refs: ['lost'] })).toBe('(1)')
    expect(references({ id: 'a', refs: ['lost'] }, { id: 'b', refs: ['lost'] })).toBe('((1)(2))')
    expect(references({ id: 'a', refs: ['l1', 'l2', 'l3'] }, { id: 'b', refs: ['l1', 'l2', 'l4'] })).toBe(
      '((1)(2))',
    )
    expect(references({ id: 'r' }, { id: 'a', refs: ['r', 'lost'] }, { id: 'b', refs: ['r', 'lost'] })).toBe(
      '(1 (2)(3))',
    )
  })

  test('SO-12 step 4: a dummy is sorted by its earliest child', () => {
    expect(
      references({ id: 'a', sent: 5 }, { id: 'b', refs: ['x'], sent: 9 }, { id: 'c', refs: ['x'], sent: 1 }),
    ).toBe('((3)(2))(1)')
  })

  test('SO-12 step 5: threads of one subject are gathered', () => {
    // A reply joins what is no reply.
    expect(references({ subject: 'Re: x' }, { subject: 'x' })).toBe('(2 1)')
    expect(references({ subject: 'x' }, { subject: '[fwd: X]' }, { subject: 'x (fwd)' })).toBe('(1 (2)(3))')
    // Two of a kind become siblings under a dummy.
    expect(references({ subject: 'x' }, { subject: 'x' })).toBe('((1)(2))')
    expect(references({ subject: 'Re: x' }, { subject: 'Re: x' }, { subject: 'Re: x' })).toBe('((1)(2)(3))')
    // A dummy takes in what is no dummy, and another dummy's children.
    expect(
      references(
        { subject: 'x', refs: ['l'], id: 'a' },
        { subject: 'x', refs: ['l'], id: 'b' },
        { subject: 'x', id: 'c' },
        { subject: 'x', refs: ['m'], id: 'd' },
        { subject: 'x', refs: ['m'], id: 'e' },
      ),
    ).toBe('((1)(2)(3)(4)(5))')
    // An empty subject gathers nothing.
    expect(references({ subject: 'Re:' }, { subject: '' })).toBe('(1)(2)')
  })

  test('SO-14: every searched message is there once, nothing else is', () => {
    const message = fc.record({
      id: fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { nil: undefined }),
      refs: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'x', 'y'), { maxLength: 5 }),
      subject: fc.constantFrom('', 's', 'Re: s', 't', 'Re: t'),
      sent: fc.nat(5),
    })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 14 }), (given) => {
        const list = mail(...(given as Given[]))
        const text = threadLists(threadByReferences(list))
        const numbers = (text.match(/\d+/g) ?? []).map(Number).sort((a, b) => a - b)
        expect(numbers).toEqual(list.map((m) => m.number))
        expect(threadLists(slowly(list))).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })

  test('SO-17: 100,000 messages, in chains, backwards, in one cycle, under one dummy', () => {
    const count = 100_000
    const shapes: Record<string, (i: number) => Given> = {
      chain: (i) => ({ id: `m${i}`, refs: i === 0 ? [] : [`m${i - 1}`] }),
      backwards: (i) => ({ id: `m${i}`, refs: [`m${i + 1}`] }),
      cycle: (i) => ({ id: `m${i}`, refs: [`m${(i + 1) % count}`] }),
      star: (i) => ({ id: `m${i}`, refs: ['lost'], subject: 'Re: s' }),
      ordinary: (i) => ({
        id: `m${i}`,
        refs: i % 20 === 0 ? [] : [`m${i - (i % 20)}`, `m${i - 1}`],
        subject: i % 20 === 0 ? `s${i}` : `Re: s${i - (i % 20)}`,
      }),
      subjects: () => ({ subject: 'Re: the same' }),
      // Halves of one long chain are cut and hung below the other again and again.
      cuts: (i) => ({ id: `m${i}`, refs: [`m${(i * 7919) % count}`, `m${(i * 104_729 + 1) % count}`] }),
    }
    for (const [name, shape] of Object.entries(shapes)) {
      const list = mail(...Array.from({ length: count }, (_, i) => shape(i)))
      const start = process.cpuUsage()
      const text = threadLists(threadByReferences(list))
      // Time of this process: a machine with other work to do must not fail the test.
      const took = process.cpuUsage(start).user / 1000
      expect(text.length).toBeGreaterThan(count)
      expect(took, name).toBeLessThan(3000)
    }
  }, 60_000)

  test('SO-17: 10,000 ids in one References, and each again in its own', () => {
    const ids = Array.from({ length: 10_000 }, (_, i) => `m${i}`)
    const list = mail({ id: 'last', refs: ids }, { id: 'other', refs: ids.toReversed() })
    const start = process.cpuUsage()
    expect(threadLists(threadByReferences(list))).toBe('((1)(2))')
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(1000)
  })
})

/** The RFC's steps as they stand, with recursion and walks: the oracle for small input. */
function slowly(list: readonly ThreadMessage[]): Thread[] {
  type Box = { message?: ThreadMessage; parent?: Box | undefined; children: Box[] }
  const table = new Map<string, Box>()
  const boxes = list.map((message): Box => {
    const box: Box = { message, children: [] }
    if (message.messageId !== null && !table.has(message.messageId)) table.set(message.messageId, box)
    return box
  })
  const find = (id: string): Box => {
    const known = table.get(id)
    if (known) return known
    const dummy: Box = { children: [] }
    table.set(id, dummy)
    order.push(dummy)
    return dummy
  }
  const order: Box[] = [...boxes]
  for (const message of list) for (const id of message.references) find(id)
  const descends = (box: Box, from: Box): boolean => {
    for (let at: Box | undefined = box; at; at = at.parent) if (at === from) return true
    return false
  }
  boxes.forEach((box) => {
    const chain = box.message!.references.map(find)
    for (let i = 1; i < chain.length; i++)
      if (!chain[i]!.parent && !descends(chain[i - 1]!, chain[i]!)) chain[i]!.parent = chain[i - 1]
    const last = chain.at(-1)
    box.parent = undefined
    if (last && !descends(last, box)) box.parent = last
  })
  for (const box of order) box.parent?.children.push(box)
  const prune = (children: Box[], top: boolean): Box[] =>
    children.flatMap((box): Box[] => {
      box.children = prune(box.children, false)
      if (box.message) return [box]
      return !top || box.children.length < 2 ? box.children : [box]
    })
  let heads = prune(
    order.filter((box) => !box.parent),
    true,
  )
  const head = (box: Box): ThreadMessage => box.message ?? box.children[0]!.message!
  const compare = (a: Box, b: Box): number => head(a).sent - head(b).sent || head(a).number - head(b).number
  for (const box of heads) if (!box.message) box.children.sort(compare)
  heads.sort(compare)
  const subjects = new Map<string, Box>()
  for (const box of heads) {
    const subject = head(box).subject
    const held = subjects.get(subject)
    if (subject === '') continue
    if (!held) subjects.set(subject, box)
    else if (held.message && (!box.message || (held.message.isReply && !box.message.isReply)))
      subjects.set(subject, box)
  }
  for (const box of [...heads]) {
    const subject = head(box).subject
    const held = subjects.get(subject)
    if (!held || held === box) continue
    if (!held.message && !box.message) held.children.push(...box.children)
    else if (!held.message || (box.message?.isReply && !held.message.isReply)) held.children.push(box)
    else {
      const dummy: Box = { children: [held, box] }
      subjects.set(subject, dummy)
      heads = heads.filter((h) => h !== held)
      heads.push(dummy)
    }
    heads = heads.filter((h) => h !== box)
  }
  const sort = (children: Box[]): void => {
    for (const box of children) sort(box.children)
    children.sort(compare)
  }
  sort(heads)
  return heads as unknown as Thread[]
}

test('a sort in pieces is the sort at once, stable too', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 1, max: 500 }), (length, kinds) => {
      const list = Array.from({ length }, (_, i) => ({ i, by: (i * 7919) % kinds }))
      const compare = (a: { by: number }, b: { by: number }): number => a.by - b.by
      expect(finished(pacedSort([...list], compare))).toEqual(list.toSorted(compare))
    }),
    { numRuns: 20 },
  )
})

test('SC-40: no step of THREAD or of a sort takes long, whatever the size', () => {
  const list = mail(
    ...Array.from({ length: 30_000 }, (_, i) => ({
      id: `${i}@x`,
      refs: i % 3 ? [`${i - 1}@x`, `gone${i % 50}@x`] : [],
      subject: `s${i % 9000}`,
      sent: (i * 7919) % 30_000,
    })),
  )
  // Steps are counted, not timed: each of them is some thousands of simple operations at the most.
  const steps = (work: Generator<void, unknown, void>): number => {
    let count = 0
    while (!work.next().done) count += 1
    return count
  }
  expect(steps(byReferences.threadByReferences(list))).toBeGreaterThan(200)
  expect(steps(threading.threadBySubject(list))).toBeGreaterThan(50)
  expect(steps(threading.threadLists(threadByReferences(list)))).toBeGreaterThan(20)
})
