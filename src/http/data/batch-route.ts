import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, isRefusal, type Refusal, refuse } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { batchMediaTypes } from '../../domain/reasons.ts'
import type { Batch } from '../../serving/batch.ts'
import type { ServingMetrics } from '../../serving/ports.ts'
import type { BatchAnswer, BatchItem, createRecommendBatch } from '../../serving/recommend-batch.ts'
import { problemBody, statusOf } from '../problem.ts'
import { createPreferredFormat } from './accept.ts'
import type { AcceptQueue } from './accept-queue.ts'
import { bodyTypeRefusal, readBatchBody } from './batch-body.ts'
import { type FramedItem, frameBatch } from './batch-frame.ts'
import { onceWritten } from './once-written.ts'
import { failed, tooMuch, urlTooLong } from './own-refusals.ts'
import { awaitsContinue, type RequestBodies } from './request-body.ts'
import type { RequestGate } from './request-gate.ts'
import type { Responder } from './respond.ts'

interface BatchRouteServices {
  readonly recommendBatch: ReturnType<typeof createRecommendBatch>
  readonly metrics: ServingMetrics
  readonly gate: RequestGate
  readonly responder: Responder
  readonly bodies: RequestBodies
  readonly arrived: AcceptQueue['arrived']
  readonly logServed: (
    request: FastifyRequest,
    status: number,
    code: ErrorCode | null,
    durationMs: number,
  ) => void
  readonly onUnexpected: (error: Error) => void
}

/** `POST /recommendations/batch`. */
export function createBatchHandler(services: BatchRouteServices) {
  const { recommendBatch, metrics, gate, responder, bodies, arrived, logServed, onUnexpected } = services

  function handleBatch(request: FastifyRequest, reply: FastifyReply): void {
    // Of the body, once it is there: a slow client is not a slow gateway.
    let receivedAt = performance.now()
    arrived(receivedAt)
    if (!gate.enter()) {
      answerBatch(request, reply, tooMuch, receivedAt)
      return
    }
    const leave = (outcome: BatchAnswer | Refusal) => {
      // There is nothing left to do for it; what an answer that nobody reads keeps is memory, and bounded by its place.
      gate.leave()
      try {
        answerBatch(request, reply, outcome, receivedAt)
        if (!isRefusal(outcome)) onceWritten(reply.raw, outcome.leave)
      } catch (error) {
        if (!isRefusal(outcome)) outcome.leave()
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
    async function body(): Promise<Batch | Refusal> {
      if (request.raw.url?.includes('?')) return inUrl
      const refusal = bodyTypeRefusal(headers)
      if (refusal !== null) return refusal
      const bytes = await bodies.read(request.raw, reply.raw)
      receivedAt = performance.now()
      return isRefusal(bytes) ? bytes : readBatchBody(bytes, receivedAt)
    }
    recommendBatch({
      authorization: headers.authorization,
      format: () => preferredFormat(headers.accept),
      body,
      deadlineMs: headers['recgate-deadline-ms'] as string | undefined,
    }).then(leave, (error: Error) => {
      onUnexpected(error)
      leave(failed)
    })
  }

  function answerBatch(
    request: FastifyRequest,
    reply: FastifyReply,
    outcome: BatchAnswer | Refusal,
    receivedAt: number,
  ): void {
    reply.hijack()
    if (isRefusal(outcome)) {
      const { refused: code, detail, tenantId } = outcome
      // Whether its body follows is not known now, and a body could be taken for a request.
      if (!request.raw.complete && awaitsContinue(request.raw)) reply.raw.shouldKeepAlive = false
      if (!request.raw.complete) bodies.drop(request.raw)
      responder.sendProblem(reply.raw, code, detail)
      const durationMs = performance.now() - receivedAt
      metrics.batchRefused({ code, status: statusOf[code], tenantId, durationMs })
      logServed(request, statusOf[code], code, durationMs)
      return
    }
    const { model, format, items } = outcome
    const body = format === 'json' ? jsonOf(items) : frameBatch(items.map(framedItem))
    responder.sendUncached(reply.raw, 200, batchMediaTypes[format], body)
    const durationMs = performance.now() - receivedAt
    const units = items.map((item) =>
      isRefusal(item) ? { status: statusOf[item.refused] } : item.recommendation,
    )
    metrics.batchAnswered({ model, format, units, durationMs })
    logServed(request, 200, null, durationMs)
  }

  return { handleBatch, answerBatch }
}

const preferredFormat = createPreferredFormat(batchMediaTypes)

const inUrl = refuse('parameter-unknown', 'a batch takes no parameters in its URL; they stand in the body')

/** Each item is the body that a request of the unit's own would get. */
function jsonOf(items: readonly BatchItem[]): string {
  const texts = items.map((item) =>
    isRefusal(item) ? problemBody(item.refused, item.detail) : (item.representation as string),
  )
  return `{"items":[${texts.join(',')}]}`
}

function framedItem(item: BatchItem): FramedItem {
  if (isRefusal(item))
    return { status: statusOf[item.refused], version: '', word: item.refused, body: item.detail }
  const { version, reason } = item.recommendation
  return { status: 200, version: version.id, word: reason, body: item.representation }
}
