/**
 * The codes of every refusal that a game client can meet: a closed list. `http/problem.ts` gives each one its
 * status, in one table that doesn't compile when a code is missing.
 */
export type ErrorCode =
  | 'parameter-invalid'
  | 'parameter-missing'
  | 'parameter-repeated'
  | 'parameter-unknown'
  | 'model-ambiguous'
  | 'header-invalid'
  | 'request-malformed'
  | 'body-invalid'
  | 'unit-invalid'
  | 'token-invalid'
  | 'token-expired'
  | 'audience-mismatch'
  | 'claim-invalid'
  | 'model-not-allowed'
  | 'scope-mismatch'
  | 'record-not-found'
  | 'path-not-found'
  | 'method-not-allowed'
  | 'not-acceptable'
  | 'request-timeout'
  | 'batch-too-large'
  | 'url-too-long'
  | 'media-type-unsupported'
  | 'headers-too-large'
  | 'quota-exceeded'
  | 'busy'
  | 'store-unavailable'
  | 'internal'

/** An expected "no": a value, not an exception, because refusing must stay cheap under attack. */
export interface Refusal {
  readonly refused: ErrorCode
  /** For the reader of the answer: names the parameter or claim at fault; never a tenant, key or model id that the token didn't name. */
  readonly detail: string
  /** Whose request it was; null until the token has verified. */
  readonly tenantId: string | null
}

export function refuse(refused: ErrorCode, detail: string): Refusal {
  return { refused, detail, tenantId: null }
}

export function refuseTo(tenantId: string, refusal: Refusal): Refusal {
  return { ...refusal, tenantId }
}

export function isRefusal(value: object): value is Refusal {
  return 'refused' in value
}

/** One thing wrong with an input: where it stands, what is wrong, what would be right. */
export interface Fault {
  /** Path in the document, e.g. `models.games.weights`, or `file:row field`. */
  readonly path: string
  /** What is wrong and what would be right, as one sentence without a full stop. */
  readonly problem: string
}

/** All faults of one input at once. `subject` says what was read, e.g. `tenant.yaml`. */
export class FaultsError extends Error {
  readonly subject: string
  readonly faults: readonly Fault[]

  constructor(subject: string, faults: readonly Fault[]) {
    const lines = faults.map((fault) => `  ${fault.path || '(document)'}: ${fault.problem}`)
    super(`${subject}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}\n${lines.join('\n')}`)
    this.name = 'FaultsError'
    this.subject = subject
    this.faults = faults
  }
}

/** A store can't be asked at the moment; the message says which and why, without passwords. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
}

/** Something that the user asked for can't be done; the message says what and why. The CLI prints it and exits 1. */
export class OperationError extends Error {
  override readonly name = 'OperationError'
}
