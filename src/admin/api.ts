/**
 * The operations over HTTP, for the command line beside a running gateway. A caller shows the token that the gateway
 * left in its store folder: whoever may read that folder is the operator, and no web page or other user is.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { asFault, Fault, type FaultKind } from '../model/fault.ts'
import type { Operations } from './operations.ts'

const httpStatusOf: Readonly<Record<FaultKind, number>> = {
  malformed: 400,
  unsupported: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  exists: 409,
  'in-use': 409,
  'has-children': 409,
  'too-large': 413,
  'content-refused': 422,
  'over-quota': 507,
  limit: 409,
  unavailable: 503,
  bug: 500,
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

export function mountApi(
  app: FastifyInstance,
  operations: Operations,
  token: string,
  log: (level: 'info' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void,
): void {
  app.register(async (api) => {
    api.addHook('onRequest', async (request) => {
      const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
      if (!timingSafeEqual(digest(given), digest(token)))
        throw new Fault('unauthenticated', 'the token of the store folder is expected')
    })
    // What an operator changes is on record (QUE-054).
    api.addHook('onResponse', async (request, reply) => {
      if (request.method === 'GET') return
      const { id, address } = request.params as { id?: string; address?: string }
      log('info', 'operator', {
        operation: `${request.method} ${request.routeOptions.url ?? ''}`,
        ...(id === undefined ? {} : { queueId: id }),
        address: address ?? textOf(request.body, 'address'),
        status: reply.statusCode,
      })
    })
    api.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
      const fault = error.statusCode === undefined ? asFault(error) : new Fault('malformed', error.message)
      if (fault.kind === 'bug') log('error', 'an operation failed', { error: String(error) })
      return reply.code(httpStatusOf[fault.kind]).send({ kind: fault.kind, message: fault.message })
    })

    api.get<{ Querystring: { all?: string; limit?: string } }>('/api/queue', async ({ query }) =>
      operations.queue({ all: query.all === '1', limit: Math.min(Number(query.limit) || 1000, 10_000) }),
    )
    api.get<{ Params: { id: string } }>('/api/queue/:id', async ({ params }) =>
      operations.queueEntry(params.id),
    )
    api.post<{ Params: { id: string } }>('/api/queue/:id/retry', async ({ params }) => {
      await operations.retry(params.id)
      return {}
    })
    api.post<{ Params: { id: string }; Body: unknown }>('/api/queue/:id/bounce', async (request) => ({
      recipients: await operations.bounce(request.params.id, textOf(request.body, 'reason')),
    }))
    api.post<{ Params: { id: string }; Body: unknown }>('/api/queue/:id/hold', async (request) => ({
      deliveries: await operations.hold(request.params.id, textOf(request.body, 'reason')),
    }))
    api.post<{ Params: { id: string } }>('/api/queue/:id/release', async ({ params }) => ({
      deliveries: await operations.release(params.id),
    }))
    api.post<{ Params: { id: string }; Body: unknown }>('/api/queue/:id/cancel', async (request) => ({
      recipients: await operations.cancel(request.params.id, textOf(request.body, 'reason')),
    }))
    api.post<{ Params: { id: string }; Body: unknown }>('/api/queue/:id/withdraw', async (request) => ({
      recipients: await operations.withdraw(textOf(request.body, 'submitter'), request.params.id),
    }))
    api.post<{ Params: { id: string } }>('/api/queue/:id/requeue', async ({ params }) =>
      operations.requeue(params.id),
    )
    api.post<{ Body: unknown }>('/api/erase', async ({ body }) => ({
      records: await operations.erase(textOf(body, 'number')),
    }))
    api.get('/api/accounts', async () => operations.accounts())
    api.post<{ Body: unknown }>('/api/accounts', async ({ body }) => {
      await operations.addAccount(textOf(body, 'address'), passwordOf(body))
      return {}
    })
    api.put<{ Params: { address: string }; Body: unknown }>(
      '/api/accounts/:address/password',
      async ({ params, body }) => {
        await operations.setPassword(params.address, passwordOf(body))
        return {}
      },
    )
    api.get<{ Params: { address: string } }>('/api/accounts/:address/quota', async ({ params }) =>
      operations.quota(params.address),
    )
    api.put<{ Params: { address: string }; Body: unknown }>(
      '/api/accounts/:address/quota',
      async ({ params, body }) => {
        await operations.setQuota(params.address, {
          octets: limitOf(body, 'octets'),
          messages: limitOf(body, 'messages'),
        })
        return {}
      },
    )
    api.get<{ Params: { address: string } }>('/api/accounts/:address/tokens', async ({ params }) =>
      operations.tokens(params.address),
    )
    api.delete<{ Params: { address: string }; Querystring: { client?: string } }>(
      '/api/accounts/:address/tokens',
      async ({ params, query }) => ({ ended: await operations.revokeTokens(params.address, query.client) }),
    )
    api.delete<{ Params: { address: string } }>('/api/accounts/:address', async ({ params }) => {
      await operations.removeAccount(params.address)
      return {}
    })
  })
}

const textOf = (body: unknown, name: string): string => {
  const value = (body as Record<string, unknown> | null | undefined)?.[name]
  return typeof value === 'string' ? value : ''
}

/** @throws Fault 'malformed' for what is no whole number */
function limitOf(body: unknown, name: string): number | undefined {
  const value = (body as Record<string, unknown> | null | undefined)?.[name]
  if (value === undefined) return undefined
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new Fault('malformed', `${name}: a whole number is expected`)
  return value as number
}

function passwordOf(body: unknown): string {
  const password = textOf(body, 'password')
  if (password === '') throw new Fault('malformed', 'a password is expected')
  return password
}
