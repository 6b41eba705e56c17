/** What is wrong with one field of a record schema, beyond its shape: numbers that make no sense together. */
import type { Fault } from '../errors.ts'
import { limits } from '../limits.ts'
import { BitWriter, valueBitsMax } from './bits.ts'
import { CodecError, joinField } from './codec-error.ts'
import { compileValue } from './compile-field.ts'
import { fixedFaults, wholeMilliseconds } from './fixed-grid.ts'
import { formatInstant, instantMsMax, instantMsMin, parseInstant } from './instant.ts'
import type {
  EnumField,
  IntField,
  ListField,
  RecordField,
  StructField,
  TimestampField,
  UintField,
} from './record-field.ts'

/** Where a field stands: directly in the record, as a list's item, or in a struct. */
type Place = 'record' | 'list' | 'struct'

const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/
/** Names that mean something to every JavaScript object. */
const namesTaken = new Set(['__proto__', 'constructor', 'prototype'])

export function nameFaults(name: string, path: string): Fault[] {
  if (!namePattern.test(name)) {
    const problem = 'a field name is a letter or "_", then up to 63 of A-Z, a-z, 0-9 and "_"'
    return [{ path, problem }]
  }
  return namesTaken.has(name) ? [{ path, problem: `"${name}" is taken by JavaScript; use another name` }] : []
}

/** @param depth 1 for a field of the record, one more for each list or struct around it */
export function fieldFaults(field: RecordField, path: string, place: Place, depth: number): Fault[] {
  if (depth > limits.recordDepthMax) {
    return [{ path, problem: `fields nest at most ${limits.recordDepthMax} deep; flatten this one` }]
  }
  const faults = [...placeFaults(field, path, place), ...typeFaults(field, path, depth)]
  // A default can only be tried on a field that makes sense.
  return faults.length === 0 ? defaultFaults(field, path) : faults
}

function placeFaults(field: RecordField, path: string, place: Place): Fault[] {
  const faults: Fault[] = []
  if (place !== 'record' && field.since !== undefined) {
    const problem = 'only fields that stand directly in the record have `since`: a schema grows nowhere else'
    faults.push({ path: `${path}.since`, problem })
  }
  // Leaving an absent item out would move the items after it, and null is no value of any field.
  if (place === 'list' && field.optional === true) {
    const problem = 'items of a list are never absent; leave them out of the list, or give them a default'
    faults.push({ path: `${path}.optional`, problem })
  }
  return faults
}

function typeFaults(field: RecordField, path: string, depth: number): Fault[] {
  switch (field.type) {
    case 'bool':
      return []
    case 'uint':
      return uintFaults(field, path)
    case 'int':
      return intFaults(field, path)
    case 'fixed':
      return fixedFaults(field, path)
    case 'enum':
      return enumFaults(field, path)
    case 'timestamp':
      return timestampFaults(field, path)
    case 'string':
    case 'bytes':
      return sizeFaults(field.maxBytes, limits.recordBytesMax, `${path}.maxBytes`)
    case 'list':
      return listFaults(field, path, depth)
    case 'struct':
      return structFaults(field, path, depth)
  }
}

function uintFaults({ max }: UintField, path: string): Fault[] {
  return max < 0 ? [{ path: `${path}.max`, problem: `${max} is below 0; it must be 0 or more` }] : []
}

function intFaults({ min, max }: IntField, path: string): Fault[] {
  if (max < min) return [{ path: `${path}.max`, problem: `${max} is below min; it must be ${min} or more` }]
  if (max - min <= Number.MAX_SAFE_INTEGER) return []
  const problem = `max − min must be at most ${Number.MAX_SAFE_INTEGER} (${valueBitsMax} bits)`
  return [{ path: `${path}.max`, problem }]
}

function sizeFaults(size: number, sizeMax: number, path: string): Fault[] {
  return size >= 1 && size <= sizeMax ? [] : [{ path, problem: `${size} must be from 1 to ${sizeMax}` }]
}

function enumFaults(field: EnumField, path: string): Fault[] {
  const { values, room, optional } = field
  const faults = sizeFaults(values.length, limits.enumValuesMax, `${path}.values`).map((fault) => ({
    ...fault,
    problem: `${values.length} values; there must be 1 to ${limits.enumValuesMax}`,
  }))
  const seen = new Set<string>()
  values.forEach((value, index) => {
    const problem = enumValueProblem(value, seen)
    if (problem !== null) faults.push({ path: `${path}.values[${index}]`, problem })
    seen.add(value)
  })
  if (room === undefined) return faults
  if (room < values.length || room > limits.enumValuesMax) {
    const problem = `${room} must be from ${values.length}, the number of values, to ${limits.enumValuesMax}`
    faults.push({ path: `${path}.room`, problem })
  }
  if (field.default === undefined && optional !== true) {
    const problem =
      'an enum with room needs a default, which readers give for values that they do not know yet; or make it optional'
    faults.push({ path: `${path}.default`, problem })
  }
  return faults
}

function enumValueProblem(value: string, seen: ReadonlySet<string>): string | null {
  if (value === '') return 'is empty; a value has at least one character'
  if (seen.has(value)) return `${JSON.stringify(value)} stands twice; each value stands once`
  if (!value.isWellFormed()) return 'has half a surrogate pair; values are Unicode text'
  const bytes = Buffer.byteLength(value)
  if (bytes <= limits.enumValueBytesMax) return null
  return `${bytes} bytes of UTF-8; at most ${limits.enumValueBytesMax} fit`
}

function timestampFaults(field: TimestampField, path: string): Fault[] {
  const { from, resolutionSeconds, bits } = field
  const faults = sizeFaults(bits, valueBitsMax, `${path}.bits`)
  const fromMs = parseInstant(from)
  if (fromMs === null || /\.\d{4}/.test(from)) {
    const problem = 'must be RFC 3339 text with at most three decimals, e.g. "2026-01-01T00:00:00Z"'
    faults.push({ path: `${path}.from`, problem })
  } else if (fromMs < instantMsMin || fromMs > instantMsMax) {
    faults.push({ path: `${path}.from`, problem: 'must lie in the years 0000 to 9999 of UTC' })
  }
  const resolutionMs = resolutionSeconds > 0 ? wholeMilliseconds(resolutionSeconds) : null
  if (resolutionMs === null) {
    const problem = `${resolutionSeconds} must be above 0 and whole milliseconds, e.g. 60, 1 or 0.001`
    faults.push({ path: `${path}.resolutionSeconds`, problem })
  }
  if (faults.length > 0 || fromMs === null || resolutionMs === null) return faults
  const countMax = Math.floor((instantMsMax - fromMs) / resolutionMs)
  if (2 ** bits - 1 <= countMax) return []
  const fitting = Math.floor(Math.log2(countMax + 1))
  const problem = `with ${bits} bits the last instant lies beyond ${formatInstant(instantMsMax, false)}, where RFC 3339 ends; ${
    fitting >= 1 ? `at most ${fitting} bits fit` : 'use a finer resolution'
  }`
  return [{ path: `${path}.bits`, problem }]
}

function listFaults({ maxItems, items }: ListField, path: string, depth: number): Fault[] {
  return [
    ...sizeFaults(maxItems, limits.listItemsMax, `${path}.maxItems`),
    ...fieldFaults(items, `${path}.items`, 'list', depth + 1),
  ]
}

function structFaults({ fields }: StructField, path: string, depth: number): Fault[] {
  const members = Object.entries(fields)
  if (members.length === 0) {
    return [{ path: `${path}.fields`, problem: 'is empty; a struct has at least one field' }]
  }
  return members.flatMap(([name, field]) => {
    const memberPath = `${path}.fields.${name}`
    return [...nameFaults(name, memberPath), ...fieldFaults(field, memberPath, 'struct', depth + 1)]
  })
}

function defaultFaults(field: RecordField, path: string): Fault[] {
  if (field.default === undefined) return []
  try {
    compileValue(field).write(new BitWriter(0), field.default)
    return []
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return [{ path: joinField(`${path}.default`, error.field), problem: error.problem }]
  }
}
