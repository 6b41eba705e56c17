/** Records that fit a schema, given as somebody might publish them: not all of their numbers lie on the field's grid. */
import type { RecordField, TimestampField } from '../../../src/domain/codec/record-field.ts'
import type { RecordSchema } from '../../../src/domain/codec/record-schema.ts'
import type { Random } from './random.ts'

export function randomRecord(random: Random, schema: RecordSchema): Record<string, unknown> {
  const record: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(schema)) {
    const dispensable = field.optional === true || field.default !== undefined
    if (!dispensable || random.chance(0.6)) record[name] = randomValue(random, field)
  }
  return record
}

export function randomValue(random: Random, field: RecordField): unknown {
  switch (field.type) {
    case 'bool':
      return random.chance(0.5)
    case 'uint':
      return random.edgy(0, field.max)
    case 'int':
      return random.edgy(field.min, field.max)
    case 'fixed':
      // Rounds to one of the ends at worst.
      return random.pick([field.min, field.max, field.min + random.next() * (field.max - field.min)])
    case 'enum':
      return random.pick(field.values)
    case 'timestamp':
      return randomInstant(random, field)
    case 'string':
      return randomText(random, random.edgy(0, field.maxBytes))
    case 'bytes':
      return random.bytes(random.edgy(0, field.maxBytes)).toString('base64')
    case 'list':
      return Array.from({ length: random.edgy(0, field.maxItems) }, () => randomValue(random, field.items))
    case 'struct':
      return randomRecord(random, field.fields)
  }
}

function randomInstant(random: Random, { from, resolutionSeconds, bits }: TimestampField): string {
  const resolutionMs = Math.round(resolutionSeconds * 1000)
  const start = new Date(from).getTime()
  return new Date(start + random.edgy(0, 2 ** bits - 1) * resolutionMs).toISOString()
}

/** Code points at the ends of what takes one, two, three and four bytes of UTF-8, and those with meanings of their own. */
const codePoints = [
  0, 9, 10, 13, 34, 36, 39, 42, 47, 92, 0x7f, 0x80, 0xe9, 0x7ff, 0x800, 0x2028, 0x65e5, 0xd7ff, 0xe000,
  0xfeff, 0xfffd, 0xffff, 0x1_0000, 0x1_f600, 0x10_ffff,
]

/** At most so many bytes of UTF-8, and mostly as many. */
export function randomText(random: Random, bytesMax: number): string {
  let text = ''
  let left = bytesMax
  while (left > 0) {
    const codePoint = random.chance(0.6) ? random.whole(0x20, 0x7e) : random.pick(codePoints)
    const character = String.fromCodePoint(codePoint)
    left -= Buffer.byteLength(character)
    if (left >= 0) text += character
  }
  return text
}
