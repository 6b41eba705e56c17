/**
 * What a generated client knows of a model, worked out once for all languages: how many bits each field has and what
 * they stand for, what stands in for a field that a record is too old for, and what a request must carry. Generators
 * write it down in their language and decide nothing about bits themselves.
 */
import { BitReader, BitWriter, widthOf } from '../domain/codec/bits.ts'
import { compileRecordSchema } from '../domain/codec/codec.ts'
import { compileField } from '../domain/codec/compile-field.ts'
import { fixedGrid, wholeMilliseconds } from '../domain/codec/fixed-grid.ts'
import { parseInstant } from '../domain/codec/instant.ts'
import type { RecordField } from '../domain/codec/record-field.ts'
import { type RecordSchema, recordSchemaRevision } from '../domain/codec/record-schema.ts'
import type { KeyPartDocument } from '../domain/tenant-document.ts'

export interface ClientModel {
  readonly tenantId: string
  readonly modelId: string
  /** The newest that the client knows; fields of later ones are ignored. */
  readonly revision: number
  /** In the order of their bits. */
  readonly members: readonly ClientMember[]
  /** As JSON would hold it, with every field's stand-in put in; null where the model has none. */
  readonly defaultRecord: Readonly<Record<string, unknown>> | null
  /** Query parameters that every request must carry, in the row key's order. */
  readonly parameters: readonly ClientParameter[]
  /** What the gateway allows itself for one answer. */
  readonly deadlineMs: number
}

export interface ClientParameter {
  readonly name: string
  readonly accepts:
    | { readonly type: 'values'; readonly values: readonly string[] }
    | { readonly type: 'uint'; readonly max: number }
    | { readonly type: 'id'; readonly maxBytes: number }
}

/** A field under its name, in the record or in a struct. */
export interface ClientMember {
  readonly name: string
  /** The revision that brought it: records below it don't have its bits. 1 within structs. */
  readonly since: number
  readonly value: ClientValue
}

/** A field's bits. */
export interface ClientValue {
  readonly type: ClientType
  /** One presence bit comes first. */
  readonly optional: boolean
  /** For records that are too old to have the field, as JSON would hold it; undefined: it is absent then. */
  readonly standIn: unknown
}

export type ClientType =
  | { readonly kind: 'bool' }
  /** `uint` and `int`: `min` + the bits, at most `max`; whole within ±(2^53 − 1). */
  | { readonly kind: 'integer'; readonly bits: number; readonly min: number; readonly max: number }
  /**
   * The bits are steps k from 0 to `steps`; the value is `(minUnits + k × stepUnits) / unitsPerOne` as doubles, which
   * is exact up to the division, and so the double nearest to the decimal.
   */
  | {
      readonly kind: 'fixed'
      readonly bits: number
      readonly steps: number
      readonly minUnits: number
      readonly stepUnits: number
      readonly unitsPerOne: number
      /** Decimals of every value. */
      readonly scale: number
      readonly min: number
      readonly max: number
      readonly step: number
    }
  /**
   * The bits are an index. From `values.length` to `room` − 1 it is a value of a newer schema, for which `unknown`
   * stands in (its index; null: the field is absent); from `room` on the bits are wrong.
   */
  | {
      readonly kind: 'enum'
      readonly bits: number
      readonly values: readonly string[]
      readonly room: number
      readonly unknown: number | null
    }
  /** `fromMs` + the bits × `resolutionMs`, in Unix milliseconds; years 0000 to 9999. */
  | {
      readonly kind: 'timestamp'
      readonly bits: number
      readonly fromMs: number
      readonly resolutionMs: number
    }
  /** `lengthBits`, at most `maxBytes`, then so many bytes from the next bit on. */
  | { readonly kind: 'string'; readonly lengthBits: number; readonly maxBytes: number }
  | { readonly kind: 'bytes'; readonly lengthBits: number; readonly maxBytes: number }
  /** `countBits`, at most `maxItems`, then the items; items are never optional. */
  | {
      readonly kind: 'list'
      readonly countBits: number
      readonly maxItems: number
      readonly item: ClientValue
    }
  | { readonly kind: 'struct'; readonly members: readonly ClientMember[] }

export interface DescribedModel {
  readonly tenantId: string
  readonly modelId: string
  /** Without faults. */
  readonly record: RecordSchema
  readonly key: readonly KeyPartDocument[]
  readonly defaultRecord: Readonly<Record<string, unknown>> | null
  readonly deadlineMs: number
}

export function describeClientModel(model: DescribedModel): ClientModel {
  return {
    tenantId: model.tenantId,
    modelId: model.modelId,
    revision: recordSchemaRevision(model.record),
    members: Object.entries(model.record).map(([name, field]) => memberOf(name, field)),
    defaultRecord: settledDefault(model),
    parameters: model.key.flatMap((part) => parameterOf(part)),
    deadlineMs: model.deadlineMs,
  }
}

function parameterOf(part: KeyPartDocument): ClientParameter[] {
  if ('claim' in part) return []
  if ('values' in part) return [{ name: part.query, accepts: { type: 'values', values: part.values } }]
  if ('uint' in part) return [{ name: part.query, accepts: { type: 'uint', max: part.uint.max } }]
  return [{ name: part.query, accepts: { type: 'id', maxBytes: part.id.maxBytes } }]
}

function memberOf(name: string, field: RecordField): ClientMember {
  return { name, since: field.since ?? 1, value: clientValue(field) }
}

function clientValue(field: RecordField): ClientValue {
  return { type: typeOf(field), optional: field.optional === true, standIn: standInOf(field) }
}

/** As it comes back from its bits: rounded to its grid, with the stand-ins of its own fields. */
function standInOf(field: RecordField): unknown {
  if (field.default === undefined) return undefined
  const codec = compileField(field)
  const writer = new BitWriter(0)
  codec.write(writer, undefined)
  return codec.read(new BitReader(writer.finish()))
}

/** The same of the record that stands in for all. */
function settledDefault({ record, defaultRecord }: DescribedModel): ClientModel['defaultRecord'] {
  if (defaultRecord === null) return null
  const codec = compileRecordSchema(record)
  return codec.decode(codec.encode(defaultRecord))
}

function typeOf(field: RecordField): ClientType {
  switch (field.type) {
    case 'bool':
      return { kind: 'bool' }
    case 'uint':
      return { kind: 'integer', bits: widthOf(field.max + 1), min: 0, max: field.max }
    case 'int':
      return {
        kind: 'integer',
        bits: widthOf(field.max - field.min + 1),
        min: field.min,
        max: field.max,
      }
    case 'fixed': {
      const { min, max, step } = field
      const grid = fixedGrid(field)
      return { kind: 'fixed', bits: widthOf(grid.steps + 1), ...grid, min, max, step }
    }
    case 'enum': {
      const room = field.room ?? field.values.length
      const unknown = typeof field.default === 'string' ? field.values.indexOf(field.default) : null
      return { kind: 'enum', bits: widthOf(room), values: field.values, room, unknown }
    }
    case 'timestamp':
      return {
        kind: 'timestamp',
        bits: field.bits,
        fromMs: parseInstant(field.from)!,
        resolutionMs: wholeMilliseconds(field.resolutionSeconds)!,
      }
    case 'string':
    case 'bytes':
      return { kind: field.type, lengthBits: widthOf(field.maxBytes + 1), maxBytes: field.maxBytes }
    case 'list':
      return {
        kind: 'list',
        countBits: widthOf(field.maxItems + 1),
        maxItems: field.maxItems,
        item: clientValue(field.items),
      }
    case 'struct':
      return {
        kind: 'struct',
        members: Object.entries(field.fields).map(([name, inner]) => memberOf(name, inner)),
      }
  }
}
