import type { ErrorCode } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { statusOf } from '../problem.ts'

/**
 * What of a request a code is about. Operations name the steps that they have, so that a code which is new stands with
 * all of them once it has its step. `connection` is what comes before, beside or instead of an operation, and any
 * request can meet; `admission` is what doing anything at all adds; `request` what asks for recommendations, for one
 * (`single`) or many (`batch`); `unit` befalls one of a batch's units alone.
 */
export type Step = 'connection' | 'admission' | 'token' | 'request' | 'single' | 'batch' | 'unit'

interface ErrorDescription {
  readonly step: Step
  /** As docs/http.md says it. */
  readonly when: string
  /** What an answer may say to people. */
  readonly detail: string
}

/** Complete: a code without its line doesn't compile. */
export const describedCodes = {
  'parameter-invalid': {
    step: 'request',
    when: 'a query parameter’s value does not fit',
    detail: 'the parameter "country" must be one of DE, FR, JP, US',
  },
  'parameter-missing': {
    step: 'single',
    when: 'a query parameter of the row key is missing',
    detail: 'the parameter "country" is missing; it must be one of DE, FR, JP, US',
  },
  'parameter-repeated': {
    step: 'single',
    when: 'a query parameter stands more than once',
    detail: 'the parameter "model" stands more than once',
  },
  'parameter-unknown': {
    step: 'request',
    when: 'a query parameter is not declared',
    detail: 'the parameter "cuontry" is not known here',
  },
  'model-ambiguous': {
    step: 'request',
    when: 'the token allows several models and `?model=` chooses none',
    detail: 'the token allows several models; choose one with the parameter "model"',
  },
  'header-invalid': {
    step: 'request',
    when: '`Recgate-Deadline-Ms` is not a whole number from 5 to 999,999,999',
    detail: `the header "Recgate-Deadline-Ms" must be a whole number of milliseconds from ${limits.deadlineMsMin} to ${limits.deadlineMsAskedMax}`,
  },
  'request-malformed': {
    step: 'connection',
    when: 'the request is not HTTP/1.1, a batch’s body did not come whole, or its path can’t be decoded (a query is judged parameter by parameter)',
    detail: 'the request can not be parsed as HTTP/1.1',
  },
  'body-invalid': {
    step: 'batch',
    when: 'a batch’s body is not JSON, or not as it must be',
    detail: '"units" must be a list',
  },
  'unit-invalid': {
    step: 'unit',
    when: 'of one item of a batch: its unit, or a claim beside it, does not fit',
    detail: 'the unit is empty, but must have at least one character',
  },
  'token-invalid': {
    step: 'token',
    when: 'no token, or one that can’t be verified',
    detail: 'a valid bearer token is needed',
  },
  'token-expired': {
    step: 'token',
    when: 'the token was valid and has expired',
    detail: 'the token has expired; get a new one',
  },
  'audience-mismatch': {
    step: 'token',
    when: 'the token is for somebody else',
    detail: 'the claim "aud" must name the audience that is expected here',
  },
  'claim-invalid': {
    step: 'token',
    when: 'a claim that is needed is missing or does not fit',
    detail: 'the claim "model" is missing; it names the model',
  },
  'model-not-allowed': {
    step: 'token',
    when: 'the token does not allow this model',
    detail: 'the token does not allow this model',
  },
  'scope-mismatch': {
    step: 'token',
    when: 'a batch with a token whose `scope` lacks `recommendations:batch`, or a single request with one that has it',
    detail: 'batches need a token whose claim "scope" has the word recommendations:batch',
  },
  'record-not-found': {
    step: 'single',
    when: 'no row, and the model has no default record',
    detail: 'there is no recommendation for this request',
  },
  'path-not-found': {
    step: 'connection',
    when: 'nothing at this path',
    detail: 'there is nothing at this path',
  },
  'method-not-allowed': {
    step: 'connection',
    when: 'the path takes other methods; see `Allow`',
    detail: 'this path takes GET, HEAD, OPTIONS',
  },
  'not-acceptable': {
    step: 'request',
    when: '`Accept` admits neither JSON nor packed (of a batch: packed-batch), or is longer than 512 characters',
    detail: 'answers come as application/json or as application/vnd.recgate.packed',
  },
  'request-timeout': {
    step: 'connection',
    when: 'the request did not arrive in time',
    detail: 'the request did not arrive in time',
  },
  'batch-too-large': {
    step: 'batch',
    when: 'a batch has more than 1,000 units, more than the studio’s quota ever lets pass here, or a body of more than 256 KiB; of an item: the answer is full',
    detail: `a batch may have at most ${limits.batchUnitsMax} units, and this one has 1200`,
  },
  'url-too-long': {
    step: 'connection',
    when: 'the URL is longer than 4,096 bytes',
    detail: `the URL must be at most ${limits.urlBytesMax} bytes`,
  },
  'media-type-unsupported': {
    step: 'batch',
    when: 'a batch’s `Content-Type` is not `application/json`, or it has a `Content-Encoding`',
    detail: 'the body must have the Content-Type application/json',
  },
  'headers-too-large': {
    step: 'connection',
    when: 'request line and headers are larger than 16 KiB',
    detail: `the request line and headers must be at most ${limits.headerBytesMax} bytes`,
  },
  'quota-exceeded': {
    step: 'token',
    when: 'the token’s studio asks for more than its quota, or has too many batches answered at one time; the next seconds may have room',
    detail: 'there are more requests than have been agreed upon',
  },
  busy: {
    step: 'admission',
    when: 'the gateway has too much to do (docs/operating.md), has no catalog yet, doesn’t know the token’s issuer while a tenant can’t be loaded, has no keys yet for the token’s issuer, or has too many new tokens to verify',
    detail: 'there is too much to do at the moment; come back in a moment',
  },
  'store-unavailable': {
    step: 'single',
    when: 'no record can be read, and the model has no default record',
    detail: 'there is no recommendation at the moment',
  },
  internal: {
    step: 'admission',
    when: 'a fault of the gateway; it has logged it',
    detail: 'the gateway failed; it has been noted',
  },
} as const satisfies Record<ErrorCode, ErrorDescription>

export const errorCodes = Object.keys(statusOf) as ErrorCode[]

/** The codes that requests with these steps can meet, under their statuses, ascending. */
export function codesByStatus(steps: readonly Step[]): ReadonlyMap<number, readonly ErrorCode[]> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of errorCodes.toSorted((a, b) => statusOf[a] - statusOf[b])) {
    if (!steps.includes(describedCodes[code].step)) continue
    const status = statusOf[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return byStatus
}
