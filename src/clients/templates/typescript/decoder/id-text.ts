/** A parameter's value as the query holds it. */
export function idText(name: string, value: string, bytesMax: number): string {
  if (value.length <= bytesMax && /^[A-Za-z0-9_.-]+$/.test(value)) return value
  throw new RangeError(`${name} ${value}: must be 1 to ${bytesMax} of A-Z, a-z, 0-9, "_", "." and "-"`)
}
