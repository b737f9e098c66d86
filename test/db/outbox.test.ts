import { once } from 'node:events'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { Outbox } from '../../src/db/sqlite/outbox.ts'
import type { WriteRequest } from '../../src/db/sqlite/requests.ts'
import { tempFolder } from '../support/temp.ts'

const request = (id: number, octets: readonly Uint8Array[] = []): WriteRequest => ({
  id,
  body: { kind: 'release', deliveryIds: [id] },
  octets,
})

test('what is asked at once goes to the writer as one group, its octets without a copy', async () => {
  const { port1, port2 } = new MessageChannel()
  const outbox = new Outbox(port1, () => {})
  const octets = new Uint8Array(100).fill(7)
  outbox.put(request(1))
  outbox.put(request(2, [octets]))
  expect(receiveMessageOnPort(port2)).toBeUndefined()
  const [group] = (await once(port2, 'message')) as [WriteRequest[]]
  expect(group.map(({ id }) => id)).toEqual([1, 2])
  expect(group[1]?.octets[0]).toEqual(new Uint8Array(100).fill(7))
  expect(octets.length).toBe(0)
  outbox.put(request(3))
  outbox.flush()
  expect((receiveMessageOnPort(port2)?.message as WriteRequest[]).map(({ id }) => id)).toEqual([3])
  port1.close()
})

test('a request that cannot be handed over is refused alone', () => {
  const { port1, port2 } = new MessageChannel()
  const refused: number[] = []
  const outbox = new Outbox(port1, ({ id }, error) => {
    expect(error).toBeInstanceOf(Error)
    refused.push(id)
  })
  const twice = new Uint8Array(10)
  outbox.put(request(1, [new Uint8Array(5)]))
  outbox.put(request(2, [twice, twice]))
  outbox.put({ ...request(3), body: (() => {}) as never })
  outbox.put(request(4, [new Uint8Array(6)]))
  outbox.flush()
  const arrived: WriteRequest[] = []
  for (let next = receiveMessageOnPort(port2); next; next = receiveMessageOnPort(port2))
    arrived.push(...(next.message as WriteRequest[]))
  expect(refused).toEqual([2, 3])
  expect(arrived.map(({ id, octets }) => [id, octets[0]?.length])).toEqual([
    [1, 5],
    [4, 6],
  ])
  port1.close()
})

test('QUE-001: what was asked in the turn in which the store is closed is written and answered', async () => {
  const folder = tempFolder()
  const engine = await openSqlite(folder)
  await engine.directory.put('alice@example.net', 'secret')
  const { id } = (await engine.directory.find('alice@example.net'))!
  const written = engine.store.write(id, [{ op: 'create', name: 'Kept' }])
  const closed = engine.close()
  expect(await written).toHaveLength(1)
  await closed
  const again = await openSqlite(folder)
  const kept = await again.store.read(id, (view) => view.mailbox('Kept'))
  expect(kept?.name).toBe('Kept')
  await again.close()
})
