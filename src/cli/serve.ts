/** `lemonade serve`: runs until SIGTERM or SIGINT, then drains. */
import { compose } from '../compose.ts'
import { loadConfig } from '../config.ts'
import { createLog } from '../log.ts'

export async function serve(file: string | undefined): Promise<number> {
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    process.on('SIGTERM', resolve)
    process.on('SIGINT', resolve)
  })
  const config = loadConfig(file)
  const log = createLog(config.log)
  const { addresses, close } = await compose(config, log)
  process.stdout.write(`${JSON.stringify({ event: 'ready', ...addresses })}\n`)
  if (process.stderr.isTTY)
    process.stderr.write(
      `Post an MM7 request to ${addresses.mm7}, send mail to ${addresses.smtp}; README.md has a tour. Ctrl-C ends.\n`,
    )
  log('info', 'stopping', { signal: await stopped })
  await close()
  return 0
}
