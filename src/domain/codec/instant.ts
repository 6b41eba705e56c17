/** Instants as RFC 3339 text and as whole milliseconds since 1970, which is all that a Date holds. */

const pattern = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/

const minuteMs = 60_000

/** RFC 3339 has four digits for the year: no instant outside can be told in it. */
export const instantMsMin = Date.parse('0000-01-01T00:00:00.000Z')
export const instantMsMax = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * Milliseconds since 1970, finer digits cut off; null where the text isn't RFC 3339. A leap second (`:60`) is
 * refused: a Date has none, and guessing a neighbour would be a wrong answer.
 */
export function parseInstant(text: string): number | null {
  const match = pattern.exec(text)
  if (match === null) return null
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (hour > 23 || minute > 59 || second > 59) return null
  const date = new Date(0)
  // Date.UTC reads years 0 to 99 as 1900 to 1999; setUTCFullYear doesn't.
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  const milliseconds = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'))
  date.setUTCHours(hour, minute, second, milliseconds)
  if (match[8] === undefined) return date.getTime()
  const [offsetHours, offsetMinutes] = [Number(match[9]), Number(match[10])]
  if (offsetHours > 23 || offsetMinutes > 59) return null
  const offsetMs = (offsetHours * 60 + offsetMinutes) * minuteMs
  return match[8] === '+' ? date.getTime() - offsetMs : date.getTime() + offsetMs
}

/** `2026-01-01T00:00:00Z`; with three decimals where `fraction` says so. */
export function formatInstant(ms: number, fraction: boolean): string {
  const text = new Date(ms).toISOString()
  return fraction ? text : `${text.slice(0, 19)}Z`
}
