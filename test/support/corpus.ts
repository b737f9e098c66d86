/** Messages of other projects, read in place where `../shared/corpus` is: nothing of them is part of this project. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { httpField, parseHttp } from '../../src/cli/conform/http-octets.ts'

export const corpusRoot = fileURLToPath(new URL('../../../shared/corpus/', import.meta.url))
export const hasCorpus = existsSync(corpusRoot)

/** Folders that hold messages, and what in them is none: expected results, papers, parts that others were made of. */
const folders = ['mail', 'carrier-mail', 'dsn', 'mdn', 'mm7', 'mm1'] as const
export type CorpusFolder = (typeof folders)[number]
const noMessage =
  /\.(json|md|bin|amr|smil)$|(^|\/)(COPYING|LICENSE|README)[^/]*$|^mm1\/sample-mms-composer\/multimedia\/|^mm7\/instantcom\/smil-sample2?\.xml$/

/** Every message of the corpus, by folder: `mail/james/x.eml`. */
export const corpusFiles = new Map<CorpusFolder, readonly string[]>(
  folders.map((folder) => [
    folder,
    hasCorpus
      ? readdirSync(corpusRoot + folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => `${entry.parentPath}/${entry.name}`.slice(corpusRoot.length))
          .filter((name) => !noMessage.test(name))
          .sort()
      : [],
  ]),
)

export const corpusOctets = (file: string): Buffer => readFileSync(corpusRoot + file)

/** As SMTP would have taken it: lines end in CRLF, the first may be an mbox separator. */
export const receivedMail = (file: string): Buffer => {
  const text = corpusOctets(file).toString('latin1')
  return Buffer.from(text.replace(/^From .*\r?\n/, '').replace(/\r\n|\r|\n/g, '\r\n'), 'latin1')
}

/** Whole HTTP requests, bodies that begin with their boundary, and bare envelopes. */
export function mm7Octets(file: string): { readonly contentType: string; readonly body: Buffer } {
  const octets = Buffer.from(
    corpusOctets(file)
      .toString('latin1')
      .replace(/\r\n|\n/g, '\r\n'),
    'latin1',
  )
  if (/^(POST|HTTP)/.test(octets.toString('latin1', 0, 5))) {
    const http = parseHttp(octets)
    return { contentType: httpField(http, 'Content-Type') ?? 'text/xml', body: http.body }
  }
  const boundary = /^\s*--([^\r\n]+)/.exec(octets.toString('latin1'))?.[1]
  if (boundary !== undefined)
    return { contentType: `multipart/related; type="text/xml"; boundary="${boundary}"`, body: octets }
  return { contentType: 'text/xml', body: octets }
}
