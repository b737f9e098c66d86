/** FILTERS (RFC 5466): criteria that are stored as annotations and used by name. */
import { isUtf8 } from 'node:buffer'
import type { MetadataEntry } from '../../store/store.ts'
import { type SearchKey, searchKeys } from '../../wire/imap/search-keys.ts'
import { CommandInput } from '../../wire/imap/tokens.ts'
import { no, type Reply } from '../command.ts'
import { coded } from '../response-for.ts'
import type { Session } from '../session.ts'

const valuesEntry = /^\/(private|shared)\/filters\/values\/(.*)$/
/** atom characters without wildcards (FI-08). */
const filterName = /^[^\x00-\x20(){%*"\\\]/\x7f-\xff]+$/
const maxLevels = 10
const maxFilters = 200

/** A whole criterion, by the rules of a live command; it cannot break out of its place (FI-06, SC-12). */
function criteriaOf(value: Uint8Array): SearchKey | undefined {
  if (!isUtf8(value)) return undefined
  const text = Buffer.from(value).toString('latin1')
  if (/[\r\n\0]/.test(text)) return undefined
  try {
    const input = new CommandInput([text], true)
    const search = searchKeys(input)
    input.end()
    return search
  } catch {
    return undefined
  }
}

/** Why SETMETADATA does not take a filter (FI-05, FI-08); undefined for everything else. */
export function refusedFilter(entry: string, value: Uint8Array | null, server: boolean): Reply | undefined {
  const name = server ? valuesEntry.exec(entry)?.[2] : undefined
  if (name === undefined) return undefined
  if (!filterName.test(name)) return no('the name of a filter is an atom', 'CANNOT')
  return value === null || criteriaOf(value) ? undefined : no('the value is no search criterion', 'CANNOT')
}

/**
 * The criteria with every filter put in: by value, so that a filter that changes later changes no live context (FI-11).
 * @throws Fault answered UNDEFINED-FILTER (FI-03, FI-04)
 */
export async function withFilters(session: Session, search: SearchKey): Promise<SearchKey> {
  if (!namesFilter(search)) return search
  const entries = await session.services.store.read(session.user.id, (view) => view.metadata(null))
  const values = new Map(entries.map((entry: MetadataEntry) => [entry.name, entry.value]))
  let used = 0
  const put = (key: SearchKey, level: number): SearchKey => {
    if (key.key === 'filter') {
      const lower = key.name.toLowerCase()
      // Private goes before shared (FI-02).
      const value =
        values.get(`/private/filters/values/${lower}`) ?? values.get(`/shared/filters/values/${lower}`)
      const criteria = value && criteriaOf(value)
      used += 1
      if (!criteria || level >= maxLevels || used > maxFilters)
        throw coded('not-found', 'there is no such filter', `UNDEFINED-FILTER ${key.name}`)
      return put(criteria, level + 1)
    }
    if (key.key === 'not') return { key: 'not', inner: put(key.inner, level) }
    if (key.key === 'and' || key.key === 'or')
      return { key: key.key, keys: key.keys.map((k) => put(k, level)) }
    return key
  }
  return put(search, 0)
}

function namesFilter(search: SearchKey): boolean {
  if (search.key === 'filter') return true
  if (search.key === 'not') return namesFilter(search.inner)
  return 'keys' in search && search.keys.some(namesFilter)
}
