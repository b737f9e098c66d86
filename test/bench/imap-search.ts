/**
 * SORT, THREAD and SEARCH of a mailbox of 10,000 messages over a connection: `node test/bench/imap-search.ts [messages]`. The
 * best of several runs; beside it what the connection costs without the work.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { startImap } from '../support/imap-server.ts'

const count = Number(process.argv[2] ?? 10_000)
const runs = 9

const server = await startImap({ indexed: true })
const account = (await server.directory.find('alice@example.net'))?.id ?? 0
const inbox = (await server.store.read(account, (view) => view.mailbox('INBOX')))?.id ?? 0
const message = (i: number) => {
  const octets = Buffer.from(
    `From: "Person ${i % 97}" <p${i % 97}@example.com>\r\nTo: bench@example.net\r\nMessage-ID: <${i}@x>\r\n${
      i % 3 ? `References: <${i - (i % 3)}@x>\r\n` : ''
    }Subject: ${i % 3 ? 'Re: ' : ''}number ${i - (i % 3)} of many\r\nDate: ${new Date(1.6e12 + ((i * 7919) % count) * 1e6).toUTCString()}\r\n\r\ntext ${i}\r\n`,
  )
  return {
    octets: [octets],
    digest: digestMessage(octets),
    internalDate: 1.6e12 + i,
    flags: i % 10 ? ['\\Seen'] : [],
  }
}
for (let i = 0; i < count; i += 500)
  await server.store.write(account, [
    {
      op: 'append',
      mailbox: inbox,
      messages: Array.from({ length: Math.min(500, count - i) }, (_, j) => message(i + j)),
    },
  ])
await server.indexed()

const socket = connect(server.port, '127.0.0.1')
socket.setNoDelay(true)
socket.setEncoding('latin1')
let tag = 0
async function command(text: string): Promise<string> {
  tag += 1
  socket.write(`x${tag} ${text}\r\n`)
  let answer = ''
  while (!answer.includes(`x${tag} `)) answer += (await once(socket, 'data'))[0]
  if (!answer.includes(`x${tag} OK`)) throw new Error(`${text}: ${answer.slice(-200)}`)
  return answer
}
await command('LOGIN alice@example.net secret')
await command('SELECT INBOX')
for (const text of [
  'NOOP',
  'SORT RETURN (COUNT) (DATE) UTF-8 ALL',
  'SORT (DATE) UTF-8 ALL',
  'SORT (SUBJECT DATE) UTF-8 ALL',
  'SORT (DISPLAYFROM) UTF-8 UNSEEN',
  'SORT (DATE) UTF-8 UID 1:100',
  'THREAD REFERENCES UTF-8 ALL',
  'THREAD ORDEREDSUBJECT UTF-8 ALL',
  'SEARCH RETURN (COUNT) ALL',
  'SEARCH RETURN (COUNT) UNSEEN',
  'SEARCH RETURN (COUNT) SUBJECT "77"',
  'SEARCH RETURN (COUNT) BODY "text 77"',
  'ESEARCH IN (personal) RETURN (COUNT) SUBJECT "77"',
]) {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    await command(text)
    best = Math.min(best, performance.now() - start)
  }
  console.log(`${text.padEnd(52)} ${best.toFixed(1)} ms`)
}
socket.destroy()
await server.close()
