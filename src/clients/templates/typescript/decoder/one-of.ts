/** A parameter's value as the query holds it. */
export function oneOf(name: string, value: string, values: readonly string[]): string {
  if (values.includes(value)) return encodeURIComponent(value)
  const shown = values.slice(0, 20).join(', ')
  throw new RangeError(`${name} ${value}: must be one of ${shown}${values.length > 20 ? ' and others' : ''}`)
}
