/** Reads the files of fixtures/imap: the format is in fixtures/imap/README.md. */

export interface Step {
  readonly line: number
  readonly verb: string
  /** Connection; '1' where the transcript names none. */
  readonly connection: string
  /** Explicit tag of `C[tag]:` and `S[tag]:`. */
  readonly tag: string | undefined
  readonly text: string
  /** The data lines that follow. */
  readonly data: readonly string[]
}

export interface Transcript {
  /** The comment at the head. */
  readonly title: string
  readonly needs: readonly string[]
  /** No login is done for its connections. */
  readonly raw: boolean
  readonly steps: readonly Step[]
}

const playLine = /^([CSUR])(\d*)(?:\[([^\]]+)\])?: ?(.*)$/
const words =
  /^(account|as|clock|deliver|messages|needs|quota|raw|silent|starttls|compress|close|utf8)\b ?(.*)$/

/** @throws on a line that is nothing of the format */
export function parseTranscript(text: string): Transcript {
  const title: string[] = []
  const needs: string[] = []
  const steps: Step[] = []
  let raw = false
  // Octets from here on: what is not ASCII goes over the wire as UTF-8.
  const octets = Buffer.from(text, 'utf8').toString('latin1')
  octets.split(/\r?\n/).forEach((line, index) => {
    const at = index + 1
    if (line === '') return
    if (line.startsWith('#')) {
      if (steps.length === 0) title.push(line.slice(1).trim())
      return
    }
    if (line.startsWith('|') || line.startsWith('>')) {
      const last = steps.at(-1)
      if (!last) throw new Error(`line ${at}: data that belong to nothing`)
      ;(last.data as string[]).push(dataOf(line))
      return
    }
    if (line.startsWith('&')) {
      const connection = steps.findLast((step) => step.verb === 'C')?.connection ?? '1'
      steps.push({ line: at, verb: '&', connection, tag: undefined, text: line.slice(1), data: [] })
      return
    }
    const play = playLine.exec(line)
    const word = words.exec(line)
    if (play)
      steps.push({
        line: at,
        verb: play[1]!,
        connection: play[2] || '1',
        tag: play[3],
        text: play[4]!,
        data: [],
      })
    else if (word?.[1] === 'needs') needs.push(...word[2]!.split(' '))
    else if (word?.[1] === 'raw') raw = true
    else if (word)
      steps.push({ line: at, verb: word[1]!, connection: '1', tag: undefined, text: word[2]!, data: [] })
    else throw new Error(`line ${at}: ${line}`)
  })
  if (title.length === 0) throw new Error('no title')
  if (!steps.some((step) => step.verb === 'S')) throw new Error('nothing is expected')
  return { title: title.join(' '), needs, raw, steps }
}

/** "| text" is a line, "> text" octets without a line end and with escapes. */
function dataOf(line: string): string {
  const text = line.slice(line[1] === ' ' ? 2 : 1)
  if (line.startsWith('|')) return `${text}\r\n`
  return text.replace(/\\(r|n|t|0|\\|x[0-9a-fA-F]{2})/g, (_, code: string) =>
    code.startsWith('x')
      ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
      : ({ r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' } as Record<string, string>)[code]!,
  )
}
