import { timingSafeEqual } from 'node:crypto'
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { type ErrorCode, FaultsError, UnreachableError } from '../../domain/errors.ts'
import { problemBody, retryAfterSeconds, statusOf } from '../problem.ts'

/** A tenant as the admin plane shows it: JSON-shaped. */
interface TenantView {
  readonly tenant: string
  readonly revision: number
  readonly document: unknown
  readonly tables: readonly unknown[]
}

export interface AdminPlaneServices {
  /** Tenants and the revisions that they stand at. */
  readonly tenants: () => Promise<readonly { readonly tenant: string; readonly revision: number }[]>
  /** Null where there is no such tenant. */
  readonly tenant: (tenantId: string) => Promise<TenantView | null>
  /** Every request must carry it as bearer token; null: the listener is bound to loopback, and open. */
  readonly token: string | null
  /** The data plane's OpenAPI document. */
  readonly openApi: object
  readonly onUnexpected: (error: Error) => void
}

/** The administrators' listener: reads the catalog as it stands in the store, and describes the data plane. */
export function buildAdminPlane({
  tenants,
  tenant,
  token,
  openApi,
  onUnexpected,
}: AdminPlaneServices): FastifyInstance {
  const app = fastify({ logger: false })

  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, 'path-not-found', 'there is nothing at this path'),
  )
  app.setErrorHandler((error, _request, reply) => {
    const { code, detail } = describeError(error as Error)
    // An outage has its line from the connection, and needs none from each request.
    if (code === 'internal') onUnexpected(error as Error)
    if (statusOf[code] === 503) reply.header('Retry-After', String(retryAfterSeconds()))
    return sendProblem(reply, code, detail)
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('Cache-Control', 'no-store')
    if (token === null || presents(request.headers.authorization, token)) return
    reply.header('WWW-Authenticate', 'Bearer')
    return sendProblem(reply, 'token-invalid', 'the admin plane needs its bearer token')
  })

  app.get('/openapi.json', async () => openApi)
  app.get('/api/tenants', async () => ({ tenants: await tenants() }))
  app.get<{ Params: { tenantId: string } }>('/api/tenants/:tenantId', async (request, reply) => {
    const view = await tenant(request.params.tenantId)
    if (view !== null) return view
    return sendProblem(reply, 'path-not-found', 'there is no such tenant')
  })
  return app
}

function sendProblem(reply: FastifyReply, code: ErrorCode, detail: string): FastifyReply {
  return reply.code(statusOf[code]).type('application/problem+json').send(problemBody(code, detail))
}

function describeError(error: Error & { statusCode?: number }): { code: ErrorCode; detail: string } {
  if (error instanceof FaultsError) return { code: 'internal', detail: error.message }
  if (error instanceof UnreachableError)
    return { code: 'store-unavailable', detail: 'the catalog can not be read at the moment' }
  if (error.statusCode !== undefined && error.statusCode < 500)
    return { code: 'request-malformed', detail: 'the request can not be read' }
  return { code: 'internal', detail: 'the gateway has a fault; it has logged it' }
}

function presents(authorization: string | undefined, token: string): boolean {
  const given = Buffer.from(authorization ?? '')
  const expected = Buffer.from(`Bearer ${token}`)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
