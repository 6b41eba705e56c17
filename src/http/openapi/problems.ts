import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import type { ErrorCode } from '../../domain/errors.ts'
import { growingList } from '../data/shapes.ts'
import { problemBody } from '../problem.ts'
import { codesByStatus, describedCodes, errorCodes, type Step } from './error-codes.ts'
import { forPages, headersOf } from './headers.ts'
import { type Content, type Example, type Response, schemaOf } from './openapi-document.ts'

/** The refusals that requests with these steps can meet, by status. */
export function problemsOf(steps: readonly Step[]): Record<string, Response> {
  return mapStatuses(steps, (status, codes) => ({
    ...problemHead(status, codes),
    content: problemContent(status, codes),
  }))
}

/** The same ones as HEAD gives them: heads alone. */
export function problemHeadsOf(steps: readonly Step[]): Record<string, Response> {
  return mapStatuses(steps, problemHead)
}

/** One of every code, as answers have them. */
export const problemExamples: Readonly<Record<ErrorCode, Example>> = Object.fromEntries(
  errorCodes.map((code) => [
    code,
    {
      summary: describedCodes[code].when,
      value: JSON.parse(problemBody(code, describedCodes[code].detail)) as unknown,
    },
  ]),
) as Record<ErrorCode, Example>

function mapStatuses(
  steps: readonly Step[],
  describe: (status: number, codes: readonly ErrorCode[]) => Response,
): Record<string, Response> {
  return Object.fromEntries(
    [...codesByStatus(steps)].map(([status, codes]) => [String(status), describe(status, codes)]),
  )
}

function problemHead(status: number, codes: readonly ErrorCode[]): Response {
  const lines = codes.map((code) => `- \`${code}\`: ${describedCodes[code].when}`)
  return {
    description: [`${STATUS_CODES[status]}:`, ...lines].join('\n'),
    headers: headersOf(['no-store', 'vary-origin', ...forPages, ...headersOfStatus(status)]),
  }
}

function headersOfStatus(status: number) {
  if (status === 401) return ['www-authenticate'] as const
  if (status === 405) return ['allow'] as const
  if (status === 429 || status === 503) return ['retry-after'] as const
  return []
}

function problemContent(status: number, codes: readonly ErrorCode[]): Content {
  const narrowed = z.object({ status: z.literal(status), code: growingList(codes) })
  return {
    'application/problem+json': {
      schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, schemaOf(narrowed)] },
      examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
    },
  }
}
