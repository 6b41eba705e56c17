/**
 * One entry of test/golden/clients.json: a model as clients are generated for it, and bodies with what they read as.
 * What stands for them in the file is worked out by the codec; what is worth an entry is said in the files beside.
 */
import { CodecError, compileRecordSchema, type RecordCodec } from '../../../src/domain/codec/codec.ts'
import type { RecordSchema } from '../../../src/domain/codec/record-schema.ts'

type Json = Readonly<Record<string, unknown>>

export interface GoldenEntry {
  readonly name: string
  readonly tenant: string
  readonly model: string
  /** The one that reads. */
  readonly schema: RecordSchema
  /** Older and newer states of it, by what bodies call them. */
  readonly writers?: Readonly<Record<string, RecordSchema>>
  /** The model's default record as its document has it, and as it is told; null: the model has none. */
  readonly default: { readonly given: Json; readonly json: Json } | null
  readonly bodies: readonly GoldenBody[]
}

type GoldenBody = BodyOrigin & ReadAs

interface BodyOrigin {
  /** The whole body, byte 0 included. */
  readonly hex: string
  /** The body is this record, packed by `writer`, or else by the schema itself. */
  readonly record?: Json
  readonly writer?: string
}

export type ReadAs = { readonly json: Json } | { readonly error: BodyError }

interface BodyError {
  readonly code: string
  /** Path from the record without the `[n]` of lists: `games.score`; empty where the record as a whole is at fault. */
  readonly field: string
}

/** What somebody who adds an entry says of it. */
export interface EntryGiven {
  readonly name: string
  readonly tenant?: string
  readonly model?: string
  readonly schema: RecordSchema
  readonly writers?: Readonly<Record<string, RecordSchema>>
  readonly default?: Json
  /** Packed by the schema. */
  readonly records?: readonly Json[]
  /** Packed by a writer. */
  readonly written?: readonly (readonly [writer: string, record: Json])[]
  /** Bodies as they are: hex, or `0b` and bits, which zeros fill up to a whole byte. Blanks mean nothing. */
  readonly bodies?: readonly string[]
  /** Each of the records is cut off after every one of its bytes, and gets a byte too many. */
  readonly cut?: boolean
}

export function entryOf(given: EntryGiven, index: number): GoldenEntry {
  const { name, schema, writers } = given
  const codec = compileRecordSchema(schema)
  const bodies = new Map<string, BodyOrigin>()
  const add = (body: BodyOrigin) => {
    if (!bodies.has(body.hex)) bodies.set(body.hex, body)
  }
  for (const record of given.records ?? []) {
    const hex = hexOf(codec.encode(record))
    add({ hex, record })
    if (given.cut !== true) continue
    for (let length = 0; length < hex.length; length += 2) add({ hex: hex.slice(0, length) })
    for (const byte of ['00', 'ff']) add({ hex: hex + byte })
  }
  for (const [writer, record] of given.written ?? []) {
    add({ hex: hexOf(compileRecordSchema(writers![writer]!).encode(record)), record, writer })
  }
  for (const text of given.bodies ?? []) add({ hex: bodyHex(text) })
  return {
    name,
    tenant: given.tenant ?? 'golden',
    model: given.model ?? `m${index}`,
    schema,
    ...(writers === undefined ? {} : { writers }),
    default:
      given.default === undefined
        ? null
        : { given: given.default, json: codec.decode(codec.encode(given.default)) },
    bodies: [...bodies.values()].map((body) => ({ ...body, ...readAs(codec, Buffer.from(body.hex, 'hex')) })),
  }
}

/** What a client must make of a body. */
export function readAs(codec: RecordCodec, packed: Uint8Array): ReadAs {
  try {
    return { json: codec.decode(packed) }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return { error: { code: error.code, field: error.field.replace(/\[\d+\]/g, '') } }
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function bodyHex(text: string): string {
  const digits = text.replaceAll(' ', '')
  if (!digits.startsWith('0b')) return digits
  const bits = digits.slice(2)
  const bytes = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0').match(/.{8}/g) ?? []
  return bytes.map((byte) => Number.parseInt(byte, 2).toString(16).padStart(2, '0')).join('')
}

/** `text`, preceded by its length in that many bits, as the bits of a body. */
export function sized(lengthBits: number, hex: string): string {
  const bytes = hex.replaceAll(' ', '').match(/../g) ?? []
  const length = bytes.length.toString(2).padStart(lengthBits, '0')
  return length + bytes.map((byte) => Number.parseInt(byte, 16).toString(2).padStart(8, '0')).join('')
}

/** `value` in that many bits. */
export function bits(value: number | bigint, width: number): string {
  return width === 0 ? '' : BigInt(value).toString(2).padStart(width, '0')
}

/** Byte 0 of a body of bits. */
export function revision(number: number): string {
  return `0b${bits(number, 8)}`
}
