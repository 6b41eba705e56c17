import type { IncomingMessage } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type ErrorCode, isRefusal, type Refusal } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import type { Query } from '../../serving/find-model.ts'
import type { ServingMetrics } from '../../serving/ports.ts'
import type { createRecommend } from '../../serving/recommend.ts'
import type { createRecommendBatch } from '../../serving/recommend-batch.ts'
import type { Representation } from '../../serving/represent.ts'
import type { Answer } from '../../serving/represent-or-fall.ts'
import { allowedMethods, statusOf } from '../problem.ts'
import { preferredFormat } from './accept.ts'
import { createAcceptQueue } from './accept-queue.ts'
import { notJson } from './batch-body.ts'
import { createBatchHandler } from './batch-route.ts'
import { refuseOnSocket } from './broken-request.ts'
import { createCors } from './cors.ts'
import { createListener, type ListenerBounds } from './listener.ts'
import { failed, tooMuch, urlTooLong } from './own-refusals.ts'
import { createRequestBodies } from './request-body.ts'
import type { RequestGate } from './request-gate.ts'
import { clientOf, loggedPath, type RequestLog, type ServedRequest } from './request-log.ts'
import { createResponder, entityTagMatches, type Responder } from './respond.ts'

export interface DataPlaneServices {
  readonly recommend: ReturnType<typeof createRecommend>
  readonly recommendBatch: ReturnType<typeof createRecommendBatch>
  readonly metrics: ServingMetrics
  readonly gate: RequestGate
  readonly isDraining: () => boolean
  /** Null where nobody reads it. */
  readonly requestLog: RequestLog | null
  /** An error that no code foresaw; the client gets a bare 500. */
  readonly onUnexpected: (error: Error) => void
  /** Connections that waited to be accepted were reset. */
  readonly onAcceptQueueFlushed: () => void
}

export interface DataPlaneOptions {
  readonly bounds: ListenerBounds
  /** Whose pages may read answers: origins, or `*` alone. */
  readonly corsOrigins: readonly string[]
  /** Addresses and CIDR ranges of proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxy: readonly string[]
}

/**
 * The public listener: `GET|HEAD|OPTIONS /recommendations` for players, `POST|OPTIONS /recommendations/batch` for game
 * servers, and `GET /healthz` for load balancers.
 */
export function buildDataPlane(services: DataPlaneServices, options: DataPlaneOptions): FastifyInstance {
  const { recommend, recommendBatch, metrics, gate, isDraining, requestLog, onUnexpected } = services
  const cors = createCors(options.corsOrigins)
  const endsConnections = () => isDraining() || acceptQueue.endsConnections()
  const responder = createResponder(endsConnections, cors)
  // No page may hold a token that names any player.
  const batchResponder = createResponder(endsConnections, null)
  const bodies = createRequestBodies()
  const app = fastify({
    logger: false,
    serverFactory: (handle) =>
      createListener(options.bounds, {
        handle,
        refuse(request, response, detail) {
          const { sendProblem } = pathOf(request) === batchPath ? batchResponder : responder
          sendProblem(response, 'request-malformed', detail)
          countUnrouted(request, request.socket.remoteAddress ?? null, 'request-malformed')
        },
        refuseSocket(socket, code, origin) {
          const client = socket.remoteAddress ?? null
          refuseOnSocket(socket, code, { cors, origin })
          countUnrouted(null, client, code)
        },
        takesBody: isBatch,
        failBody: bodies.fail,
      }),
    // The listener has its own.
    clientErrorHandler: () => undefined,
    // The framework's word for it is no problem document, and whatever still arrives can be answered.
    return503OnClosing: false,
    trustProxy: options.trustProxy.length === 0 ? false : [...options.trustProxy],
    frameworkErrors: (_error, request, reply) =>
      refuseNow(request, reply, 'request-malformed', 'the URL can not be decoded'),
  })
  gate.watch(app)
  const acceptQueue = createAcceptQueue(app.server, {
    waitMsMax: options.bounds.turnWaitMsMax,
    onFlush: services.onAcceptQueueFlushed,
  })
  // Or it would open again what is being closed; and a server that listens is closed as any other.
  app.addHook('preClose', () => acceptQueue.release())
  // The framework reads no body: a batch has its own way, and what else is sent with one gets the answer that it would
  // get without.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  app.route({
    method: ['GET', 'HEAD'],
    url: '/recommendations',
    exposeHeadRoute: false,
    handler: handleRecommendation,
  })
  const { answerBatch, handleBatch } = createBatchHandler({
    recommendBatch,
    metrics,
    gate,
    responder: batchResponder,
    bodies,
    arrived: acceptQueue.arrived,
    logServed,
    onUnexpected,
  })
  app.post(batchPath, handleBatch)
  for (const [path, methods] of knownPaths)
    app.options(path, (request, reply) => {
      reply.hijack()
      responderOf(request).sendOptions(reply.raw, methods)
      logServed(request, 204, null, 0)
    })
  app.get('/healthz', (request, reply) => {
    reply.hijack()
    const [status, text] = isDraining() ? [503, 'draining'] : [200, 'up']
    responder.sendUncached(reply.raw, status, 'text/plain', text)
    logServed(request, status, null, 0)
  })
  app.setNotFoundHandler(refuseUnrouted)
  app.setErrorHandler((error, request, reply) => {
    const { statusCode } = error as { statusCode?: number }
    // The framework looks at a body's type before it says that nothing takes one.
    if (request.is404) return refuseUnrouted(request, reply)
    if (statusCode === 415 && isBatch(request.raw))
      return answerBatch(request, reply, notJson, performance.now())
    if (statusCode !== undefined && statusCode < 500)
      return refuseNow(
        request,
        reply,
        'request-malformed',
        'the request can not be read; it must be a GET without a body',
      )
    onUnexpected(error as Error)
    return refuseNow(request, reply, 'internal', 'the gateway failed; it has been noted')
  })

  // Fastify's own reply costs more than the rest of the request; the response is written straight to Node's.
  function handleRecommendation(request: FastifyRequest, reply: FastifyReply): void {
    reply.hijack()
    const receivedAt = performance.now()
    acceptQueue.arrived(receivedAt)
    if (!gate.enter()) {
      answer(request, reply, tooMuch, receivedAt)
      return
    }
    const leave = (outcome: Answer<Representation> | Refusal) => {
      gate.leave()
      try {
        answer(request, reply, outcome, receivedAt)
      } catch (error) {
        // Not even an answer could be written; the client must not wait for one.
        onUnexpected(error as Error)
        reply.raw.destroy()
      }
    }
    if ((request.raw.url ?? '').length > limits.urlBytesMax) {
      leave(urlTooLong)
      return
    }
    const { headers } = request.raw
    recommend({
      authorization: headers.authorization,
      query: request.query as Query,
      format: () => preferredFormat(headers.accept),
      // A text also where it was sent twice: the listener joins such headers.
      deadlineMs: headers['recgate-deadline-ms'] as string | undefined,
      receivedAt,
    }).then(leave, (error: Error) => {
      onUnexpected(error)
      leave(failed)
    })
  }

  function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    outcome: Answer<Representation> | Refusal,
    receivedAt: number,
  ): void {
    if (isRefusal(outcome)) {
      const { refused: code, detail, tenantId } = outcome
      responder.sendProblem(reply.raw, code, detail)
      const durationMs = performance.now() - receivedAt
      metrics.refused({ code, status: statusOf[code], tenantId, durationMs })
      logServed(request, statusOf[code], code, durationMs)
      return
    }
    const { recommendation, representation } = outcome
    const { version, reason, cause } = recommendation
    const status = entityTagMatches(request.raw.headers['if-none-match'], representation.etag) ? 304 : 200
    responder.sendRepresentation(reply.raw, status, representation)
    const durationMs = performance.now() - receivedAt
    metrics.answered({ version, reason, cause, format: representation.format, status, durationMs })
    logServed(request, status, null, durationMs)
  }

  function refuseUnrouted(request: FastifyRequest, reply: FastifyReply): void {
    const url = request.raw.url ?? ''
    const methods = knownPaths.get(pathOf(request.raw))
    if (url.length > limits.urlBytesMax) refuseNow(request, reply, urlTooLong.refused, urlTooLong.detail)
    else if (methods !== undefined)
      refuseNow(request, reply, 'method-not-allowed', `this path takes ${methods}`)
    else refuseNow(request, reply, 'path-not-found', 'there is nothing at this path')
  }

  function refuseNow(request: FastifyRequest, reply: FastifyReply, code: ErrorCode, detail: string): void {
    reply.hijack()
    responderOf(request).sendProblem(reply.raw, code, detail, knownPaths.get(pathOf(request.raw)))
    countUnrouted(request.raw, requestLog === null ? null : clientOf(request), code)
  }

  function responderOf({ raw }: FastifyRequest): Responder {
    return pathOf(raw) === batchPath ? batchResponder : responder
  }

  /** @param request null where it never became one */
  function countUnrouted(request: IncomingMessage | null, client: string | null, code: ErrorCode): void {
    metrics.refused({ code, status: statusOf[code], tenantId: null, durationMs: 0 })
    requestLog?.(servedRequest(request, client, statusOf[code], code, 0))
  }

  function logServed(
    request: FastifyRequest,
    status: number,
    code: ErrorCode | null,
    durationMs: number,
  ): void {
    if (requestLog === null) return
    requestLog(servedRequest(request.raw, clientOf(request), status, code, durationMs))
  }

  return app
}

const batchPath = '/recommendations/batch'

/** With the methods that each takes. */
const knownPaths: ReadonlyMap<string, string> = new Map([
  ['/recommendations', allowedMethods],
  ['/healthz', allowedMethods],
  [batchPath, 'POST, OPTIONS'],
])

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? ''
}

function isBatch(request: IncomingMessage): boolean {
  return request.method === 'POST' && pathOf(request) === batchPath
}

function servedRequest(
  request: IncomingMessage | null,
  client: string | null,
  status: number,
  code: ErrorCode | null,
  durationMs: number,
): ServedRequest {
  const path = request === null ? null : loggedPath(request.url ?? '', knownPaths)
  return { client, method: request?.method ?? null, path, status, code, durationMs }
}
