import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import type { ErrorCode } from '../../domain/errors.ts'
import { growingList } from '../data/shapes.ts'
import { problemBody } from '../problem.ts'
import { codesByStatus, describedCodes, errorCodes, type Step } from './error-codes.ts'
import { forPages, headersOf, methodsOf } from './headers.ts'
import { type Content, type Example, type JsonSchema, type Response, schemaOf } from './openapi-document.ts'

/** The header that tells a path's methods. */
export type PathMethods = keyof typeof methodsOf

/** The refusals that requests with these steps can meet, by status. */
export function problemsOf(steps: readonly Step[], allow: PathMethods = 'allow'): Record<string, Response> {
  return mapStatuses(steps, (status, codes) => ({
    ...problemHead(status, codes, allow),
    content: problemContent(status, codes, allow),
  }))
}

/** The same ones as HEAD gives them: heads alone. */
export function problemHeadsOf(steps: readonly Step[]): Record<string, Response> {
  return mapStatuses(steps, (status, codes) => problemHead(status, codes, 'allow'))
}

/** A refusal that has one of these codes, and this status where it is the whole answer. */
export function problemSchema(codes: readonly ErrorCode[], status?: number): JsonSchema {
  const code = growingList(codes)
  const narrowed = status === undefined ? z.object({ code }) : z.object({ status: z.literal(status), code })
  return { allOf: [{ $ref: '#/components/schemas/Problem' }, schemaOf(narrowed)] }
}

function exampleOf(code: ErrorCode, detail: string = describedCodes[code].detail): Example {
  return { summary: describedCodes[code].when, value: JSON.parse(problemBody(code, detail)) as unknown }
}

/** One of every code that a whole answer can have. */
export const problemExamples: Readonly<Record<string, Example>> = Object.fromEntries(
  errorCodes.filter((code) => describedCodes[code].step !== 'unit').map((code) => [code, exampleOf(code)]),
)

function mapStatuses(
  steps: readonly Step[],
  describe: (status: number, codes: readonly ErrorCode[]) => Response,
): Record<string, Response> {
  return Object.fromEntries(
    [...codesByStatus(steps)].map(([status, codes]) => [String(status), describe(status, codes)]),
  )
}

/** Answers without a path, or at another one: pages may read them, whatever path they meant. */
const besideThePath: readonly ErrorCode[] = [
  'request-malformed',
  'path-not-found',
  'request-timeout',
  'url-too-long',
  'headers-too-large',
]

function problemHead(status: number, codes: readonly ErrorCode[], allow: PathMethods): Response {
  const isForPages = allow === 'allow' || codes.some((code) => besideThePath.includes(code))
  const pageHeaders = isForPages ? (['vary-origin', ...forPages] as const) : []
  const lines = codes.map((code) => `- \`${code}\`: ${describedCodes[code].when}`)
  return {
    description: [`${STATUS_CODES[status]}:`, ...lines].join('\n'),
    headers: headersOf(['no-store', ...pageHeaders, ...headersOfStatus(status, allow)]),
  }
}

function headersOfStatus(status: number, allow: PathMethods) {
  if (status === 401) return ['www-authenticate'] as const
  if (status === 405) return [allow]
  if (status === 429 || status === 503) return ['retry-after'] as const
  return []
}

function problemContent(status: number, codes: readonly ErrorCode[], allow: PathMethods): Content {
  const example = (code: ErrorCode) =>
    code === 'method-not-allowed' && allow !== 'allow'
      ? exampleOf(code, `this path takes ${methodsOf[allow]}`)
      : { $ref: `#/components/examples/${code}` }
  return {
    'application/problem+json': {
      schema: problemSchema(codes, status),
      examples: Object.fromEntries(codes.map((code) => [code, example(code)])),
    },
  }
}
