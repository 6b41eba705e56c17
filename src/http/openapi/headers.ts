import { corsHeaders } from '../data/cors.ts'
import { headerShapes } from '../data/shapes.ts'
import { allowedMethods } from '../problem.ts'
import { type Header, type Reference, schemaOf } from './openapi-document.ts'

/** What a header is called in the document, and on the wire. */
interface DescribedHeader extends Header {
  readonly name: string
}

/** What each path takes. */
export const methodsOf = { allow: allowedMethods, 'allow-batch': 'POST, OPTIONS' } as const

const constant = (value: string) => ({ schema: { type: 'string', const: value }, example: value })

const described = {
  etag: {
    name: 'ETag',
    description: 'Of format, model, version, reason and record; for `If-None-Match`.',
    required: true,
    schema: schemaOf(headerShapes.etag),
    example: '"GNf6u4hrLtI"',
  },
  recgate: {
    name: 'Recgate',
    description:
      'Version and reason as a structured field (RFC 8941), also for packed answers: `v` is the player’s arm of the experiment, `r` whose record it is. Tolerate reasons and members that you don’t know.',
    required: true,
    schema: schemaOf(headerShapes.recgate),
    example: 'v=itemcf, r=split',
  },
  'max-age': {
    name: 'Cache-Control',
    description:
      'For this player only, and for so many seconds; short where a better answer may come soon (`stale`, `default`).',
    required: true,
    schema: schemaOf(headerShapes.maxAge),
    example: 'private, max-age=300',
  },
  'no-store': {
    name: 'Cache-Control',
    description: 'Never kept.',
    required: true,
    ...constant('no-store'),
  },
  vary: {
    name: 'Vary',
    description:
      'The form depends on `Accept`, the record on `Authorization`, and what pages may read on `Origin`.',
    required: true,
    schema: schemaOf(headerShapes.vary),
    example: 'Accept, Authorization',
  },
  'vary-origin': {
    name: 'Vary',
    description: 'Where the setting `cors.origins` names origins.',
    ...constant('Origin'),
  },
  'retry-after': {
    name: 'Retry-After',
    description:
      'After so many seconds the client may try once more; another number in each answer, so that those who were refused together don’t come back together.',
    required: true,
    schema: schemaOf(headerShapes.retryAfter),
    example: 2,
  },
  'www-authenticate': {
    name: 'WWW-Authenticate',
    description: 'The scheme that is asked for (RFC 6750).',
    required: true,
    ...constant('Bearer'),
  },
  allow: {
    name: 'Allow',
    description: 'The methods of the path.',
    required: true,
    ...constant(methodsOf.allow),
  },
  'allow-batch': {
    name: 'Allow',
    description: 'The methods of the path.',
    required: true,
    ...constant(methodsOf['allow-batch']),
  },
  'allow-origin': {
    name: 'Access-Control-Allow-Origin',
    description: 'For pages whose origin stands in the setting `cors.origins`: that origin, or `*` alone.',
    schema: { type: 'string' },
    example: 'https://game.example',
  },
  'expose-headers': {
    name: 'Access-Control-Expose-Headers',
    description: 'What such pages may read beside the body.',
    ...constant(corsHeaders.exposed['Access-Control-Expose-Headers']),
  },
  'allow-methods': {
    name: 'Access-Control-Allow-Methods',
    description: 'The answer to a preflight from such a page.',
    ...constant(corsHeaders.preflight['Access-Control-Allow-Methods']),
  },
  'allow-headers': {
    name: 'Access-Control-Allow-Headers',
    description: 'The answer to a preflight from such a page.',
    ...constant(corsHeaders.preflight['Access-Control-Allow-Headers']),
  },
  'preflight-age': {
    name: 'Access-Control-Max-Age',
    description: 'The answer to a preflight from such a page: how many seconds it may be kept.',
    schema: { type: 'integer', const: Number(corsHeaders.preflight['Access-Control-Max-Age']) },
    example: Number(corsHeaders.preflight['Access-Control-Max-Age']),
  },
} as const satisfies Record<string, DescribedHeader>

type HeaderKey = keyof typeof described

export const headerComponents: Readonly<Record<string, Header>> = Object.fromEntries(
  Object.entries(described).map(([key, { name: _name, ...header }]) => [key, header]),
)

export function headersOf(keys: readonly HeaderKey[]): Record<string, Reference> {
  return Object.fromEntries(keys.map((key) => [described[key].name, { $ref: `#/components/headers/${key}` }]))
}

/** What every answer may carry for pages of other origins. */
export const forPages = ['allow-origin', 'expose-headers'] as const satisfies readonly HeaderKey[]

/** What the answer to a preflight carries instead. */
export const forPreflights = [
  'vary-origin',
  'allow-origin',
  'expose-headers',
  'allow-methods',
  'allow-headers',
  'preflight-age',
] as const satisfies readonly HeaderKey[]
