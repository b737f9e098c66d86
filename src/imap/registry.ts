/** The commands and extensions there are; CAPABILITY is computed from it, and so is the README's table. */
import type { Mailbox } from '../store/store.ts'
import type { Command } from './command.ts'
import type { Extension } from './extension.ts'
import type { SelectQuery } from './select-query.ts'
import type { Session } from './session.ts'

type Slot = 'selectParams' | 'appendData' | 'fetchItems' | 'fetchModifiers' | 'statusItems'

export class Registry {
  readonly extensions: readonly Extension[]
  readonly commands: ReadonlyMap<string, Command>
  readonly selectParams: ReadonlyMap<string, NonNullable<Extension['selectParams']>[string]>
  readonly appendData: ReadonlyMap<string, NonNullable<Extension['appendData']>[string]>
  readonly fetchItems: ReadonlyMap<string, NonNullable<Extension['fetchItems']>[string]>
  readonly fetchModifiers: ReadonlyMap<string, NonNullable<Extension['fetchModifiers']>[string]>
  readonly statusItems: ReadonlyMap<string, NonNullable<Extension['statusItems']>[string]>
  /** What ENABLE accepts, by name in upper case. */
  readonly enables: ReadonlyMap<string, Extension>

  constructor(commands: readonly Command[], extensions: readonly Extension[]) {
    this.extensions = extensions
    this.commands = unique(
      [...commands, ...extensions.flatMap((e) => e.commands ?? [])].map((c) => [
        `${c.uid === 'only' ? 'UID ' : ''}${c.name}`,
        c,
      ]),
    )
    const slot = <S extends Slot>(name: S): ReadonlyMap<string, NonNullable<Extension[S]>[string]> =>
      unique(
        extensions.flatMap(
          (e) => Object.entries(e[name] ?? {}) as [string, NonNullable<Extension[S]>[string]][],
        ),
      )
    this.selectParams = slot('selectParams')
    this.appendData = slot('appendData')
    this.fetchItems = slot('fetchItems')
    this.fetchModifiers = slot('fetchModifiers')
    this.statusItems = slot('statusItems')
    this.enables = unique(extensions.flatMap((e) => (e.enable ? [[e.enable.toUpperCase(), e] as const] : [])))
  }

  /** A command by its name in upper case; `uid`: called as UID <name>. */
  command(name: string, uid: boolean): Command | undefined {
    if (!uid) return this.commands.get(name)
    const found = this.commands.get(`UID ${name}`) ?? this.commands.get(name)
    return found?.uid ? found : undefined
  }

  /** What the extensions add to the answer of SELECT. */
  async selected(session: Session, mailbox: Mailbox, query: SelectQuery): Promise<void> {
    for (const { onSelect } of this.extensions) await onSelect?.(session, mailbox, query)
  }

  capabilities(session: Session): string[] {
    const names = this.extensions
      .filter((e) => session.account !== undefined || e.afterLogin === false)
      .flatMap((e) => (typeof e.capability === 'string' ? [e.capability] : e.capability(session)))
    return ['IMAP4rev1', ...new Set(names.filter((name) => name !== ''))]
  }
}

function unique<V>(entries: readonly (readonly [string, V])[]): ReadonlyMap<string, V> {
  const map = new Map<string, V>()
  for (const [key, value] of entries) {
    if (map.has(key)) throw new Error(`${key} is registered twice`)
    map.set(key, value)
  }
  return map
}
