import { forPreflights, headersOf } from './headers.ts'
import type { Operation } from './openapi-document.ts'
import { type PathMethods, problemsOf } from './problems.ts'

/** OPTIONS; `path` makes its name. */
export function optionsOf(path: string, allow: PathMethods = 'allow'): Operation {
  return {
    operationId: `${path}Options`,
    summary: 'The methods of this path',
    description:
      allow === 'allow'
        ? 'Needs no token. A browser’s preflight (`Origin`, `Access-Control-Request-Method`) from an allowed origin is told what its page may send.'
        : 'Needs no token. No page of another origin may send anything here.',
    security: [],
    responses: {
      204: {
        description: 'No body.',
        headers: headersOf([allow, ...(allow === 'allow' ? forPreflights : [])]),
      },
      ...problemsOf(['connection'], allow),
    },
  }
}
