import { z } from 'zod'
import { forPages, headersOf } from './headers.ts'
import { type Content, type Operation, type PathItem, type Response, schemaOf } from './openapi-document.ts'
import { optionsOf } from './options-operation.ts'
import { problemHeadsOf, problemsOf } from './problems.ts'

const headers = headersOf(['no-store', 'vary-origin', ...forPages])
const up: Response = { description: 'This gateway answers.', headers }
const draining: Response = { description: 'This gateway is shutting down: send no more here.', headers }

function textContent(text: string): Content {
  return { 'text/plain': { schema: schemaOf(z.literal(text)), examples: { [text]: { value: text } } } }
}

const common = {
  description: 'Needs no token, and tells nothing else. For load balancers.',
  security: [],
} as const satisfies Partial<Operation>

export const healthPath: PathItem = {
  get: {
    operationId: 'getHealth',
    summary: 'Whether this gateway is up or draining',
    ...common,
    responses: {
      ...problemsOf(['connection']),
      200: { ...up, content: textContent('up') },
      503: { ...draining, content: textContent('draining') },
    },
  },
  head: {
    operationId: 'headHealth',
    summary: 'The same without the body',
    ...common,
    responses: { ...problemHeadsOf(['connection']), 200: up, 503: draining },
  },
  options: optionsOf('health'),
}
