/** `lemonade ...`: one function a command; each returns its exit code. Loaded when called, so that small ones are quick. */
import { Command, CommanderError } from 'commander'
import { Fault } from '../model/fault.ts'
import type { TargetOptions } from './conform/target/command.ts'

const out = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

type Runs = <A extends unknown[]>(fn: (...args: A) => Promise<number>) => (...args: A) => Promise<void>

const account = () => import('./account.ts')
const checks = () => import('./checks.ts')
const queue = () => import('./queue.ts')

const config = ['-c, --config <file>', 'configuration file (YAML); without it the built-in defaults'] as const

/** Exit code: 0 done, 1 failed, 2 nothing to do or wrong use. */
export async function main(argv: readonly string[]): Promise<number> {
  let code = 0
  const run: Runs =
    (fn) =>
    async (...args) => {
      code = await fn(...args)
    }
  const program = new Command('lemonade')
    .description('MMS to Internet mail gateway with an embedded mail store')
    .exitOverride()
    .showHelpAfterError()
  gatewayCommands(program, run)
  accountCommands(program, run)
  queueCommands(program, run)
  mappingCommands(program, run)
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (error instanceof Fault) {
      process.stderr.write(`${error.message}\n`)
      return 1
    }
    throw error
  }
  return code
}

function gatewayCommands(program: Command, run: Runs): void {
  program
    .command('serve')
    .description('run the gateway')
    .option(...config)
    .action(run(async (o) => (await import('./serve.ts')).serve(o.config)))
  program
    .command('demo')
    .description('show one message each way, in a temporary folder')
    .action(run(async () => (await import('./demo.ts')).demo(out)))
  program
    .command('standards')
    .description('what is spoken here, as a table')
    .action(
      run(async () => {
        out((await import('../standards.ts')).standardsTable())
        return 0
      }),
    )
  program
    .command('config')
    .description('the configuration')
    .command('check')
    .description('say what is wrong with the configuration file')
    .option(...config)
    .action(run(async (o) => (await checks()).configCheck(o.config, out)))
  const store = program.command('store').description('the store')
  store
    .command('erase <number>')
    .description('take a telephone number out of queue, reports and audit trail; what waits for it is ended')
    .option(...config)
    .action(run(async (number, o) => (await checks()).storeErase(number, o.config, out)))
  store
    .command('check')
    .description('verify every checksum, reference and counter of the store')
    .option(...config)
    .action(run(async (o) => (await checks()).storeCheck(o.config, out)))
}

function accountCommands(program: Command, run: Runs): void {
  const group = program.command('account').description('accounts of the mail store')
  group
    .command('add <address>')
    .description('create an account; the password is the first line of standard input')
    .option(...config)
    .action(run(async (address, o) => (await account()).accountAdd(address, o.config, out)))
  group
    .command('passwd <address>')
    .description('change a password; it is the first line of standard input')
    .option(...config)
    .action(run(async (address, o) => (await account()).accountPasswd(address, o.config, out)))
  group
    .command('list')
    .option(...config)
    .option('--json', 'as a JSON array')
    .action(run(async (o) => (await account()).accountList(o, out)))
  group
    .command('remove <address>')
    .description('delete an account and all its mail')
    .option(...config)
    .action(run(async (address, o) => (await account()).accountRemove(address, o.config, out)))
  limitCommands(group, run)
}

function limitCommands(group: Command, run: Runs): void {
  group
    .command('quota <address>')
    .description('what an account holds and may hold; with options, sets it')
    .option('--octets <n>', 'octets of all its messages, or none')
    .option('--messages <n>', 'number of its messages, or none')
    .option(...config)
    .action(run(async (address, o) => (await account()).accountQuota(address, o, out)))
  group
    .command('tokens <address>')
    .description('session tokens by which its clients log in again')
    .option(...config)
    .action(run(async (address, o) => (await account()).accountTokens(address, o.config, out)))
  group
    .command('revoke <address> [client]')
    .description('end the session tokens of one client, or all')
    .option(...config)
    .action(
      run(async (address, client, o) => (await account()).accountRevoke(address, client, o.config, out)),
    )
}

function queueCommands(program: Command, run: Runs): void {
  const group = program.command('queue').description('messages on their way')
  group
    .command('list')
    .option(...config)
    .option('--json', 'one JSON object a line')
    .option('--all', 'settled ones too')
    .option('--limit <n>', 'at most this many', '1000')
    .action(run(async (o) => (await queue()).queueList(o, out)))
  group
    .command('show <id>')
    .description('all that is known of a message, as JSON')
    .option(...config)
    .action(run(async (id, o) => (await queue()).queueShow(id, o.config, out)))
  group
    .command('retry <id>')
    .description('try a deferred message now')
    .option(...config)
    .action(run(async (id, o) => (await queue()).queueRetry(id, o.config, out)))
  group
    .command('hold <id>')
    .description('try a message no more until it is released')
    .option('--reason <text>', 'what `queue list` shows')
    .option(...config)
    .action(run(async (id, o) => (await queue()).queueHold(id, o, out)))
  group
    .command('release <id>')
    .description('end a hold, also that of a dead letter')
    .option(...config)
    .action(run(async (id, o) => (await queue()).queueRelease(id, o.config, out)))
  group
    .command('requeue <id>')
    .description('send the open recipients of a message by the routes as they are now, at once')
    .option(...config)
    .action(run(async (id, o) => (await queue()).queueRequeue(id, o.config, out)))
  group
    .command('cancel <id>')
    .description('end the open recipients of a message; nobody is told')
    .option('--reason <text>', 'what `queue show` says')
    .option('--submitter <address>', 'only what this user submitted; the id may be its ENVID')
    .option(...config)
    .action(run(async (id, o) => (await queue()).queueCancel(id, o, out)))
  group
    .command('bounce <id>')
    .description('give the open recipients of a message up; its sender is told')
    .option('--reason <text>', 'what the sender reads')
    .option(...config)
    .action(run(async (id, o) => (await queue()).queueBounce(id, o, out)))
}

function mappingCommands(program: Command, run: Runs): void {
  program
    .command('translate <in>')
    .description('what would leave the gateway for a .http, .eml, .hex, .mms or a case folder')
    .option('--to <carrier>', 'mail, mm7, mm4 or mm1, instead of what the routes say')
    .option('--envelope <file>', 'SMTP envelope of a mail, as JSON')
    .option(...config)
    .option('--fixed', 'clock and ids of the fixtures')
    .option('--explain', 'say which row of the table wrote each field, and by which rules')
    .action(
      run(async (path, o) =>
        (await import('./translate.ts')).translate(path, o, (octets) => process.stdout.write(octets)),
      ),
    )
  const each = (text: string, before: string[] = []): string[] => [...before, text]
  program
    .command('conform [dirs...]')
    .description('run every case folder below the folders, and say which rule each failure breaks')
    .option('--only <id>', 'only this case; may be repeated', each)
    .option('--json <file>', 'write the results as JSON')
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--target <url>', 'post the cases to the MM7 endpoint of a live gateway instead')
    .option('--smtp <host:port>', 'SMTP of that gateway', '127.0.0.1:2525')
    .option('--listen-mm7 <host:port>', 'where its MM7 requests come out', '127.0.0.1:18080')
    .option(
      '--listen-smtp <peer=host:port>',
      'where its mail for a peer comes out; may be repeated',
      each,
      [],
    )
    .option('--from <peer=ip>', 'address to speak from as a peer; may be repeated', each, [])
    .option('--login <peer=user:password>', 'Basic login as an MM7 peer; may be repeated', each, [])
    .option('--wait <seconds>', 'how long to wait for what must come out', '10')
    .option('--quiet <seconds>', 'how long to wait for what must not', '0.5')
    .option('--print-config', 'print the configuration that the gateway needs, and end')
    .action(run(conformCommand))
}

async function conformCommand(dirs: string[], o: Partial<TargetOptions>): Promise<number> {
  const write = (text: string) => void process.stdout.write(text)
  if (o.target === undefined && o.printConfig === undefined)
    return (await import('./conform/command.ts')).conform(dirs, o, write)
  const { conformTarget } = await import('./conform/target/command.ts')
  const target = o.target ?? 'http://127.0.0.1:8080/mm7'
  return conformTarget(dirs, { ...(o as TargetOptions), target }, write)
}
