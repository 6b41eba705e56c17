import type { ServerResponse } from 'node:http'
import { contentLengthIndex } from '../../domain/answer-head.ts'
import type { ErrorCode } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import type { Representation } from '../../serving/represent.ts'
import { problemBody, problemHeaders, statusOf } from '../problem.ts'
import { type Cors, isPreflight } from './cors.ts'

export interface Responder {
  sendRepresentation(response: ServerResponse, status: 200 | 304, representation: Representation): void
  /** `allowed` are the path's methods, which a refused one is told. */
  sendProblem(response: ServerResponse, code: ErrorCode, detail: string, allowed?: string): void
  /** What no cache may keep. */
  sendUncached(response: ServerResponse, status: number, mediaType: string, body: string | Uint8Array): void
  /** Answers OPTIONS, a preflight among them. */
  sendOptions(response: ServerResponse, allowed: string): void
}

/**
 * Writes answers with as few header bytes as HTTP allows.
 *
 * @param endsConnections asked for each answer: whether it is the last of its connection
 * @param cors null where no other origin may read them
 */
export function createResponder(endsConnections: () => boolean, cors: Cors | null): Responder {
  function send(response: ServerResponse, status: number, headers: string[], body: Body): void {
    // The client has gone; there is nobody to write to.
    if (response.destroyed) return
    if (cors !== null) {
      const { req: request } = response
      if (isPreflight(request)) cors.allow(headers, request.headers.origin)
      else cors.expose(headers, request.headers.origin)
    }
    if (endsConnections()) headers.push('Connection', 'close')
    // HTTP/1.1 keeps connections open by default; saying so would cost 53 bytes an answer.
    else if (response.shouldKeepAlive && response.req.httpVersionMinor >= 1)
      response.removeHeader('Connection')
    response.writeHead(status, headers)
    response.end(body.text, body.encoding)
    boundUnread(response)
  }

  function sendBody(response: ServerResponse, status: number, headers: string[], body: Body): void {
    headers.push('Content-Length', String(body.bytes))
    send(response, status, headers, body)
  }

  return {
    sendRepresentation(response, status, representation) {
      const { headers } = representation
      if (status === 304) {
        // Neither Content-Type, which stands first, nor Content-Length, which stands last.
        send(response, status, headers.slice(2, contentLengthIndex - 1), noBody)
        return
      }
      const body = bodyOf(representation.body)
      headers[contentLengthIndex] = String(body.bytes)
      send(response, status, headers, body)
    },
    sendProblem(response, code, detail, allowed) {
      sendBody(response, statusOf[code], [...problemHeaders(code, allowed)], bodyOfProblem(code, detail))
    },
    sendUncached(response, status, mediaType, body) {
      sendBody(response, status, ['Content-Type', mediaType, 'Cache-Control', 'no-store'], bodyOf(body))
    },
    sendOptions(response, allowed) {
      send(response, 204, ['Allow', allowed], noBody)
    },
  }
}

/**
 * Lets Node cut a client that asks and never reads. Only where the kernel takes no more, or where answers before this
 * one are due: a time-out on every connection would cost every request a timer.
 */
function boundUnread({ socket, req: request }: ServerResponse): void {
  if (socket === null || socket.writableLength > 0) request.socket.setTimeout(limits.unreadMsMax)
}

/**
 * Always a text: Node sends head and body in one write where the body is one, and in two chunks where it is bytes.
 */
interface Body {
  readonly text: string
  readonly encoding: 'latin1' | 'utf8'
  readonly bytes: number
}

/** Of refusals that come in masses when there is too much to do; their words are always the same. */
const kept = new Map<string, { readonly code: ErrorCode; readonly body: Body }>()

function bodyOfProblem(code: ErrorCode, detail: string): Body {
  const known = kept.get(detail)
  if (known?.code === code) return known.body
  const body = bodyOf(problemBody(code, detail))
  const status = statusOf[code]
  if ((status === 429 || status === 503) && kept.size < limits.refusalsKeptMax)
    kept.set(detail, { code, body })
  return body
}

const noBody: Body = { text: '', encoding: 'latin1', bytes: 0 }

function bodyOf(body: string | Uint8Array): Body {
  if (typeof body === 'string') {
    const bytes = Buffer.byteLength(body)
    // Plain ASCII, as nearly all JSON is, needs no transcoding.
    return { text: body, encoding: bytes === body.length ? 'latin1' : 'utf8', bytes }
  }
  // Rows come from Redis as Buffers already.
  const bytes = body instanceof Buffer ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const text = bytes.toString('latin1')
  return { text, encoding: 'latin1', bytes: body.byteLength }
}

/** Weak comparison with a list of entity tags (RFC 9110, 13.1.2). Ours never hold a comma. */
export function entityTagMatches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch === etag || ifNoneMatch === '*') return true
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
