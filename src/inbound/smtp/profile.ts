/** What a listener speaks: the MX side (RFC 5321), or message submission (RFC 6409, RFC 5550 §4). */
import type { SmtpCommand, SmtpExtension } from './command.ts'
import { auth } from './commands/auth.ts'
import { binaryMime, chunking } from './commands/bdat.ts'
import { burl } from './commands/burl.ts'
import { data } from './commands/data.ts'
import { futureRelease } from './commands/future-release.ts'
import { hello } from './commands/hello.ts'
import { mail } from './commands/mail.ts'
import { rcpt } from './commands/rcpt.ts'
import { smallCommands } from './commands/small-commands.ts'
import { startTls } from './commands/starttls.ts'

export interface Profile {
  readonly name: 'mx' | 'submission'
  readonly extensions: readonly SmtpExtension[]
  /** By verb, in upper case. */
  readonly commands: ReadonlyMap<string, SmtpCommand>
  /** A bare CR, LF or NUL in DATA (SEC-012, SU-15), and a path that is none (ADR-021, SU-09). */
  readonly codes: { readonly badContent: number; readonly badPath: number }
}

const told = (source: string, keyword: string): SmtpExtension => ({ source, keyword: () => keyword })

/** What both sides offer (QUE-031). */
const common: readonly SmtpExtension[] = [
  told('RFC 2920', 'PIPELINING'),
  { source: 'RFC 1870', keyword: ({ options }) => `SIZE ${options.limits.messageOctets}` },
  told('RFC 6152', '8BITMIME'),
  chunking,
  binaryMime,
  told('RFC 2034', 'ENHANCEDSTATUSCODES'),
  told('RFC 3461', 'DSN'),
  {
    source: 'RFC 2852',
    keyword: ({ options: { limits } }) => `DELIVERBY ${limits.deliverBySeconds ?? ''}`.trim(),
  },
  startTls,
  { source: 'RFC 6531', keyword: ({ options }) => (options.smtputf8 ? 'SMTPUTF8' : undefined) },
]

const basic: readonly SmtpCommand[] = [...hello, mail, rcpt, data, ...smallCommands]

function profile(
  name: Profile['name'],
  extensions: readonly SmtpExtension[],
  codes: Profile['codes'],
): Profile {
  const commands = [...basic, ...extensions.flatMap((extension) => extension.commands ?? [])]
  return { name, extensions, codes, commands: new Map(commands.map((command) => [command.verb, command])) }
}

export const mxProfile = profile('mx', common, { badContent: 550, badPath: 553 })

/** Of Lemonade's list (RFC 5550 §3.1) with what RFC 4865 and RFC 2852 add. */
export const submissionProfile = profile('submission', [...common, auth, burl, futureRelease], {
  badContent: 554,
  badPath: 501,
})
