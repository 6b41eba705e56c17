/** The rung of the ladder that answered. */
export const reasons = ['split', 'override', 'sibling', 'stale', 'default'] as const
export type Reason = (typeof reasons)[number]

/** What made an answer fall to its rung. */
export const causes = [
  'unknown-row',
  'no-table',
  'table-damaged',
  'store',
  'deadline',
  'client-deadline',
  'shed',
] as const
export type Cause = (typeof causes)[number]

export const formats = ['json', 'packed'] as const
export type Format = (typeof formats)[number]

export const mediaTypes = {
  json: 'application/json',
  packed: 'application/vnd.recgate.packed',
} as const satisfies Record<Format, string>

/** Of a batch: many answers in one. */
export const batchMediaTypes = {
  json: 'application/json',
  packed: 'application/vnd.recgate.packed-batch',
} as const satisfies Record<Format, string>
