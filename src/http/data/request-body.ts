import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ErrorCode, type Refusal, refuse } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'

/**
 * Bodies of requests that may have one. The framework's own reading would begin before a token has verified, and knows
 * nothing of a listener that answers broken requests itself.
 */
export interface RequestBodies {
  /** All bytes; a refusal where they are too many, don't come or are no HTTP. What is left is dropped as it comes. */
  read(request: IncomingMessage, response: ServerResponse): Promise<Uint8Array | Refusal>
  /** What still comes of a request that has its answer is dropped; beyond what that is worth the connection ends. */
  drop(request: IncomingMessage): void
  /** Says that no more will come: what came is no HTTP, or too late. */
  fail(request: IncomingMessage, code: ErrorCode): void
}

const tooLarge = refuse(
  'batch-too-large',
  `the body must be at most ${limits.batchBodyBytesMax} bytes; ask for fewer units at once`,
)
const incomplete = refuse('request-malformed', 'the body did not come whole')
const broken = refuse('request-malformed', 'the body can not be parsed as HTTP/1.1')
const late = refuse('request-timeout', 'the request did not arrive in time')

export function createRequestBodies(): RequestBodies {
  /** Also before anybody asks for the body. */
  const failures = new WeakMap<IncomingMessage, Refusal>()
  const waiting = new WeakMap<IncomingMessage, (refusal: Refusal) => void>()

  return {
    async read(request, response) {
      const failure = failures.get(request)
      if (failure !== undefined) return failure
      if (request.destroyed) return incomplete
      if (Number(request.headers['content-length'] ?? 0) > limits.batchBodyBytesMax) return tooLarge
      if (awaitsContinue(request)) response.writeContinue()
      return new Promise((resolve) => {
        const pieces: Buffer[] = []
        let bytes = 0
        waiting.set(request, resolve)
        request.on('data', (piece: Buffer) => {
          bytes += piece.length
          if (bytes <= limits.batchBodyBytesMax) {
            pieces.push(piece)
            return
          }
          pieces.length = 0
          resolve(tooLarge)
        })
        request.on('end', () => resolve(Buffer.concat(pieces)))
        request.on('error', () => resolve(incomplete))
        request.on('close', () => resolve(incomplete))
      })
    },
    drop(request) {
      let bytes = 0
      // Before Node does: what it drops by itself nobody can count.
      request.on('data', (piece: Buffer) => {
        bytes += piece.length
        if (bytes > limits.batchBodyBytesDroppedMax) request.socket.destroy()
      })
    },
    fail(request, code) {
      const failure = code === 'request-timeout' ? late : broken
      failures.set(request, failure)
      waiting.get(request)?.(failure)
    },
  }
}

/** Such a client sends its body only when it is told to (RFC 9110, 10.1.1). */
export function awaitsContinue({ headers, httpVersionMinor }: IncomingMessage): boolean {
  return httpVersionMinor > 0 && /(?:^|\W)100-continue(?:$|\W)/i.test(headers.expect ?? '')
}
