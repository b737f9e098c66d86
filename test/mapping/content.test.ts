import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { contentClassOf } from '../../src/mapping/content/content-class.ts'
import { contentForMms } from '../../src/mapping/content/for-mms.ts'
import { dataImages, htmlToText, imageReferences } from '../../src/mapping/content/html.ts'
import { imageSize } from '../../src/mapping/content/image-size.ts'
import { bodyFrom } from '../../src/mapping/content/read-content.ts'
import { smilReferences } from '../../src/mapping/content/smil.ts'
import { textOf } from '../../src/mapping/content/text.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import type { Part } from '../../src/model/neutral.ts'
import type { Settings } from '../../src/model/settings.ts'

const settings = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const context = (more: Partial<MappingContext> = {}): MappingContext => ({
  settings,
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now: Date.parse('2024-03-05T10:15:30Z'),
  ...more,
})
type Leaf = Extract<Part, { kind: 'leaf' }>
const leaf = (type: string, body: Uint8Array | string, disposition?: string): Leaf => ({
  kind: 'leaf',
  type,
  params: [],
  headers: disposition === undefined ? [] : [{ name: 'Content-Disposition', value: disposition }],
  body: bodyFrom(Buffer.from(body)),
})
const mixed = (...parts: Part[]): Part => ({
  kind: 'multi',
  subtype: 'mixed',
  params: [],
  headers: [],
  parts,
})
const target = (maxSize: number) => ({ peer: { ...settings.peers.mmsc!, maxSize }, expose: true })
const from = (content: Part, source: 'mm3' | 'mm7-submit' = 'mm3', vas = {}) => ({
  content,
  source,
  vas,
  subject: 'x',
})
const leaves = (part: unknown): Leaf[] => {
  const p = part as Part
  return p.kind === 'multi' ? p.parts.flatMap(leaves) : [p as Leaf]
}

describe('content towards handsets', () => {
  test('CNT-070: a converter is asked for what a handset cannot show; when it fails the part is dropped with a notice', () => {
    const content = mixed(leaf('text/plain', 'hi'), leaf('image/webp', 'RIFFxxxxWEBP'))
    const made = contentForMms(
      from(content),
      target(10_000),
      context({ convert: (part) => ({ ...part, type: 'image/jpeg' }) }),
    )
    expect(leaves(made).map((p) => p.type)).toEqual(['application/smil', 'text/plain', 'image/jpeg'])
    const failed = contentForMms(
      from(content),
      target(10_000),
      context({
        convert: () => {
          throw new Error('no memory')
        },
      }),
    )
    expect(textOf(failed as Leaf)).toBe('hi\r\n[Attachment not delivered: part (image/webp, 12 bytes)]')
  })

  test('CNT-074: the largest image is converted first, before anything is left out', () => {
    const asked: number[] = []
    const content = mixed(leaf('image/png', Buffer.alloc(3000, 1)), leaf('image/png', Buffer.alloc(9000, 2)))
    const made = contentForMms(
      from(content),
      target(7000),
      context({
        convert: (part) => {
          asked.push(part.body.octets().length)
          return { ...part, body: bodyFrom(Buffer.alloc(1000)) }
        },
      }),
    )
    expect(asked).toEqual([9000])
    expect(
      leaves(made)
        .map((p) => p.body.octets().length)
        .slice(1),
    ).toEqual([3000, 1000])
    expect(contentForMms(from(content), target(7000), context())).toMatchObject({ refused: 'too-large' })
  })

  test('MAP-163: of a voice message the spoken name goes before the message', () => {
    const content = mixed(
      leaf('audio/amr', Buffer.alloc(2000, 1), 'inline; voice=Originator-Spoken-Name'),
      leaf('audio/amr', Buffer.alloc(2000, 2), 'inline; voice=Voice-Message'),
    )
    const kept = leaves(contentForMms(from(content), target(3500), context())).filter(
      (p) => p.type === 'audio/amr',
    )
    expect(kept.map((p) => p.body.octets()[0])).toEqual([2])
  })

  test('CNT-076: what may not be adapted is sent as it is or refused, never changed', () => {
    const content = mixed(leaf('text/plain', 'hi'), leaf('application/pdf', Buffer.alloc(5000)))
    expect(
      leaves(contentForMms(from(content, 'mm7-submit'), target(10_000), context())).map((p) => p.type),
    ).toEqual(['text/plain', 'application/pdf'])
    for (const vas of [{ adaptationAllowed: false }, { drmContent: true }])
      expect(contentForMms(from(content, 'mm7-submit', vas), target(1000), context())).toMatchObject({
        refused: 'adaptation-denied',
      })
    expect(contentForMms(from(content, 'mm7-submit'), target(1000), context())).toMatchObject({
      refused: 'too-large',
    })
  })

  test('CNT-073: the subject counts where the peer counts it', () => {
    const content = leaf('text/plain', 'x'.repeat(100))
    const message = { ...from(content), subject: 's'.repeat(500) }
    expect(contentForMms(message, target(400), context())).toMatchObject({ kind: 'leaf' })
    const counting = { peer: { ...settings.peers.mmsc!, maxSize: 400, countSubject: true }, expose: true }
    expect(contentForMms(message, counting, context())).toMatchObject({ refused: 'too-large' })
  })

  test('CNT-072: the smallest class that fits all parts', () => {
    const picture = (width: number, height: number, octets: number): Leaf =>
      leaf('image/jpeg', jpeg(width, height, octets))
    expect(contentClassOf(leaf('text/plain', 'hi'))).toBe('text')
    expect(contentClassOf(mixed(leaf('text/plain', 'hi'), picture(160, 120, 1000)))).toBe('image-basic')
    expect(contentClassOf(mixed(picture(120, 160, 1000)))).toBe('image-basic')
    expect(contentClassOf(mixed(picture(640, 480, 50_000)))).toBe('image-rich')
    expect(contentClassOf(mixed(picture(1600, 1200, 500_000)))).toBe('megapixel')
    expect(contentClassOf(mixed(leaf('video/3gpp', Buffer.alloc(1000))))).toBe('video-basic')
    expect(contentClassOf(mixed(leaf('audio/midi', Buffer.alloc(1000))))).toBe('content-basic')
    expect(contentClassOf(mixed(picture(640, 480, 900_000)))).toBeUndefined()
  })
})

/** SOI and a frame header. */
const jpeg = (width: number, height: number, octets: number): Buffer => {
  const body = Buffer.alloc(octets)
  body.set([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8], 0)
  body.writeUInt16BE(height, 13)
  body.writeUInt16BE(width, 15)
  return body
}

describe('hostile content', () => {
  test('SEC-025: sizes come from the header alone, are bounded, and no input is too short', () => {
    expect(imageSize('image/jpeg', jpeg(160, 120, 100))).toEqual({ width: 160, height: 120 })
    expect(imageSize('image/jpeg', jpeg(20_000, 120, 100))).toBeUndefined()
    for (const type of ['image/jpeg', 'image/png', 'image/gif', 'image/bmp'])
      for (let n = 0; n < 30; n++) expect(imageSize(type, Buffer.alloc(n, 0xff))).toBeUndefined()
  })

  test('SEC-023: HTML, SMIL and text that would cost the square of their length do not', () => {
    const size = 2 * 1024 * 1024
    const bad = [
      '<b>',
      '<div>',
      '<img ',
      '<img src=',
      '<table><tr><td>',
      '<!--',
      '<',
      '&amp;',
      '<pre>  ',
      'a ',
    ].map((unit) => unit.repeat(size / unit.length))
    for (const html of bad) {
      const before = process.threadCpuUsage().user
      htmlToText(html)
      imageReferences(html)
      dataImages(html, 1000)
      smilReferences(`<smil>${html}`)
      expect((process.threadCpuUsage().user - before) / 1000, html.slice(0, 20)).toBeLessThan(3000)
    }
    const before = process.threadCpuUsage().user
    expect(textOf(leaf('text/plain', `${'\r\n'.repeat(1_000_000)}x`)).length).toBe(2_000_001)
    expect((process.threadCpuUsage().user - before) / 1000).toBeLessThan(3000)
  }, 60_000)

  test('CNT-050: deep nesting loses its tags, not its text; long lists stay lists', () => {
    expect(htmlToText(`${'<b>'.repeat(500)}deep${'</b>'.repeat(500)}<br>after`)).toBe('deep\r\nafter')
    const list = `<ul>${'<li>one'.repeat(300)}</ul>`
    expect(htmlToText(list).split('\r\n')).toEqual(Array.from({ length: 300 }, () => '- one'))
  })

  test('CNT-046: empty lines at the end go, those inside stay', () => {
    expect(textOf(leaf('text/plain', 'a\n\n\rb\r\n\r\n\n'))).toBe('a\r\n\r\n\r\nb')
  })
})
