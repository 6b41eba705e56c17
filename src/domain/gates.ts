import { z } from 'zod'

/**
 * What a new generation must show before it becomes active: the part of a model's document that says so, with what holds
 * where it is silent. `tables/gates.ts` measures and judges.
 */
const share = z.number().min(0).max(1)

export const gatesDocument = z.strictObject({
  /** Least rows. */
  minRows: z.int().min(1).optional(),
  /** Least share of the previous generation's row keys that are still there, sampled. */
  minRetainedKeys: share.optional(),
  /** Greatest share of the rows read that didn't fit and were left out. */
  maxBadRowShare: share.optional(),
  /** Greatest change of a numeric field's mean, as a share of the range from its least to its greatest value. */
  maxMeanChange: share.optional(),
  /** Greatest change of the share that any value of an enum or bool has of the rows. */
  maxEnumShareChange: share.optional(),
  /** Greatest size of row keys and packed records. */
  maxBytes: z.int().min(1).optional(),
})

export type GatesDocument = z.infer<typeof gatesDocument>
export type GateName = keyof typeof gatesDocument.shape

export const gateNames = Object.keys(gatesDocument.shape) as GateName[]

export interface Gates extends Readonly<Record<Exclude<GateName, 'maxBytes'>, number>> {
  /** Null: whatever fits into Redis. */
  readonly maxBytes: number | null
}

/** Wide enough for a table that changes from day to day, narrow enough for a file that was cut off or mixed up. */
export const gateDefaults: Gates = {
  minRows: 1,
  minRetainedKeys: 0.5,
  maxBadRowShare: 0.05,
  maxMeanChange: 0.25,
  maxEnumShareChange: 0.25,
  maxBytes: null,
}

export function resolveGates(document: GatesDocument | undefined): Gates {
  const given = Object.entries(document ?? {}).filter(([, value]) => value !== undefined)
  return { ...gateDefaults, ...Object.fromEntries(given) }
}

/** One thing that a gate measured. */
export const gateFinding = z.strictObject({
  gate: z.enum(gateNames as [GateName, ...GateName[]]),
  /** The field at fault, with its value after `=` where it is one of an enum; null where the gate knows no fields. */
  field: z.string().nullable(),
  found: z.number(),
  allowed: z.number(),
})

export type GateFinding = z.infer<typeof gateFinding>
