/** All that this server speaks: the one list from which commands are found and CAPABILITY is told. */
import { append } from './commands/append.ts'
import { copy } from './commands/copy.ts'
import { expunge } from './commands/expunge.ts'
import { fetch } from './commands/fetch.ts'
import { list, lsub } from './commands/list.ts'
import { authenticate, login } from './commands/login.ts'
import { create, remove, rename, subscribe, unsubscribe } from './commands/mailbox-commands.ts'
import { search } from './commands/search.ts'
import { close, examine, select } from './commands/select.ts'
import { capability, check, logout, noop, startTls } from './commands/session-commands.ts'
import { status } from './commands/status.ts'
import { store } from './commands/store.ts'
import { baseExtensions, channelExtensions } from './extensions/base.ts'
import { catenate, urlPartial } from './extensions/catenate.ts'
import { compress } from './extensions/compress.ts'
import { condstore, qresync } from './extensions/condstore.ts'
import { contextExtensions } from './extensions/context.ts'
import { i18nLevel, languageExtension } from './extensions/i18n.ts'
import { imap4rev1 } from './extensions/imap4rev1.ts'
import { metadata } from './extensions/metadata.ts'
import { multisearch } from './extensions/multisearch.ts'
import { notifyExtension } from './extensions/notify.ts'
import { objectId } from './extensions/objectid.ts'
import { preview } from './extensions/preview.ts'
import { quota } from './extensions/quota.ts'
import { rev2 } from './extensions/rev2.ts'
import { binary, savedate, statusSize, unauthenticate } from './extensions/small-extensions.ts'
import { sortExtensions } from './extensions/sort.ts'
import { listExtensions } from './extensions/special-use.ts'
import { urlauth, urlauthBinary } from './extensions/urlauth.ts'
import { utf8Accept } from './extensions/utf8.ts'
import { Registry } from './registry.ts'

const commands = [
  capability,
  noop,
  logout,
  startTls,
  authenticate,
  login,
  select,
  examine,
  create,
  remove,
  rename,
  subscribe,
  unsubscribe,
  list,
  lsub,
  status,
  append,
  check,
  close,
  expunge,
  search,
  fetch,
  store,
  copy,
]

export const createRegistry = (): Registry =>
  new Registry(commands, [
    imap4rev1,
    rev2,
    ...channelExtensions,
    ...baseExtensions,
    condstore,
    utf8Accept,
    binary,
    catenate,
    urlPartial,
    ...listExtensions,
    objectId,
    i18nLevel,
    languageExtension,
    ...metadata,
    preview,
    quota,
    savedate,
    statusSize,
    unauthenticate,
    compress,
    urlauth,
    urlauthBinary,
    ...sortExtensions,
    ...contextExtensions,
    notifyExtension,
    multisearch,
    // Last: what changed since comes behind all other data of SELECT (QR-31).
    qresync,
  ])
