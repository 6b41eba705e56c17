import type { IncomingMessage } from 'node:http'
import { limits } from '../../domain/limits.ts'

/**
 * Lets pages of other origins read answers (the Fetch standard's CORS protocol). Never with credentials: tokens travel
 * in `Authorization`, which a page sets itself.
 */
export interface Cors {
  /** Adds what lets this origin read the answer; `headers` holds names and values in turn, and is changed. */
  expose(headers: string[], origin: string | undefined): void
  /** Adds what a preflight asks for, which comes before every request with a token. */
  allow(headers: string[], origin: string | undefined): void
}

/** @param origins as browsers write them (`https://game.example`), or `*` alone; null where there are none */
export function createCors(origins: readonly string[]): Cors | null {
  if (origins.length === 0) return null
  const anyone = origins.includes('*')
  const allowed = new Set(origins)

  function add(headers: string[], origin: string | undefined, fields: readonly string[]): void {
    if (anyone) {
      headers.push('Access-Control-Allow-Origin', '*', ...fields)
      return
    }
    // Also where this origin is refused, or there is none: a cache must not hand the answer to another one.
    addToVary(headers, 'Origin')
    if (origin !== undefined && allowed.has(origin))
      headers.push('Access-Control-Allow-Origin', origin, ...fields)
  }

  return {
    expose: (headers, origin) => add(headers, origin, exposed),
    allow: (headers, origin) => add(headers, origin, preflight),
  }
}

export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  )
}

/** What an allowed origin's answers carry, and what its preflights do. */
export const corsHeaders = {
  exposed: { 'Access-Control-Expose-Headers': 'ETag, Recgate, Retry-After' },
  preflight: {
    'Access-Control-Allow-Methods': 'GET, HEAD',
    'Access-Control-Allow-Headers': 'Authorization, Accept, If-None-Match, Recgate-Deadline-Ms, traceparent',
    'Access-Control-Max-Age': String(limits.preflightSecondsMax),
  },
} as const

/** As Node writes them: names and values in turn. */
const exposed = Object.entries(corsHeaders.exposed).flat()
const preflight = Object.entries(corsHeaders.preflight).flat()

function addToVary(headers: string[], name: string): void {
  for (let index = 0; index < headers.length; index += 2)
    if (headers[index] === 'Vary') {
      headers[index + 1] += `, ${name}`
      return
    }
  headers.push('Vary', name)
}
