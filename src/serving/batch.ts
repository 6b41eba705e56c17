import type { Refusal } from '../domain/errors.ts'

/** What a batch asks for, as its body says it. */
export interface Batch {
  /** Of the models that the token allows; undefined: the only one. */
  readonly model: string | undefined
  /** Of every unit that doesn't say another value. */
  readonly parameters: BatchValues
  /** In the order in which they are answered. One that isn't in shape is refused alone. */
  readonly units: readonly (BatchUnit | Refusal)[]
  /** When the body had come whole, on `performance.now()`'s clock. */
  readonly receivedAt: number
}

/** Whom one of its answers is for. */
export interface BatchUnit {
  /** What the unit's claim would say in this player's own token; not looked at yet. */
  readonly unit: unknown
  /** What that token's other claims would say: those of the row key, and the one that names a version. */
  readonly claims: BatchValues
  readonly parameters: BatchValues
}

/** By names from outside. */
export type BatchValues = Readonly<Record<string, string | number>>
