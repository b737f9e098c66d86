import { expect, test } from 'vitest'
import { bodyStructureOf } from '../../../src/wire/mime/body-structure.ts'
import type { MimeNode } from '../../../src/wire/mime/node.ts'
import { elements, partStructure } from '../../../src/wire/mime/part-structure.ts'
import { scanMessage } from '../../../src/wire/mime/scan.ts'

const nested = (depth: number, name: string): string =>
  depth === 0
    ? `Content-Type: text/plain; name=${name}\r\nContent-Description: a ${name} (b {3}\r\nContent-Location: "x\r\n\r\nbody ${name}\r\n`
    : depth % 2 === 0
      ? `Content-Type: message/rfc822\r\n\r\nSubject: in ${name}\r\n${nested(depth - 1, name)}`
      : `Content-Type: multipart/mixed; boundary=b${depth}\r\n\r\n--b${depth}\r\n${nested(depth - 1, `${name}1`)}\r\n--b${depth}\r\n${nested(0, `"q \\" ${name})("`)}\r\n--b${depth}\r\n${nested(Math.max(0, depth - 2), `${name}3`)}\r\n--b${depth}--\r\n`

test('DE-12, UA-37: of every part of nested messages, the cut-out structure is the one that the part itself gives', () => {
  let seen = 0
  for (const depth of [0, 1, 3, 5]) {
    const octets = Buffer.from(`Subject: top\r\nMIME-Version: 1.0\r\n${nested(depth, 'n')}`)
    const top = scanMessage(octets)
    const whole = bodyStructureOf(octets, top, true)
    expect(partStructure(whole, [])).toBe(whole)
    const visit = (entity: MimeNode, path: readonly number[]): void => {
      const children = entity.type === 'multipart' ? entity.parts : [entity]
      children.forEach((child, i) => {
        const numbers = [...path, i + 1]
        seen += 1
        expect(partStructure(whole, numbers), numbers.join('.')).toBe(bodyStructureOf(octets, child, true))
        if (child.type === 'multipart') visit(child, numbers)
        else if (child.type === 'message' && child.parts[0]) visit(child.parts[0], numbers)
      })
      expect(partStructure(whole, [...path, children.length + 1])).toBeUndefined()
    }
    visit(top, [])
  }
  expect(seen).toBeGreaterThan(20)
})

test('elements: quoted strings, literals and lists side by side', () => {
  expect(elements('((a "(")(b) {3}\r\n)"( NIL "\\")" 5)')).toEqual([
    '(a "(")',
    '(b)',
    '{3}\r\n)"(',
    'NIL',
    '"\\")"',
    '5',
  ])
  expect(elements('()')).toEqual([])
  // What is no list ends all the same.
  for (const broken of ['', '(', '("', '({9}\r\n', ')))', '(a'])
    expect(elements(broken).length).toBeLessThan(3)
})
