/** Child process of crash.test.ts: an IMAP server on the given store folder, until it is killed. */
import { quickPasswords, startImap } from '../support/imap-server.ts'

const folder = process.argv[2]
if (!folder) throw new Error('a folder is expected')
const server = await startImap({ folder, derive: quickPasswords })
process.stdout.write(`${server.port}\n`)
