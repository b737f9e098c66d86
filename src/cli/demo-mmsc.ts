/** The smallest MMSC, for the demonstration: takes SubmitReqs and answers 1000. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readMm7 } from '../wire/mm7/read.ts'
import { element, writeMm7 } from '../wire/mm7/write.ts'

export interface ListeningMmsc {
  readonly url: string
  /** The first request, as text. */
  readonly received: Promise<string>
  close(): void
}

export async function listeningMmsc(): Promise<ListeningMmsc> {
  let got: (text: string) => void = () => {}
  const received = new Promise<string>((resolve) => {
    got = resolve
  })
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const message = readMm7(request.headers['content-type'] ?? '', body)
    const answer = writeMm7({
      transactionId: message.transactionId ?? '',
      namespace: message.namespace ?? '',
      body: element('SubmitRsp', [
        element('MM7Version', '6.8.0'),
        element('Status', [element('StatusCode', '1000'), element('StatusText', 'Success')]),
        element('MessageID', 'demo-1'),
      ]),
    })
    response.setHeader('Content-Type', answer.contentType)
    response.end(Buffer.concat(answer.body))
    got(body.toString('utf8'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/mm7`,
    received,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
