import { limits } from '../../domain/limits.ts'
import { batchMediaTypes } from '../../domain/reasons.ts'
import { frameBatch } from '../data/batch-frame.ts'
import { batchRequest, unitErrorCodes } from '../data/batch-shapes.ts'
import { problemBody, statusOf } from '../problem.ts'
import { describedCodes, type Step } from './error-codes.ts'
import { exampleRecord, jsonAnswer } from './example-record.ts'
import { headersOf } from './headers.ts'
import { type Content, type JsonSchema, type Operation, type PathItem, schemaOf } from './openapi-document.ts'
import { optionsOf } from './options-operation.ts'
import { problemSchema, problemsOf } from './problems.ts'
import { deadlineParameter } from './recommendations-path.ts'

const steps: readonly Step[] = ['connection', 'admission', 'token', 'request', 'batch']

export const batchSchema: JsonSchema = {
  type: 'object',
  required: ['items'],
  properties: {
    items: {
      type: 'array',
      description: 'One a unit, in the units’ order: what a request of the unit’s own would get.',
      maxItems: limits.batchUnitsMax,
      items: { anyOf: [{ $ref: '#/components/schemas/Recommendation' }, problemSchema(unitErrorCodes)] },
    },
  },
}

const unfit = describedCodes['unit-invalid'].detail

const requestBody: NonNullable<Operation['requestBody']> = {
  description: `At most ${limits.batchUnitsMax} units in at most ${limits.batchBodyBytesMax} bytes, without a Content-Encoding.`,
  required: true,
  content: {
    'application/json': {
      schema: schemaOf(batchRequest),
      examples: {
        players: { summary: 'Two players', value: { model: 'games', units: ['1000001', '1000002'] } },
        claims: {
          summary: 'With what the players’ own tokens would say beside them, and with parameters',
          value: {
            model: 'starter-offer',
            parameters: { country: 'DE' },
            units: [
              { unit: '1000001', claims: { clan: 'wolves' } },
              { unit: '1000002', parameters: { country: 'FR' } },
            ],
          },
        },
      },
    },
  },
}

const content: Content = {
  [batchMediaTypes.json]: {
    schema: { $ref: '#/components/schemas/Batch' },
    examples: {
      'one of two': {
        summary: 'One unit fails alone',
        value: { items: [jsonAnswer, JSON.parse(problemBody('unit-invalid', unfit)) as unknown] },
      },
    },
  },
  [batchMediaTypes.packed]: {
    schema: { $ref: '#/components/schemas/PackedBatch' },
    examples: { 'one of two': { summary: 'The same, packed', externalValue: packedAnswer() } },
  },
}

function packedAnswer(): string {
  const { version, reason } = jsonAnswer
  const frame = frameBatch([
    { status: 200, version, word: reason, body: exampleRecord },
    { status: statusOf['unit-invalid'], version: '', word: 'unit-invalid', body: unfit },
  ])
  return `data:${batchMediaTypes.packed};base64,${Buffer.from(frame).toString('base64')}`
}

/** For game servers. */
export const batchPath: PathItem = {
  post: {
    operationId: 'getRecommendations',
    summary: 'What is recommended to many players',
    description:
      'Each unit is answered as a request of its own would be, and one that does not fit fails alone. A quota is charged for every unit, also for one that does not fit, and for an empty batch as for one unit. No page of another origin may ask.',
    security: [{ serviceToken: [] }],
    parameters: [deadlineParameter],
    requestBody,
    responses: {
      200: {
        description: 'The answers, in the form that `Accept` prefers.',
        headers: headersOf(['no-store']),
        content,
      },
      ...problemsOf(steps, 'allow-batch'),
    },
  },
  options: optionsOf('batch', 'allow-batch'),
}
