import type { IncomingMessage } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type ErrorCode, isRefusal, type Refusal, refuse } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import type { Query } from '../../serving/find-model.ts'
import type { ServingMetrics } from '../../serving/ports.ts'
import type { Answer, createRecommend } from '../../serving/recommend.ts'
import { statusOf } from '../problem.ts'
import { preferredFormat } from './accept.ts'
import { refuseBrokenRequest } from './broken-request.ts'
import { createResponder, entityTagMatches } from './respond.ts'

export interface DataPlaneServices {
  readonly recommend: ReturnType<typeof createRecommend>
  readonly metrics: ServingMetrics
  readonly isDraining: () => boolean
  /** An error that no code foresaw; the client gets a bare 500. */
  readonly onUnexpected: (error: Error) => void
}

const allowedMethods = 'GET, HEAD, OPTIONS'

/** The public listener: `GET|HEAD|OPTIONS /recommendations`, and `GET /healthz` for load balancers. */
export function buildDataPlane(services: DataPlaneServices): FastifyInstance {
  const { recommend, metrics, isDraining, onUnexpected } = services
  const responder = createResponder(isDraining)
  const app = fastify({
    logger: false,
    http: { maxHeaderSize: limits.headerBytesMax, headersTimeout: 10_000 },
    requestTimeout: 10_000,
    keepAliveTimeout: 75_000,
    // A body is never read; the framework needs a bound above 0.
    bodyLimit: 1,
    clientErrorHandler: (error, socket) => {
      const code = refuseBrokenRequest(error, socket)
      if (code !== null) countUnrouted(code)
    },
    frameworkErrors: (_error, _request, reply) =>
      refuseNow(reply, 'request-malformed', 'the URL can not be decoded'),
  })

  app.route({
    method: ['GET', 'HEAD'],
    url: '/recommendations',
    exposeHeadRoute: false,
    handler: handleRecommendation,
  })
  for (const path of knownPaths)
    app.options(path, (_request, reply) => {
      reply.hijack()
      responder.sendEmpty(reply.raw, 204, ['Allow', allowedMethods])
    })
  app.get('/healthz', (_request, reply) => {
    reply.hijack()
    const [status, text] = isDraining() ? [503, 'draining'] : [200, 'up']
    responder.sendText(reply.raw, status, text)
  })
  app.setNotFoundHandler(refuseUnrouted)
  app.setErrorHandler((error, request, reply) => {
    const { statusCode } = error as { statusCode?: number }
    // The framework looks at a body before it says that nothing takes one.
    if (request.is404) return refuseUnrouted(request, reply)
    if (statusCode !== undefined && statusCode < 500)
      return refuseNow(
        reply,
        'request-malformed',
        'the request can not be read; it must be a GET without a body',
      )
    onUnexpected(error as Error)
    return refuseNow(reply, 'internal', 'the gateway failed; it has been noted')
  })

  // Fastify's own reply costs more than the rest of the request; the response is written straight to Node's.
  function handleRecommendation(request: FastifyRequest, reply: FastifyReply): void {
    reply.hijack()
    const receivedAt = performance.now()
    if ((request.raw.url ?? '').length > limits.urlBytesMax) {
      answer(request.raw, reply, urlTooLong, receivedAt)
      return
    }
    const { headers } = request.raw
    recommend({
      authorization: headers.authorization,
      query: request.query as Query,
      format: preferredFormat(headers.accept),
      deadlineMs: headers['recgate-deadline-ms'] as string | undefined,
      receivedAt,
    })
      .then(
        (outcome) => answer(request.raw, reply, outcome, receivedAt),
        (error: Error) => {
          onUnexpected(error)
          answer(request.raw, reply, failed, receivedAt)
        },
      )
      .catch((error: Error) => {
        // Not even an answer could be written; the client must not wait for one.
        onUnexpected(error)
        reply.raw.destroy()
      })
  }

  function answer(
    request: IncomingMessage,
    reply: FastifyReply,
    outcome: Answer | Refusal,
    receivedAt: number,
  ): void {
    if (isRefusal(outcome)) {
      const { refused: code, detail, tenantId } = outcome
      responder.sendProblem(reply.raw, code, detail)
      metrics.refused({ code, status: statusOf[code], tenantId, durationMs: performance.now() - receivedAt })
      return
    }
    const { recommendation, representation } = outcome
    const { version, reason, cause } = recommendation
    const status = entityTagMatches(request.headers['if-none-match'], representation.etag) ? 304 : 200
    responder.sendRepresentation(reply.raw, status, representation)
    const durationMs = performance.now() - receivedAt
    metrics.answered({ version, reason, cause, format: representation.format, status, durationMs })
  }

  function refuseUnrouted(request: FastifyRequest, reply: FastifyReply): void {
    const isKnown = knownPaths.has((request.raw.url ?? '').split('?', 1)[0] ?? '')
    if (isKnown) refuseNow(reply, 'method-not-allowed', `this path takes ${allowedMethods}`)
    else refuseNow(reply, 'path-not-found', 'there is nothing at this path')
  }

  function refuseNow(reply: FastifyReply, code: ErrorCode, detail: string): void {
    reply.hijack()
    responder.sendProblem(reply.raw, code, detail)
    countUnrouted(code)
  }

  function countUnrouted(code: ErrorCode): void {
    metrics.refused({ code, status: statusOf[code], tenantId: null, durationMs: 0 })
  }

  return app
}

const knownPaths = new Set(['/recommendations', '/healthz'])

const urlTooLong = refuse('url-too-long', `the URL must be at most ${limits.urlBytesMax} bytes`)
const failed = refuse('internal', 'the gateway failed; it has been noted')
