/** A parameter's value as the query holds it. */
export function wholeNumber(name: string, value: number, max: number): string {
  if (Number.isSafeInteger(value) && value >= 0 && value <= max) return String(value)
  throw new RangeError(`${name} ${value}: must be a whole number from 0 to ${max}`)
}
