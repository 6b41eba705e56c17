import { STATUS_CODES } from 'node:http'
import type { ErrorCode } from '../domain/errors.ts'

/** The one place where a code gets its status. */
export const statusOf = {
  'parameter-invalid': 400,
  'parameter-missing': 400,
  'parameter-repeated': 400,
  'parameter-unknown': 400,
  'model-ambiguous': 400,
  'header-invalid': 400,
  'request-malformed': 400,
  'body-invalid': 400,
  'unit-invalid': 400,
  'token-invalid': 401,
  'token-expired': 401,
  'audience-mismatch': 401,
  'claim-invalid': 401,
  'model-not-allowed': 403,
  'scope-mismatch': 403,
  'record-not-found': 404,
  'path-not-found': 404,
  'method-not-allowed': 405,
  'not-acceptable': 406,
  'request-timeout': 408,
  'batch-too-large': 413,
  'url-too-long': 414,
  'media-type-unsupported': 415,
  'headers-too-large': 431,
  'quota-exceeded': 429,
  busy: 503,
  'store-unavailable': 503,
  internal: 500,
} as const satisfies Record<ErrorCode, number>

/** RFC 9457 problem details; `code` is for machines, `detail` for people. */
export function problemBody(code: ErrorCode, detail: string): string {
  const status = statusOf[code]
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, code, detail })
}

/** Names and values in turn. Made beforehand: refusing must cost less than answering. */
export function problemHeaders(code: ErrorCode, allowed = allowedMethods): readonly string[] {
  const status = statusOf[code]
  if (status === 405) return [...plain, 'Allow', allowed]
  if (status === 429 || status === 503) return comeBack[retryAfterSeconds() - 1] ?? plain
  return status === 401 ? unauthenticated : plain
}

/** After so long a client that was refused with 429 or 503 may come again, once; not all of them in the same second. */
export function retryAfterSeconds(): number {
  return 1 + Math.floor(Math.random() * retrySecondsMax)
}

export const retrySecondsMax = 3

/** Of every path of the data plane that says nothing else. */
export const allowedMethods = 'GET, HEAD, OPTIONS'

const plain = ['Content-Type', 'application/problem+json', 'Cache-Control', 'no-store']

const unauthenticated = [...plain, 'WWW-Authenticate', 'Bearer']

/** By the seconds, from 1 on. */
const comeBack = Array.from({ length: retrySecondsMax }, (_, index) => [
  ...plain,
  'Retry-After',
  String(index + 1),
])
