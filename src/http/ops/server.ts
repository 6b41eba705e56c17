import fastify, { type FastifyInstance } from 'fastify'
import { problemBody, statusOf } from '../problem.ts'

interface Readiness {
  readonly ready: boolean
  /** For people: engine, tenants, what is broken. */
  readonly detail: Readonly<Record<string, unknown>>
}

export interface OpsPlaneServices {
  readonly readiness: () => Readiness
  /** The exposition text and its content type. */
  readonly scrape: () => Promise<{ readonly contentType: string; readonly text: string }>
}

/** The operators' listener, never in an ingress: liveness, readiness, metrics. */
export function buildOpsPlane({ readiness, scrape }: OpsPlaneServices): FastifyInstance {
  const app = fastify({ logger: false })
  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(statusOf['path-not-found'])
      .type('application/problem+json')
      .send(problemBody('path-not-found', 'there is nothing at this path')),
  )
  // Answering proves that the process turns, which is all that liveness asks.
  app.get('/healthz', async () => ({ status: 'up' }))
  app.get('/readyz', async (_request, reply) => {
    const { ready, detail } = readiness()
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'unready', ...detail })
  })
  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await scrape()
    return reply.header('Content-Type', contentType).send(text)
  })
  return app
}
