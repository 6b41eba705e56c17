/** Ids of tenants, models and versions: lower-case, safe in Redis keys, URLs and metric labels. */
export const idPattern = /^[a-z][a-z0-9_-]{0,31}$/

export const idRule = 'a lower-case letter, then up to 31 of a-z, 0-9, "_" and "-"'

export function isId(text: string): boolean {
  return idPattern.test(text)
}

/** Order of Unicode code points, the order in which the planner takes versions (not UTF-16 units, not locale). */
export function compareCodePoints(a: string, b: string): number {
  // Ids are ASCII, where UTF-16 order and code-point order agree.
  return a < b ? -1 : a > b ? 1 : 0
}
