import { forPreflights, headersOf } from './headers.ts'
import type { Operation } from './openapi-document.ts'
import { problemsOf } from './problems.ts'

/** OPTIONS, the same at every path; `path` makes its name. */
export function optionsOf(path: string): Operation {
  return {
    operationId: `${path}Options`,
    summary: 'The methods of this path',
    description:
      'Needs no token. A browser’s preflight (`Origin`, `Access-Control-Request-Method`) from an allowed origin is told what its page may send.',
    security: [],
    responses: {
      204: { description: 'No body.', headers: headersOf(['allow', ...forPreflights]) },
      ...problemsOf(['connection']),
    },
  }
}
