import type { ErrorCode, Refusal } from '../domain/errors.ts'
import type { Cause, Format, Reason } from '../domain/reasons.ts'
import type {
  ActiveTable,
  CompiledModel,
  CompiledVersion,
  Snapshot,
  TrustedIssuer,
} from '../domain/snapshot.ts'

/** What a request asks of the world. Adapters in `redis/`, `jwt/`, `catalog/` and `metrics/` implement it. */

export interface VerifiedToken {
  readonly issuer: TrustedIssuer
  readonly claims: Readonly<Record<string, unknown>>
}

export interface TokenVerifier {
  /**
   * Proves the `Authorization` header's token against the issuers of this snapshot. Answers at once when the token
   * was verified lately, so that the common request waits for nothing.
   */
  verify(
    authorization: string | undefined,
    catalog: Snapshot,
  ): VerifiedToken | Refusal | Promise<VerifiedToken | Refusal>
}

export interface Snapshots {
  /** The newest complete snapshot, or null before the first. */
  current(): Snapshot | null
}

/** One row looked up in a version's table and, so that `sibling` costs no second trip, in control's. */
export interface RecordRead {
  readonly rowKey: string
  readonly own: ActiveTable | null
  /** Null where the assigned version is control, or control has no table. */
  readonly control: ActiveTable | null
  /** Told once what Redis answered, or that it failed, and when, also where nobody waits for it any more. */
  heard?(result: RecordReadResult, now: number): void
}

export type RecordReadResult =
  | { readonly from: 'own'; readonly bytes: Uint8Array }
  | { readonly from: 'control'; readonly bytes: Uint8Array; readonly cause: Cause }
  | {
      readonly from: 'none'
      readonly cause: Cause
      /** The own table lacks the row, and control's could not be asked. */
      readonly ownIsUnknown?: true
    }

export interface RecordReader {
  /**
   * Never rejects: a fault of Redis is the cause `store`, a late one `deadline`. Times are on `performance.now()`'s clock.
   * `modelDeadlineAt` is the later one where a client asked for less than its model gives: only a Redis that misses the
   * model's is too slow. Reads of one row at one time share one answer of Redis, and each has its own deadline. Where Redis
   * owes as many answers as it may, the cause is `shed`.
   */
  read(read: RecordRead, deadlineAt: number, modelDeadlineAt?: number): Promise<RecordReadResult>
}

export interface ServingMetrics {
  answered(answer: CountedAnswer): void
  refused(refusal: CountedRefusal): void
  /** A batch as one, and each of its units. */
  batchAnswered(batch: CountedBatch): void
  batchRefused(refusal: CountedRefusal): void
}

interface CountedAnswer {
  readonly version: CompiledVersion
  readonly reason: Reason
  readonly cause: Cause | null
  readonly format: Format
  /** 200 or 304. */
  readonly status: number
  readonly durationMs: number
}

interface CountedRefusal {
  readonly code: ErrorCode
  readonly status: number
  /** Null until the token has verified. */
  readonly tenantId: string | null
  readonly durationMs: number
}

interface CountedBatch {
  readonly model: CompiledModel
  readonly format: Format
  readonly durationMs: number
  readonly units: readonly CountedUnit[]
}

/** Whose record answered, or the status of a refusal. */
type CountedUnit = Pick<CountedAnswer, 'version' | 'reason' | 'cause'> | { readonly status: number }
