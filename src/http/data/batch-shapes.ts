import { z } from 'zod'
import type { ErrorCode } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { reasons } from '../../domain/reasons.ts'

/** What `POST /recommendations/batch` takes, and answers in JSON. */

const value = z.union([z.string(), z.int()])

/** Names and values; what names may be depends on the model. */
const values = z.record(z.string(), value)

/** A unit with what a player's own token would say beside it, and parameters of its own. */
const unitObject = z.strictObject({
  unit: value,
  claims: values.optional(),
  parameters: values.optional(),
})

/** `batch-body.ts` takes the same, and judges each unit alone. */
export const batchRequest = z.strictObject({
  model: z.string().optional(),
  parameters: values.optional(),
  units: z.array(z.union([z.string(), z.int(), unitObject])).max(limits.batchUnitsMax),
})

/** What a request of the unit's own would get. */
const answeredUnit = z.strictObject({
  model: z.string(),
  version: z.string(),
  reason: z.enum(reasons),
  recommendation: z.record(z.string(), z.unknown()),
})

/** The codes of the closed list that a unit can meet alone. */
export const unitErrorCodes = [
  'unit-invalid',
  'parameter-invalid',
  'parameter-missing',
  'parameter-unknown',
  'record-not-found',
  'store-unavailable',
  'batch-too-large',
] as const satisfies readonly ErrorCode[]

/** RFC 9457 problem details. */
const refusedUnit = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  code: z.enum(unitErrorCodes),
  detail: z.string(),
})

export const batchAnswer = z.strictObject({
  items: z.array(z.union([answeredUnit, refusedUnit])).max(limits.batchUnitsMax),
})
