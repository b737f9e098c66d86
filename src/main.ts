/** Process entry: the command line. Standard output is for results, logs go to standard error. */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Starts in half the time from the second time on. In our own folder: what others can write must not be run.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/lemonade', import.meta.url)))
const { main } = await import('./cli/main.ts')
// A reader that went away (head, less) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

process.exit(await main(process.argv.slice(2)))
