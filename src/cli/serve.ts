/** `lemonade serve`: runs until SIGTERM or SIGINT, then drains. Ends with 1 at once when the store stops by itself. */
import { compose } from '../compose.ts'
import { loadConfig } from '../config.ts'
import { createLog } from '../log.ts'
import { keepToOneself } from './open.ts'

export async function serve(file: string | undefined): Promise<number> {
  keepToOneself()
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    let asked = false
    const stop = (signal: NodeJS.Signals): void => {
      // The second one ends it at once: what was accepted is on disk.
      if (asked) process.exit(1)
      asked = true
      resolve(signal)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
  const config = loadConfig(file)
  const log = createLog(config.log)
  const { addresses, close, engine } = await compose(config, log)
  // Nothing can be taken or given any more; a supervisor starts it again. What was acknowledged is on disk.
  void engine.failed.then((fault) => {
    log('error', `${fault.message}: ending`, { cause: String(fault.cause ?? '') })
    process.exit(1)
  })
  process.stdout.write(`${JSON.stringify({ event: 'ready', ...addresses })}\n`)
  if (process.stderr.isTTY)
    process.stderr.write(
      `Post an MM7 request to ${addresses.mm7}, send mail to ${addresses.smtp}; README.md has a tour. Ctrl-C ends.\n`,
    )
  log('info', 'stopping', { signal: await stopped })
  await close()
  return 0
}
