/** The one logger: JSON lines on standard error, so that standard output stays for results. */
import { pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void

export function createLog(level: LogLevel | 'silent'): Log {
  const logger = pino({ level }, pino.destination({ fd: 2, sync: true }))
  return (at, message, fields = {}) => logger[at](masked(fields), message)
}

/** Numbers keep all but their last four digits, local parts their first letter (SEC-042). */
export const maskAddress = (address: string): string => {
  const at = address.lastIndexOf('@')
  const local = at < 0 ? address : address.slice(0, at)
  const rest = at < 0 ? '' : address.slice(at)
  return /^\+?\d{5,}$/.test(local)
    ? `${local.slice(0, -4)}****${rest}`
    : at < 0
      ? address
      : `${local.slice(0, 1)}***${rest}`
}

const personal = new Set(['address', 'sender', 'recipient', 'mailFrom', 'rcptTo', 'user'])
const masked = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      personal.has(key) && typeof value === 'string' ? maskAddress(value) : value,
    ]),
  )
