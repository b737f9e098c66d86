/** The generated presentation (CNT-030 to CNT-032), and what a given one refers to. */

export interface SlidePart {
  readonly kind: 'image' | 'video' | 'text' | 'audio'
  /** Content-ID without brackets. */
  readonly id: string
  /** Content-Duration, whole seconds. */
  readonly seconds?: number | undefined
}

interface Slide {
  visual?: SlidePart
  text?: SlidePart
  audio?: SlidePart
}

/** One visual, one text and one audio a slide, in the order of the parts; a video fills visual and audio (CNT-031). */
function slidesOf(parts: readonly SlidePart[]): Slide[] {
  const slides: Slide[] = []
  for (const part of parts) {
    const last = slides[slides.length - 1]
    const slide = last && isFree(last, part) ? last : {}
    if (slide !== last) slides.push(slide)
    if (part.kind === 'text') slide.text = part
    else if (part.kind === 'audio') slide.audio = part
    else slide.visual = part
  }
  return slides
}

function isFree(slide: Slide, part: SlidePart): boolean {
  if (part.kind === 'text') return !slide.text
  if (part.kind === 'audio') return !slide.audio && slide.visual?.kind !== 'video'
  if (part.kind === 'video') return !slide.visual && !slide.audio
  return !slide.visual
}

export function generateSmil(parts: readonly SlidePart[]): string {
  const slides = slidesOf(parts)
  const regions = [
    slides.some((s) => s.visual)
      ? '<region id="Image" left="0" top="0" width="160" height="120" fit="meet"/>'
      : '',
    slides.some((s) => s.text)
      ? '<region id="Text" left="0" top="120" width="160" height="40" fit="scroll"/>'
      : '',
  ].join('')
  const body = slides.map(({ visual, text, audio }) => {
    const seconds = Math.max(5, audio?.seconds ?? 0)
    const media = [
      visual
        ? `<${visual.kind === 'video' ? 'video' : 'img'} src="cid:${escaped(visual.id)}" region="Image"/>`
        : '',
      text ? `<text src="cid:${escaped(text.id)}" region="Text"/>` : '',
      audio ? `<audio src="cid:${escaped(audio.id)}"/>` : '',
    ].join('')
    return `<par dur="${seconds * 1000}ms">${media}</par>`
  })
  return `<smil><head><layout><root-layout width="160" height="160"/>${regions}</layout></head><body>${body.join('')}</body></smil>`
}

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? '&apos;')

/** The src values of a presentation, slide by slide; undefined: it is no SMIL that can be followed. */
export function smilReferences(smil: string): string[][] | undefined {
  if (!/<smil[\s>]/i.test(smil)) return undefined
  const slides: string[][] = []
  const text = smil.slice(0, 200_000)
  // A tag ends at the next bracket of either kind: each octet is looked at once.
  for (const [whole, tag = ''] of text.matchAll(/<(?:par\b|(?:img|video|audio|text|ref)\b([^<>]*))/gi)) {
    if (/^<par/i.test(whole)) {
      slides.push([])
      continue
    }
    const match = /\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(tag)
    const src = match?.[1] ?? match?.[2]
    if (src !== undefined)
      (slides[slides.length - 1] ?? slides[slides.push([]) - 1])?.push(unescaped(src.trim()))
  }
  return slides
}

const unescaped = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
