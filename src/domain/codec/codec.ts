/**
 * A record as bits, the packed format:
 *
 *     byte    0          1 …
 *     bits    rrrrrrrr   ffff…  gggggg…  …  0…
 *             │          │      │           └ zero bits to the last byte's end
 *             │          fields in schema order, most significant bit first, without alignment
 *             the schema's revision when the record was packed, 1 to 255
 *
 * Three fields, uint max 7, bool, and a list of at most 3 of uint max 3, as { a: 5, b: true, c: [1, 2] }:
 *
 *     00000001  101 1 10 01 10 000000
 *     revision  a   b │  1  2  └ padding
 *                     └ 2 items, in width(4)                    → 01 b9 80
 *
 * A record is read by its own byte 0. Fields that it is too old for take their default; what a newer schema put
 * behind the fields known here is ignored.
 */
import { FaultsError } from '../errors.ts'
import { limits } from '../limits.ts'
import { BitReader, BitWriter } from './bits.ts'
import { CodecError, within } from './codec-error.ts'
import { compileField } from './compile-field.ts'
import { type Member, memberOf, membersJson, membersWriter, readMembers } from './nested-codecs.ts'
import type { RecordField } from './record-field.ts'
import { type RecordSchema, recordSchemaFaults, recordSchemaRevision } from './record-schema.ts'

export { CodecError } from './codec-error.ts'

export interface RecordCodec {
  /** The newest, which `encode` writes. */
  readonly revision: number
  /** Worst case of the newest revision. */
  readonly bytesMax: number
  /** @throws {CodecError} naming the field, the value and what would fit */
  encode(record: Readonly<Record<string, unknown>>): Uint8Array
  /**
   * Packs rows that stand in columns of these names, each of which is a field: the same bits as `encode` of the row's
   * record. The writer gets one value a column, in their order. @throws {CodecError} as `encode` does
   */
  columnsWriter(names: readonly string[]): (writer: BitWriter, values: readonly unknown[]) => void
  /** A plain object as JSON would hold it: timestamps and bytes are text. @throws {CodecError} */
  decode(packed: Uint8Array): Record<string, unknown>
  /** The record as JSON text straight from the bits; equals `JSON.stringify(decode(packed))`. @throws {CodecError} */
  toJsonText(packed: Uint8Array): string
}

/** How the records of one revision are read by this schema. */
interface Layout {
  /** The fields that such a record has. */
  readonly members: readonly Member[]
  /** Stand-ins for fields that it is too old for. */
  readonly standIns: readonly StandIn[]
  /** `"name":value,…` of the stand-ins. */
  readonly standInsJson: string
  /** Of a revision known here every bit is known; of a newer one only the beginning. */
  readonly known: boolean
}

interface StandIn {
  readonly member: Member
  /** The default, packed: read anew for each record, since records are their readers' to change. */
  readonly packed: Uint8Array
}

/** @throws {FaultsError} where `recordSchemaFaults` has something against the schema */
export function compileRecordSchema(schema: RecordSchema): RecordCodec {
  const faults = recordSchemaFaults(schema)
  if (faults.length > 0) throw new FaultsError('record schema', faults)
  const revision = recordSchemaRevision(schema)
  const fields = Object.entries(schema)
  const members = fields.map(([name, field]) => memberOf(name, compileField(field)))
  const layouts = compileLayouts(fields, members, revision)
  const bytesMax = 1 + Math.ceil(members.reduce((bits, { codec }) => bits + codec.bitsMax, 0) / 8)
  const write = membersWriter(members)
  // Room for the common record; one that is longer makes the writer grow.
  const roomBytes = Math.min(bytesMax, limits.listpackValueBytesMax)

  return {
    revision,
    bytesMax,
    encode(record) {
      const writer = new BitWriter(roomBytes)
      writer.write(revision, 8)
      write(writer, record)
      return writer.finish()
    },
    columnsWriter(names) {
      const columns = members.map(({ name }) => names.indexOf(name))
      return (writer, values) => {
        writer.write(revision, 8)
        let index = 0
        try {
          for (; index < members.length; index++) {
            const column = columns[index]!
            members[index]!.codec.write(writer, column === -1 ? undefined : values[column])
          }
        } catch (error) {
          throw within(members[index]!.name, error)
        }
      }
    },
    decode(packed) {
      const reader = new BitReader(packed)
      const layout = layoutOf(packed, reader, layouts)
      const record = readMembers(reader, layout.members)
      for (const { member, packed: standIn } of layout.standIns) {
        record[member.name] = member.codec.read(new BitReader(standIn))
      }
      if (layout.known) reader.expectEnd()
      return record
    },
    toJsonText(packed) {
      const reader = new BitReader(packed)
      const { members, standInsJson, known } = layoutOf(packed, reader, layouts)
      const json = membersJson(reader, members)
      if (known) reader.expectEnd()
      if (standInsJson === '') return `{${json}}`
      return json === '' ? `{${standInsJson}}` : `{${json},${standInsJson}}`
    },
  }
}

/** Reads byte 0. */
function layoutOf(packed: Uint8Array, reader: BitReader, layouts: readonly Layout[]): Layout {
  if (packed.length === 0) {
    throw new CodecError('packed-empty', 'no bytes; a packed record has its revision in byte 0')
  }
  const revision = reader.read(8)
  if (revision === 0) throw new CodecError('revision-zero', 'byte 0 is 0; revisions count from 1 to 255')
  return layouts[revision] ?? layouts[0]!
}

/** At index 1 and up each known revision's; at 0, which is no revision, the one for records of newer schemas. */
function compileLayouts(
  fields: readonly (readonly [string, RecordField])[],
  members: readonly Member[],
  newest: number,
): Layout[] {
  const layouts: Layout[] = [{ members, standIns: [], standInsJson: '', known: false }]
  for (let revision = 1; revision <= newest; revision++) {
    const count = fields.filter(([, { since = 1 }]) => since <= revision).length
    const standIns: StandIn[] = []
    members.forEach((member, index) => {
      if (index < count || fields[index]![1].default === undefined) return
      const writer = new BitWriter(0)
      member.codec.write(writer, undefined)
      standIns.push({ member, packed: writer.finish() })
    })
    const standInsJson = standIns
      .map(({ member, packed }) => member.key + member.codec.json(new BitReader(packed)))
      .join(',')
    layouts.push({ members: members.slice(0, count), standIns, standInsJson, known: true })
  }
  return layouts
}
