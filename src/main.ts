/** Process entry: the command line. Standard output is for results, logs go to standard error. */
import { main } from './cli/main.ts'

process.exit(await main(process.argv.slice(2)))
