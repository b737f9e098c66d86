/**
 * The least that a server must do which loses nothing, a process of its own: read the octets, append them to a file,
 * sync in groups, answer. The gateway is measured against it in the same run.
 */
import { fdatasync, openSync, writev } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { join } from 'node:path'

const [kind = '', folder = ''] = process.argv.slice(2)

/** Whatever waits is one write and one sync. */
function groupCommit(file: string): (pieces: readonly Buffer[]) => Promise<void> {
  const fd = openSync(file, 'w')
  let waiting: { pieces: readonly Buffer[]; done: () => void }[] = []
  let busy = false
  const flush = (): void => {
    if (busy || waiting.length === 0) return
    busy = true
    const group = waiting
    waiting = []
    writev(
      fd,
      group.flatMap((g) => [...g.pieces]),
      (error) => {
        if (error) throw error
        fdatasync(fd, (failed) => {
          if (failed) throw failed
          busy = false
          for (const g of group) g.done()
          flush()
        })
      },
    )
  }
  return (pieces) =>
    new Promise((resolve) => {
      waiting.push({ pieces, done: resolve })
      flush()
    })
}

const commit = kind === 'spout' ? async () => {} : groupCommit(join(folder, `${kind}.log`))

function http(): Server {
  return createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    await commit(chunks)
    response.setHeader('Content-Length', 2)
    response.end('ok')
  })
}

/** A message ends with CRLF.CRLF at the end of what arrived; there is no dialogue. */
function sink(): Server {
  return createTcpServer((socket) => {
    socket.setNoDelay(true)
    let chunks: Buffer[] = []
    socket.on('error', () => socket.destroy())
    socket.on('data', async (chunk: Buffer) => {
      chunks.push(chunk)
      if (chunk.toString('latin1', chunk.length - 5) !== '\r\n.\r\n') return
      const message = chunks
      chunks = []
      await commit(message)
      socket.write('250 ok\r\n')
    })
  })
}

/** Writes the octets it was given to whoever connects, as fast as they go, and closes. */
function spout(octets: Buffer): Server {
  return createTcpServer((socket) => {
    socket.on('error', () => socket.destroy())
    let at = 0
    const more = (): void => {
      while (at < octets.length) {
        const piece = octets.subarray(at, at + 65_536)
        at += piece.length
        if (!socket.write(piece)) {
          socket.once('drain', more)
          return
        }
      }
      socket.end()
    }
    more()
  })
}

const server = kind === 'http' ? http() : kind === 'sink' ? sink() : spout(Buffer.alloc(Number(folder), 'x'))
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.on('disconnect', () => process.exit(0))
