/** Admin HTTP: liveness, readiness, Prometheus metrics, and the operator's API. Loopback by default. */
import fastify from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Spool } from '../queue/spool.ts'
import { mountApi } from './api.ts'
import type { Operations } from './operations.ts'

export interface Metrics {
  readonly registry: Registry
  /** Messages accepted, by carrier. */
  accepted(carrier: 'mm7' | 'smtp' | 'submission'): void
  /** Recipients settled, by target kind and state. */
  settled(target: string, state: string): void
}

/** What was counted is not counted again so soon. Milliseconds. */
const statsMs = 500

export function createMetrics(
  spool: Pick<Spool, 'stats'>,
  now: () => number,
  isFull: () => boolean,
): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  /** One look at the queue for all that is told of it in one answer. */
  let looked: { readonly at: number; readonly stats: ReturnType<Spool['stats']> } | undefined
  const stats = (): ReturnType<Spool['stats']> => {
    if (looked === undefined || performance.now() - looked.at > statsMs)
      looked = { at: performance.now(), stats: spool.stats() }
    return looked.stats
  }
  const accepted = new Counter({
    name: 'lemonade_accepted_total',
    help: 'Messages accepted, durable on disk',
    labelNames: ['carrier'],
    registers: [registry],
  })
  const settled = new Counter({
    name: 'lemonade_recipients_total',
    help: 'Recipients by target kind and the state that an attempt left them in',
    labelNames: ['target', 'state'],
    registers: [registry],
  })
  new Gauge({
    name: 'lemonade_queue_entries',
    help: 'Queue entries with an unsettled recipient',
    registers: [registry],
    async collect() {
      this.set((await stats()).entries)
    },
  })
  new Gauge({
    name: 'lemonade_queue_due',
    help: 'Deliveries that are due and not under way',
    registers: [registry],
    async collect() {
      this.set((await stats()).due)
    },
  })
  new Gauge({
    name: 'lemonade_queue_oldest_seconds',
    help: 'Age of the oldest entry with an unsettled recipient',
    registers: [registry],
    async collect() {
      const { oldest } = await stats()
      this.set(oldest === undefined ? 0 : Math.max(0, (now() - oldest) / 1000))
    },
  })
  new Gauge({
    name: 'lemonade_queue_held',
    help: 'Deliveries that wait for the operator: held by her, or dead letters, whose outcome could not be written',
    labelNames: ['by'],
    registers: [registry],
    async collect() {
      const { held, deadLetters } = await stats()
      this.set({ by: 'operator' }, held)
      this.set({ by: 'dead-letter' }, deadLetters)
    },
  })
  new Gauge({
    name: 'lemonade_queue_full',
    help: '1 while no new mail is taken: the queue, or the disk, is over its mark',
    registers: [registry],
    collect() {
      this.set(isFull() ? 1 : 0)
    },
  })
  return {
    registry,
    accepted: (carrier) => accepted.inc({ carrier }),
    settled: (target, state) => settled.inc({ target, state }),
  }
}

export async function startAdmin(
  options: {
    readonly metrics: Metrics
    readonly ready: () => boolean
    /** What keeps the gateway from working, in words; undefined: nothing. */
    readonly problem: () => string | undefined
    readonly operations: Operations
    /** What a caller of the API must show. */
    readonly token: string
    readonly log: (
      level: 'info' | 'error',
      message: string,
      fields?: Readonly<Record<string, unknown>>,
    ) => void
  },
  host: string,
  port: number,
): Promise<{ host: string; port: number; close(): Promise<void> }> {
  const app = fastify({ bodyLimit: 65_536, forceCloseConnections: true })
  app.server.maxConnections = 100
  mountApi(app, options.operations, options.token, options.log)
  app.get('/healthz', async (_request, reply) => {
    const problem = options.problem()
    return problem === undefined ? { status: 'ok' } : reply.code(503).send({ status: 'failed', problem })
  })
  app.get('/readyz', async (_request, reply) => {
    const problem = options.problem()
    if (problem !== undefined) return reply.code(503).send({ status: 'failed', problem })
    return options.ready() ? { status: 'ready' } : reply.code(503).send({ status: 'draining' })
  })
  app.get('/metrics', async (_request, reply) =>
    reply.type(options.metrics.registry.contentType).send(await options.metrics.registry.metrics()),
  )
  await app.listen({ host, port })
  const address = app.server.address()
  return {
    host,
    port: typeof address === 'object' && address ? address.port : port,
    close: () => app.close(),
  }
}
