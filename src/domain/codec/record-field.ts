/**
 * The shape of one field of a record schema, as it stands in a tenant's document. Whether the numbers in it make
 * sense together is `field-faults.ts`'s to say.
 */
import { z } from 'zod'
import { mustBe } from '../zod-faults.ts'

const wholeNumber = z.int(mustBe('a whole number within ±9007199254740991'))
const number = z.number(mustBe('a finite number'))

const common = {
  /** One presence bit first; absent is left out of the JSON. */
  optional: z.boolean().optional(),
  /** Stands in for a missing value, for an enum value that the reader doesn't know, in records older than the field. */
  default: z.unknown().optional(),
  /** The schema revision that brought a top-level field; 1 without it. */
  since: wholeNumber.optional(),
}

const boolField = z.strictObject({ type: z.literal('bool'), ...common })
const uintField = z.strictObject({ type: z.literal('uint'), max: wholeNumber, ...common })
const intField = z.strictObject({ type: z.literal('int'), min: wholeNumber, max: wholeNumber, ...common })
const fixedField = z.strictObject({
  type: z.literal('fixed'),
  min: number,
  max: number,
  step: number,
  ...common,
})
const enumField = z.strictObject({
  type: z.literal('enum'),
  values: z.array(z.string()),
  /** How many values the field's bits can ever tell apart. */
  room: wholeNumber.optional(),
  ...common,
})
const timestampField = z.strictObject({
  type: z.literal('timestamp'),
  /** RFC 3339. */
  from: z.string(),
  /** Whole milliseconds: 60, 1 or 0.001. */
  resolutionSeconds: number,
  bits: wholeNumber,
  ...common,
})
const stringField = z.strictObject({ type: z.literal('string'), maxBytes: wholeNumber, ...common })
const bytesField = z.strictObject({ type: z.literal('bytes'), maxBytes: wholeNumber, ...common })
const listField = z.strictObject({
  type: z.literal('list'),
  maxItems: wholeNumber,
  get items(): z.ZodType<RecordField> {
    return recordField
  },
  ...common,
})
const structField = z.strictObject({
  type: z.literal('struct'),
  get fields(): z.ZodType<Record<string, RecordField>> {
    return z.record(z.string(), recordField)
  },
  ...common,
})

export type BoolField = z.infer<typeof boolField>
export type UintField = z.infer<typeof uintField>
export type IntField = z.infer<typeof intField>
export type FixedField = z.infer<typeof fixedField>
export type EnumField = z.infer<typeof enumField>
export type TimestampField = z.infer<typeof timestampField>
export type StringField = z.infer<typeof stringField>
export type BytesField = z.infer<typeof bytesField>
type Common = Pick<BoolField, 'optional' | 'default' | 'since'>
// Written out, because a type that contains itself can't be inferred.
export interface ListField extends Common {
  type: 'list'
  maxItems: number
  items: RecordField
}
export interface StructField extends Common {
  type: 'struct'
  fields: Record<string, RecordField>
}
export type RecordField =
  | BoolField
  | UintField
  | IntField
  | FixedField
  | EnumField
  | TimestampField
  | StringField
  | BytesField
  | ListField
  | StructField

const types = 'bool, uint, int, fixed, enum, timestamp, string, bytes, list or struct'
const oneOfTypes = mustBe(types)
const anyField = mustBe(`a field, { type, … }, whose type is ${types}`)

export const recordField: z.ZodType<RecordField> = z.discriminatedUnion(
  'type',
  [
    boolField,
    uintField,
    intField,
    fixedField,
    enumField,
    timestampField,
    stringField,
    bytesField,
    listField,
    structField,
  ],
  {
    // Where it is a mapping, its type is at fault, and stands in the path.
    error: ({ code, input }) =>
      code === 'invalid_union'
        ? oneOfTypes.error({ input: (input as { readonly type?: unknown }).type })
        : anyField.error({ input }),
  },
)
