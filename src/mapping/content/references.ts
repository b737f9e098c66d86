/** Finds the part that a URL inside the message means (CNT-026; RFC 2392 §2, RFC 2557 §5). */
import type { Part } from '../../model/neutral.ts'

const header = (part: Part, name: string): string | undefined =>
  part.headers.find((h) => h.name.toLowerCase() === name)?.value

export const bareId = (id: string): string => id.trim().replace(/^<|>$/g, '')

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const contentId = (part: Part): string | undefined => {
  const id = header(part, 'content-id')
  return id === undefined || id.trim() === '' ? undefined : bareId(id)
}

/** cid: by Content-ID; else by Content-Location, then by file name, which many handsets mean. */
export function findReferred(parts: readonly Part[], url: string): Part | undefined {
  const cid = /^cid:\s*(.*)$/i.exec(url)?.[1]
  if (cid !== undefined)
    return parts.find((p) => contentId(p) === bareId(decoded(cid)) || contentId(p) === bareId(cid))
  const place = (text: string): string =>
    decoded(text)
      .replace(/^thismessage:\/+/i, '')
      .replace(/^\.\//, '')
  return (
    parts.find((p) => {
      const location = header(p, 'content-location')
      return location !== undefined && place(location) === place(url)
    }) ??
    parts.find((p) => p.params.some((q) => q.name === 'name' && q.value === url)) ??
    parts.find((p) => contentId(p) === url)
  )
}
