import type { ParameterType } from './snapshot.ts'

/** Whether a text is a value of a declared query parameter. */
export function parameterFits(value: string, accepts: ParameterType): boolean {
  switch (accepts.type) {
    case 'values':
      return accepts.values.has(value)
    case 'uint': {
      const number = Number(value)
      // Canonical decimal only: "07" and "7" would be two rows, and one player's.
      return Number.isSafeInteger(number) && number >= 0 && number <= accepts.max && String(number) === value
    }
    case 'id':
      return value.length <= accepts.maxBytes && /^[A-Za-z0-9_.-]+$/.test(value)
  }
}

/** What would fit, to go on after "must be". */
export function parameterRule(accepts: ParameterType): string {
  switch (accepts.type) {
    case 'values':
      return accepts.values.size <= 20
        ? `one of ${[...accepts.values].join(', ')}`
        : 'one of the declared values'
    case 'uint':
      return `a whole number from 0 to ${accepts.max} in plain decimal`
    case 'id':
      return `1 to ${accepts.maxBytes} of A-Z, a-z, 0-9, "_", "." and "-"`
  }
}
