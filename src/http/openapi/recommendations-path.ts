import { mediaTypes } from '../../domain/reasons.ts'
import { requestShapes } from '../data/shapes.ts'
import type { Step } from './error-codes.ts'
import { jsonExample, packedExample } from './example-record.ts'
import { forPages, headersOf } from './headers.ts'
import { type Content, type Parameter, type PathItem, type Response, schemaOf } from './openapi-document.ts'
import { optionsOf } from './options-operation.ts'
import { problemHeadsOf, problemsOf } from './problems.ts'

const steps: readonly Step[] = ['connection', 'admission', 'token', 'request', 'single']

export const deadlineParameter: Parameter = {
  name: 'Recgate-Deadline-Ms',
  in: 'header',
  description:
    'Lowers the model’s deadline: after so many milliseconds from the request’s arrival the answer comes from the next rung of the ladder.',
  schema: schemaOf(requestShapes.deadlineMs),
  example: 20,
}

const parameters: readonly Parameter[] = [
  {
    name: 'model',
    in: 'query',
    description: 'Chooses one of the token’s models; needed where the token allows several.',
    schema: schemaOf(requestShapes.model),
    example: 'games',
  },
  {
    name: 'rowKey',
    in: 'query',
    description:
      'The query parameters of the model’s row key, each under its own name, as the model declares them; one that it doesn’t declare is refused.',
    style: 'form',
    explode: true,
    schema: schemaOf(requestShapes.rowKey),
    example: { country: 'DE', platform: 'ios' },
  },
  deadlineParameter,
  {
    name: 'If-None-Match',
    in: 'header',
    description:
      'The `ETag` of the answer that the client has, or a list of them: an unchanged one is a 304.',
    schema: schemaOf(requestShapes.ifNoneMatch),
    example: '"GNf6u4hrLtI"',
  },
]

const content: Content = {
  [mediaTypes.json]: {
    schema: { $ref: '#/components/schemas/Recommendation' },
    examples: { split: jsonExample },
  },
  [mediaTypes.packed]: {
    schema: { $ref: '#/components/schemas/PackedRecord' },
    examples: { split: packedExample },
  },
}

const answerHeaders = headersOf(['max-age', 'vary', 'recgate', 'etag', ...forPages])

const answered: Response = {
  description:
    'The recommendation, in the form that `Accept` prefers: JSON, also for `*/*` and without the header, or packed.',
  headers: answerHeaders,
}

const unchanged: Response = {
  description: 'The answer is the one that the client has.',
  headers: answerHeaders,
}

const security = [{ playerToken: [] }]

export const recommendationsPath: PathItem = {
  get: {
    operationId: 'getRecommendation',
    summary: 'What is recommended to a player',
    description:
      'The token says who asks, for which studio, and which models it may ask for. While there is any usable answer, this one is given, with the reason for it.',
    security,
    parameters,
    responses: { 200: { ...answered, content }, 304: unchanged, ...problemsOf(steps) },
  },
  head: {
    operationId: 'headRecommendation',
    summary: 'The same without the body',
    description: 'Status and headers are those that GET would give.',
    security,
    parameters,
    responses: { 200: answered, 304: unchanged, ...problemHeadsOf(steps) },
  },
  options: optionsOf('recommendations'),
}
