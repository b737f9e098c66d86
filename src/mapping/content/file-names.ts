/** File names of parts: what a name may hold, and how it becomes a Content-Location (CNT-025, CNT-048, SEC-033). */
import type { Part } from '../../model/neutral.ts'
import { parseDisposition } from '../../wire/mime/parameters.ts'

const devices = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/** The given name without path, controls, leading dots and reserved device names; undefined when nothing is left. */
export function fileName(part: Part): string | undefined {
  const disposition = part.headers.find((h) => h.name.toLowerCase() === 'content-disposition')?.value
  const given =
    (disposition && parseDisposition(disposition).params.find((p) => p.name === 'filename')?.value) ??
    part.params.find((p) => p.name === 'name')?.value
  if (given === undefined) return undefined
  const base = given
    .replace(/^.*[\\/]/, '')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
    .replace(/^\.+/, '')
    .trim()
  return base === '' || devices.test(base) ? undefined : base
}

const extensions: Readonly<Record<string, string>> = {
  'text/plain': 'txt',
  'text/html': 'html',
  'text/x-vcard': 'vcf',
  'text/vcard': 'vcf',
  'text/calendar': 'ics',
  'text/x-vcalendar': 'vcs',
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/gif': 'gif',
  'image/vnd.wap.wbmp': 'wbmp',
  'audio/amr': 'amr',
  'audio/amr-wb': 'awb',
  'audio/mpeg': 'mp3',
  'audio/mp4': 'm4a',
  'audio/midi': 'mid',
  'audio/sp-midi': 'mid',
  'video/3gpp': '3gp',
  'video/3gpp2': '3g2',
  'video/mp4': 'mp4',
}

const kinds: Readonly<Record<string, string>> = {
  text: 'part',
  image: 'image',
  audio: 'audio',
  video: 'video',
}

/** Content-Location of the n-th media part (1-based); names in `taken` get -2, -3 before the extension. */
export function contentLocation(part: Part, position: number, taken: Set<string>): string {
  const type = part.kind === 'multi' ? 'multipart/mixed' : part.type
  const ascii = (fileName(part) ?? '')
    .normalize('NFKD')
    .replace(/[^\x21-\x7e ]/g, '')
    .replace(/ /g, '_')
    .slice(0, 40)
  const stem = ascii.replace(/\.[^.]*$/, '')
  const name = /[A-Za-z0-9]/.test(stem)
    ? ascii
    : `${kinds[type.split('/')[0] ?? ''] ?? 'file'}${position}.${extensions[type] ?? ascii.match(/\.([A-Za-z0-9]+)$/)?.[1] ?? 'bin'}`
  let unique = name
  for (let n = 2; taken.has(unique.toLowerCase()); n++) {
    const dot = name.lastIndexOf('.')
    unique = dot > 0 ? `${name.slice(0, dot)}-${n}${name.slice(dot)}` : `${name}-${n}`
  }
  taken.add(unique.toLowerCase())
  return unique
}
