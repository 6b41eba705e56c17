import type { ServerResponse } from 'node:http'
import type { ErrorCode } from '../../domain/errors.ts'
import type { Representation } from '../../serving/represent.ts'
import { problemBody, problemHeaders, statusOf } from '../problem.ts'

export interface Responder {
  sendRepresentation(response: ServerResponse, status: 200 | 304, representation: Representation): void
  sendProblem(response: ServerResponse, code: ErrorCode, detail: string): void
  sendText(response: ServerResponse, status: number, text: string): void
  sendEmpty(response: ServerResponse, status: number, headers: readonly string[]): void
}

/** Writes answers with as few header bytes as HTTP allows. */
export function createResponder(isDraining: () => boolean): Responder {
  function send(
    response: ServerResponse,
    status: number,
    headers: string[],
    body: string | Uint8Array | undefined,
  ): void {
    // The client has gone; there is nobody to write to.
    if (response.destroyed) return
    if (isDraining()) headers.push('Connection', 'close')
    // HTTP/1.1 keeps connections open by default; saying so would cost 53 bytes an answer.
    else if (response.shouldKeepAlive && response.req.httpVersionMinor >= 1)
      response.removeHeader('Connection')
    response.writeHead(status, headers)
    response.end(body)
  }

  return {
    sendRepresentation(response, status, { headers, etag, body }) {
      if (status === 304) send(response, status, [...headers.slice(2), 'ETag', etag], undefined)
      else send(response, status, [...headers, 'ETag', etag, 'Content-Length', lengthOf(body)], body)
    },
    sendProblem(response, code, detail) {
      const body = problemBody(code, detail)
      send(response, statusOf[code], [...problemHeaders(code), 'Content-Length', lengthOf(body)], body)
    },
    sendText(response, status, text) {
      const headers = [
        'Content-Type',
        'text/plain',
        'Cache-Control',
        'no-store',
        'Content-Length',
        lengthOf(text),
      ]
      send(response, status, headers, text)
    },
    sendEmpty(response, status, headers) {
      send(response, status, [...headers], undefined)
    },
  }
}

function lengthOf(body: string | Uint8Array): string {
  return String(Buffer.byteLength(body))
}

/** Weak comparison with a list of entity tags (RFC 9110, 13.1.2). Ours never hold a comma. */
export function entityTagMatches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch === etag || ifNoneMatch === '*') return true
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
