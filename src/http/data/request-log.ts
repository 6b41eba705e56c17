import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { ErrorCode } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'

/** One answered request, for the log: never a token, never a query's value. Method and path are null where the parser gave up. */
export interface ServedRequest {
  /** As the trusted proxies say, else the peer's address; null where the peer has gone. */
  readonly client: string | null
  readonly method: string | null
  /** Without the query. */
  readonly path: string | null
  readonly status: number
  /** Null where it wasn't refused. */
  readonly code: ErrorCode | null
  readonly durationMs: number
}

export type RequestLog = (served: ServedRequest) => void

/** The address that the outermost trusted proxy saw; what stands in `X-Forwarded-For` beyond is the client's to invent. */
export function clientOf(request: FastifyRequest): string | null {
  // Proxies may write names or ports there; what isn't an address isn't logged.
  if (isIP(request.ip) !== 0) return request.ip
  return request.raw.socket.remoteAddress ?? null
}

/** A path that isn't known may be anything, and is cut. */
export function loggedPath(url: string, known: { has(path: string): boolean }): string {
  const path = url.split(/[?#]/, 1)[0] ?? ''
  if (known.has(path) || path.length <= limits.loggedPathCharactersMax) return path
  return `${path.slice(0, limits.loggedPathCharactersMax)}…`
}
