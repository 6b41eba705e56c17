import { STATUS_CODES } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/domain/errors.ts'
import { problemBody, problemHeaders, statusOf } from '../../../src/http/problem.ts'

/** DESIGN's statuses, and those that only a batch meets (413, 415): a client may see no other. */
const statuses = [400, 401, 403, 404, 405, 406, 408, 413, 414, 415, 429, 431, 500, 503]

const codes = Object.keys(statusOf) as ErrorCode[]

function headersOf(code: ErrorCode): Record<string, string> {
  const flat = problemHeaders(code)
  const pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]!] as const] : []))
  expect(pairs).toHaveLength(flat.length / 2)
  return Object.fromEntries(pairs)
}

describe.each(codes)('%s', (code) => {
  const status = statusOf[code]

  test('has a status of the closed list', () => {
    expect(statuses).toContain(status)
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/)
  })

  test('has the body of RFC 9457, with its code', () => {
    const detail = 'the parameter "x" is not known here'
    expect(JSON.parse(problemBody(code, detail))).toStrictEqual({
      type: 'about:blank',
      title: STATUS_CODES[status],
      status,
      code,
      detail,
    })
  })

  test('has the headers that go with its status', () => {
    expect(headersOf(code)).toStrictEqual({
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
      ...(status === 405 ? { Allow: 'GET, HEAD, OPTIONS' } : {}),
      ...(status === 429 || status === 503 ? { 'Retry-After': expect.stringMatching(/^[123]$/) } : {}),
    })
  })
})

test('a detail is JSON text, whatever it quotes', () => {
  const detail = 'quotes " and \\, a line\nbreak, \u0000 and half a pair \ud800'
  expect(JSON.parse(problemBody('parameter-unknown', detail))).toMatchObject({ detail })
})

test.each(['busy', 'store-unavailable', 'quota-exceeded'] as const)(
  '%s sends not all clients back in one second',
  (code) => {
    const seconds = new Set(Array.from({ length: 200 }, () => headersOf(code)['Retry-After']))
    expect([...seconds].sort()).toStrictEqual(['1', '2', '3'])
  },
)
