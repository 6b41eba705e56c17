/**
 * A model's record schema as it stands in the tenant's document: field names in order, each with its type.
 *
 *     segment: { type: enum, values: [newcomer, casual], room: 16, default: newcomer }
 *     scores:  { type: list, maxItems: 5, items: { type: fixed, min: 0, max: 1, step: 0.001 } }
 *     lastSeen: { type: timestamp, from: "2026-01-01T00:00:00Z", resolutionSeconds: 60, bits: 24, optional: true, since: 2 }
 *
 * Records packed once are read for ever, so that a schema only grows: new fields stand last and carry `since`.
 */
import { z } from 'zod'
import type { Fault } from '../errors.ts'
import { limits } from '../limits.ts'
import { compileField } from './compile-field.ts'
import { fieldFaults, nameFaults } from './field-faults.ts'
import { type RecordField, recordField } from './record-field.ts'

/** Levels of objects and lists in a document, above what `recordDepthMax` needs: zod and we recurse. */
const documentDepthMax = 32

/** The shape only; `recordSchemaFaults` says whether it makes sense. */
export const recordSchemaDocument = z
  .unknown()
  .superRefine((input, context) => {
    const fault = unsafeNesting(input, documentDepthMax)
    if (fault !== null) context.addIssue({ code: 'custom', message: fault })
  })
  .pipe(z.record(z.string(), recordField))

export type RecordSchema = z.infer<typeof recordSchemaDocument>

/** What zod itself would stumble over (depth) or pass over in silence (a key `__proto__`). */
function unsafeNesting(input: unknown, levels: number): string | null {
  if (typeof input !== 'object' || input === null) return null
  if (levels === 0)
    return `nests deeper than ${documentDepthMax} levels; fields nest at most ${limits.recordDepthMax} deep`
  if (Object.hasOwn(input, '__proto__')) return '"__proto__" is taken by JavaScript; use another name'
  for (const inner of Object.values(input)) {
    const fault = unsafeNesting(inner, levels - 1)
    if (fault !== null) return fault
  }
  return null
}

/** How often the schema has grown, counted from 1: the highest `since`. */
export function recordSchemaRevision(schema: RecordSchema): number {
  return Object.values(schema).reduce((revision, { since = 1 }) => Math.max(revision, since), 1)
}

/** Everything wrong with a schema; paths are relative to `record`, e.g. `hours_played.step`. */
export function recordSchemaFaults(schema: RecordSchema): Fault[] {
  const fields = Object.entries(schema)
  if (fields.length === 0) return [{ path: '', problem: 'is empty; a record has at least one field' }]
  const count = fields.reduce((sum, [, field]) => sum + namedFields(field, 0), 0)
  if (count > limits.recordFieldsMax) {
    const problem = `${count} fields, those of structs included; at most ${limits.recordFieldsMax} fit`
    return [{ path: '', problem }]
  }
  const faults = fields.flatMap(([name, field]) => [
    ...nameFaults(name, name),
    ...fieldFaults(field, name, 'record', 1),
  ])
  faults.push(...sinceFaults(fields))
  return faults.length === 0 ? sizeFaults(fields) : faults
}

function namedFields(field: RecordField, depth: number): number {
  // Deeper fields are a fault of their own.
  if (depth > limits.recordDepthMax) return 1
  if (field.type === 'list') return namedFields(field.items, depth + 1)
  if (field.type !== 'struct') return 1
  return Object.values(field.fields).reduce((sum, inner) => sum + namedFields(inner, depth + 1), 1)
}

function sinceFaults(fields: readonly (readonly [string, RecordField])[]): Fault[] {
  const faults: Fault[] = []
  let newest = 1
  for (const [name, field] of fields) {
    const { since = 1, optional } = field
    const path = `${name}.since`
    if (since < 1 || since > limits.recordRevisionMax) {
      faults.push({ path, problem: `${since} must be from 1 to ${limits.recordRevisionMax}` })
    } else if (since < newest) {
      const problem = `${since} comes after a field with since ${newest}; fields stand in the order in which they came`
      faults.push({ path, problem })
    } else newest = since
    if (since > 1 && optional !== true && field.default === undefined) {
      const problem = `records older than revision ${since} lack this field; give it a default or optional: true`
      faults.push({ path: name, problem })
    }
  }
  return faults
}

/** Bounds on one record, which are bounds on the work of reading hostile bytes as well. */
function sizeFaults(fields: readonly (readonly [string, RecordField])[]): Fault[] {
  const codecs = fields.map(([, field]) => compileField(field))
  const bytes = 1 + Math.ceil(codecs.reduce((bits, { bitsMax }) => bits + bitsMax, 0) / 8)
  const values = codecs.reduce((sum, { valuesMax }) => sum + valuesMax, 0)
  const faults: Fault[] = []
  if (bytes > limits.recordBytesMax) {
    const problem = `a record may need ${bytes} bytes; at most ${limits.recordBytesMax} fit: lower maxItems or maxBytes`
    faults.push({ path: '', problem })
  }
  if (values > limits.recordValuesMax) {
    const problem = `a record may hold ${values} values; at most ${limits.recordValuesMax} fit: lower maxItems`
    faults.push({ path: '', problem })
  }
  return faults
}

/**
 * What `next` does that a schema may not: anything but new fields at the end, each with a `since` above the revision
 * of `previous`, and enum values appended within `room`. Both schemas are without faults of their own.
 */
export function recordSchemaGrowthFaults(previous: RecordSchema, next: RecordSchema): Fault[] {
  const revision = recordSchemaRevision(previous)
  const faults = orderFaults(Object.keys(previous), Object.keys(next))
  for (const [name, field] of Object.entries(next)) {
    if (Object.hasOwn(previous, name)) {
      faults.push(...changeFaults(previous[name]!, field, name))
      continue
    }
    const { since = 1 } = field
    if (since <= revision) {
      const problem = `a new field needs since: ${revision + 1} or more, because records of revision ${revision} lack it`
      faults.push({ path: `${name}.since`, problem })
    }
  }
  return faults
}

/** Fields that went, came between others, or changed places. */
function orderFaults(previous: readonly string[], next: readonly string[]): Fault[] {
  const kept = next.filter((name) => previous.includes(name))
  const stayed = previous.filter((name) => next.includes(name))
  const gone = previous.filter((name) => !next.includes(name))
  const moved = kept.filter((name, index) => name !== stayed[index])
  const between = next.filter(
    (name, index) => !previous.includes(name) && kept.some((old) => next.indexOf(old) > index),
  )
  return [
    ...gone.map((path) => ({ path, problem: 'is gone; packed records have its bits, so it must stay' })),
    ...moved.map((path) => ({
      path,
      problem: `changed places; the order must stay ${stayed.join(', ')}`,
    })),
    ...between.map((path) => ({ path, problem: `is new, so it must stand after ${stayed.at(-1)}` })),
  ]
}

/** Fields of fields that may not change at all are compared as JSON; what may is compared here. */
function changeFaults(previous: RecordField, next: RecordField, path: string): Fault[] {
  if (previous.type !== next.type) {
    return [
      { path: `${path}.type`, problem: `was ${previous.type} and must stay so; add a new field instead` },
    ]
  }
  const faults: Fault[] = []
  for (const key of new Set([...Object.keys(previous), ...Object.keys(next)])) {
    const [before, after] = [settled(previous, key), settled(next, key)]
    if (key === 'items' && previous.type === 'list' && next.type === 'list') {
      faults.push(...changeFaults(previous.items, next.items, `${path}.items`))
    } else if (key === 'fields' && previous.type === 'struct' && next.type === 'struct') {
      faults.push(...structChangeFaults(previous.fields, next.fields, `${path}.fields`))
    } else if (key === 'values' && previous.type === 'enum' && next.type === 'enum') {
      faults.push(...valuesChangeFaults(previous.values, next.values, previous.room, `${path}.values`))
    } else if (!sameJson(before, after)) {
      const was = before === undefined ? 'was not there' : `was ${JSON.stringify(before)}`
      faults.push({ path: `${path}.${key}`, problem: `${was} and must stay so; add a new field instead` })
    }
  }
  return faults
}

/** Leaving `optional` or `since` out says the same as their defaults. */
function settled(field: RecordField, key: string): unknown {
  const value = (field as unknown as Record<string, unknown>)[key]
  if (key === 'optional') return value === true
  return key === 'since' ? (value ?? 1) : value
}

function structChangeFaults(
  previous: Record<string, RecordField>,
  next: Record<string, RecordField>,
  path: string,
): Fault[] {
  if (Object.keys(previous).join() !== Object.keys(next).join()) {
    const problem = `were ${Object.keys(previous).join(', ')} and must stay so: only the record itself grows`
    return [{ path, problem }]
  }
  return Object.entries(next).flatMap(([name, field]) =>
    changeFaults(previous[name]!, field, `${path}.${name}`),
  )
}

function valuesChangeFaults(
  previous: readonly string[],
  next: readonly string[],
  room: number | undefined,
  path: string,
): Fault[] {
  if (previous.some((value, index) => value !== next[index])) {
    const problem = `began with ${previous.length} values that must stay as and where they were; new ones stand last`
    return [{ path, problem }]
  }
  if (next.length === previous.length || room !== undefined) return []
  return [{ path, problem: 'has no room for more: only an enum that was made with `room` takes new values' }]
}

/** Equal as JSON values, whatever the order of keys. */
function sameJson(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return one === other
  const [keys, otherKeys] = [Object.keys(one), Object.keys(other)]
  if (Array.isArray(one) !== Array.isArray(other) || keys.length !== otherKeys.length) return false
  return keys.every(
    (key) =>
      Object.hasOwn(other, key) &&
      sameJson((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]),
  )
}
