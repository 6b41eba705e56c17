/** Bodies as a client may meet them: records of any state of its schema, whole, damaged and cut off; and mere noise. */
import { compileRecordSchema, type RecordCodec } from '../../../src/domain/codec/codec.ts'
import type { Random } from './random.ts'
import { randomRecord } from './random-records.ts'
import type { SchemaStates } from './random-schemas.ts'

export function randomBodies(random: Random, states: SchemaStates, count: number): Buffer[] {
  const writers = states.map((schema) => ({ schema, codec: compileRecordSchema(schema) }))
  return Array.from({ length: count }, () => {
    const { schema, codec } = random.pick(writers)
    const packed = Buffer.from(codec.encode(randomRecord(random, schema)))
    const kind = random.weighted([
      [8, 'whole'],
      [7, 'damaged'],
      [3, 'cut'],
      [2, 'noise'],
    ] as const)
    if (kind === 'whole') return packed
    if (kind === 'damaged') return damaged(random, packed)
    if (kind === 'cut') return packed.subarray(0, random.whole(0, packed.length))
    return noise(random, codec)
  })
}

/** One to three things are wrong, or would be to a reader of another revision. */
function damaged(random: Random, packed: Buffer): Buffer {
  let bytes: Buffer = packed
  for (let left = random.whole(1, 3); left > 0; left--) bytes = wronged(random, bytes)
  return bytes
}

function wronged(random: Random, bytes: Buffer): Buffer {
  const at = random.whole(0, Math.max(0, bytes.length - 1))
  switch (
    random.weighted([
      [8, 'bit'],
      [3, 'byte'],
      [3, 'revision'],
      [2, 'add'],
      [1, 'insert'],
      [2, 'last'],
    ] as const)
  ) {
    case 'bit':
      return put(bytes, at, (bytes[at] ?? 0) ^ (1 << random.whole(0, 7)))
    case 'byte':
      return put(bytes, at, random.pick([0, 0x80, 0xc0, 0xff, random.whole(0, 255)]))
    case 'revision':
      return put(bytes, 0, random.pick([0, 1, 2, 3, 4, 5, 6, 9, 255, (bytes[0] ?? 0) + 1]))
    case 'add':
      return Buffer.concat([bytes, random.chance(0.5) ? Buffer.alloc(1) : random.bytes(random.whole(1, 9))])
    case 'insert':
      return Buffer.concat([bytes.subarray(0, at), random.bytes(1), bytes.subarray(at)])
    case 'last':
      // The padding, where there is some.
      return put(bytes, bytes.length - 1, (bytes.at(-1) ?? 0) | (1 << random.whole(0, 3)))
  }
}

function put(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes)
  if (at >= 0 && at < changed.length) changed[at] = value & 0xff
  return changed
}

function noise(random: Random, { revision, bytesMax }: RecordCodec): Buffer {
  const bytes = random.bytes(random.whole(1, Math.min(bytesMax + 2, 100)))
  const first = random.pick([1, revision, revision, revision + 1, random.whole(0, 255)])
  if (random.chance(0.3)) bytes.fill(random.pick([0, 0xff, 0xaa]))
  return put(bytes, 0, first)
}
