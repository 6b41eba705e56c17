import { describe, expect, it } from 'vitest'
import { CodecError, compileRecordSchema } from '../../../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../../../src/domain/codec/record-schema.ts'
import { FaultsError } from '../../../../src/domain/errors.ts'

const compile = (schema: unknown) => compileRecordSchema(recordSchemaDocument.parse(schema))
const bytesOfBits = (text: string) =>
  Uint8Array.from(text.replaceAll(/[^01]/g, '').match(/.{1,8}/g)!, (bits) =>
    Number.parseInt(bits.padEnd(8, '0'), 2),
  )

function errorOf(action: () => unknown): CodecError {
  try {
    action()
  } catch (error) {
    if (error instanceof CodecError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** A schema of one field `a`. */
function field(definition: object) {
  const codec = compile({ a: definition })
  return {
    codec,
    trip: (value: unknown) => codec.decode(codec.encode({ a: value }))['a'],
    json: (value: unknown) => codec.toJsonText(codec.encode({ a: value })),
    refusal: (value: unknown) => errorOf(() => codec.encode({ a: value })),
    read: (bits: string) => {
      const packed = bytesOfBits(`00000001${bits}`)
      const record = codec.decode(packed)
      expect(codec.toJsonText(packed)).toBe(JSON.stringify(record))
      return record
    },
    unreadable: (bits: string) => {
      const packed = bytesOfBits(`00000001${bits}`)
      const error = errorOf(() => codec.decode(packed))
      expect(errorOf(() => codec.toJsonText(packed)).message).toBe(error.message)
      return error
    },
  }
}

const sampleSchema = {
  segment: {
    type: 'enum',
    values: ['newcomer', 'casual', 'regular', 'collector'],
    room: 16,
    default: 'newcomer',
  },
  hours_played: { type: 'fixed', min: 0, max: 20000, step: 0.1 },
  games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4095 } },
  scores: { type: 'list', maxItems: 5, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
}

describe('the worked example', () => {
  const codec = compile(sampleSchema)
  const record = { segment: 'regular', hours_played: 1234.5, games: [1, 2, 3], scores: [1, 0.5, 0.3] }
  const packed = bytesOfBits(`
    00000001
    0010
    000011000000111001
    011 000000000001 000000000010 000000000011
    011 1111101000 0111110100 0100101100
  `)

  it('packs bit by bit as drawn', () => {
    expect([...codec.encode(record)]).toEqual([...packed])
    expect(packed).toHaveLength(13)
  })

  it('reads back, as an object and as text', () => {
    expect(codec.decode(packed)).toStrictEqual(record)
    expect(codec.toJsonText(packed)).toBe(JSON.stringify(record))
  })

  it("packs the example of codec.ts's head", () => {
    const small = compile({
      a: { type: 'uint', max: 7 },
      b: { type: 'bool' },
      c: { type: 'list', maxItems: 3, items: { type: 'uint', max: 3 } },
    })
    expect(Buffer.from(small.encode({ a: 5, b: true, c: [1, 2] })).toString('hex')).toBe('01b980')
  })

  it('knows its worst case', () => {
    expect(codec.bytesMax).toBe(1 + Math.ceil((4 + 18 + 3 + 60 + 3 + 50) / 8))
    const full = { ...record, games: [1, 2, 3, 4, 5], scores: [0, 0, 0, 0, 0] }
    expect(codec.encode(full)).toHaveLength(codec.bytesMax)
  })

  it('reads a Buffer that is part of a larger one', () => {
    const pool = Buffer.concat([Buffer.from([9]), packed, Buffer.from([9])])
    expect(codec.decode(pool.subarray(1, -1))).toEqual(record)
  })

  it('gives every reader a record of its own', () => {
    const first = codec.decode(packed)
    ;(first['games'] as number[]).push(9)
    expect(codec.decode(packed)).toEqual(record)
  })
})

describe('bool', () => {
  const flag = field({ type: 'bool' })
  it('is one bit', () => {
    expect(flag.read('0')).toEqual({ a: false })
    expect(flag.read('1')).toEqual({ a: true })
    expect([flag.trip(true), flag.trip(false)]).toEqual([true, false])
  })
  it.each([1, 0, 'true', [], {}, 1n, Symbol('x'), () => 1])('refuses %s', (value) => {
    expect(flag.refusal(value)).toMatchObject({ code: 'value-type', field: 'a', value })
  })
})

describe('uint and int', () => {
  it('hold their bounds', () => {
    const small = field({ type: 'int', min: -3, max: 2 })
    expect([-3, -1, 0, 2].map(small.trip)).toEqual([-3, -1, 0, 2])
    expect(small.read('000')).toEqual({ a: -3 })
    expect(small.read('101')).toEqual({ a: 2 })
    expect(small.unreadable('110')).toMatchObject({ code: 'bits-range', field: 'a' })
    expect(small.refusal(3)).toMatchObject({ code: 'value-range', field: 'a', value: 3 })
    expect(small.refusal(3).message).toBe("a: 3 doesn't fit; what fits is a whole number from -3 to 2")
    expect(small.refusal(-4).code).toBe('value-range')
  })

  it('hold 53 bits', () => {
    const wide = field({ type: 'uint', max: Number.MAX_SAFE_INTEGER })
    expect([0, 2 ** 32, 2 ** 53 - 1].map(wide.trip)).toEqual([0, 2 ** 32, 2 ** 53 - 1])
    expect(wide.json(2 ** 53 - 1)).toBe('{"a":9007199254740991}')
    const low = field({ type: 'int', min: -Number.MAX_SAFE_INTEGER, max: 0 })
    expect([-(2 ** 53 - 1), -1, 0].map(low.trip)).toEqual([-(2 ** 53 - 1), -1, 0])
  })

  it('take no bits for one value', () => {
    const single = field({ type: 'int', min: 7, max: 7 })
    expect(single.codec.encode({ a: 7 })).toHaveLength(1)
    expect(single.trip(7)).toBe(7)
  })

  it('take a bigint where it fits', () => {
    const wide = field({ type: 'uint', max: Number.MAX_SAFE_INTEGER })
    expect(wide.trip(9007199254740991n)).toBe(9007199254740991)
    expect(wide.refusal(9007199254740992n).code).toBe('value-range')
    expect(wide.refusal(10n ** 400n)).toMatchObject({ code: 'value-range', value: 10n ** 400n })
    expect(wide.refusal(10n ** 400n).message.length).toBeLessThan(200)
    const small = field({ type: 'int', min: -5, max: 5 })
    expect(small.trip(-5n)).toBe(-5)
    expect(small.refusal(-6n).code).toBe('value-range')
  })

  it('have no negative zero', () => {
    expect(field({ type: 'int', min: -1, max: 1 }).trip(-0)).toBe(0)
    expect(field({ type: 'int', min: -0, max: 1 }).json(0)).toBe('{"a":0}')
  })

  it.each([1.5, Number.NaN, '1', true, [1]])('refuse %s', (value) => {
    expect(field({ type: 'uint', max: 5 }).refusal(value).code).toBe('value-type')
  })

  it('refuse huge numbers', () => {
    expect(field({ type: 'uint', max: 5 }).refusal(1e300).code).toBe('value-range')
    expect(field({ type: 'uint', max: 5 }).refusal(Number.POSITIVE_INFINITY).code).toBe('value-range')
  })
})

describe('fixed', () => {
  const tenths = field({ type: 'fixed', min: 0, max: 20000, step: 0.1 })
  it('decodes to the exact decimal', () => {
    expect(tenths.trip(0.1 + 0.2)).toBe(0.3)
    expect(tenths.json(0.1 + 0.2)).toBe('{"a":0.3}')
    expect(tenths.json(19999.999)).toBe('{"a":20000}')
    expect(tenths.trip(12.3499)).toBe(12.3)
  })
  it('refuses what rounds out of its bounds', () => {
    expect(tenths.trip(-0.05)).toBe(0)
    expect(tenths.refusal(-0.06).code).toBe('value-range')
    expect(tenths.trip(20000.04)).toBe(20000)
    expect(tenths.refusal(20000.05).code).toBe('value-range')
    expect(tenths.refusal(1e300).code).toBe('value-range')
  })
  it.each([Number.NaN, '0.3', true, []])('refuses %s', (value) => {
    expect(tenths.refusal(value).code).toBe('value-type')
  })
  it.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 10n ** 400n])('refuses %s', (value) => {
    expect(tenths.refusal(value).code).toBe('value-range')
  })
  it('refuses bits beyond its steps, with a table of texts and without', () => {
    expect(tenths.unreadable('1'.repeat(18)).code).toBe('bits-range')
    const few = field({ type: 'fixed', min: -1, max: 1, step: 0.5 })
    expect(few.read('000')).toEqual({ a: -1 })
    expect(few.read('000')).toEqual({ a: -1 })
    expect(few.read('010')).toEqual({ a: 0 })
    expect(few.unreadable('101').code).toBe('bits-range')
  })
  it('prints small numbers as JSON does', () => {
    const tiny = field({ type: 'fixed', min: 0, max: 1e-6, step: 1e-8 })
    expect(tiny.json(3e-8)).toBe('{"a":3e-8}')
    expect(tiny.trip(3e-8)).toBe(3e-8)
  })
  it('takes a bigint', () => {
    expect(tenths.trip(12n)).toBe(12)
  })
})

describe('enum', () => {
  const closed = field({ type: 'enum', values: ['x', 'y', 'z'] })
  const open = field({ type: 'enum', values: ['x', 'y'], room: 5, default: 'y' })
  it('is an index', () => {
    expect(closed.read('10')).toEqual({ a: 'z' })
    expect(['x', 'y', 'z'].map(closed.trip)).toEqual(['x', 'y', 'z'])
    expect(field({ type: 'enum', values: ['only'] }).codec.encode({ a: 'only' })).toHaveLength(1)
  })
  it('refuses what it does not know', () => {
    expect(closed.refusal('w')).toMatchObject({ code: 'value-unknown', field: 'a', value: 'w' })
    expect(closed.refusal('w').message).toBe('a: "w" doesn\'t fit; what fits is one of "x", "y", "z"')
    expect(closed.refusal(1).code).toBe('value-type')
    expect(closed.refusal('toString').code).toBe('value-unknown')
    expect(closed.unreadable('11').code).toBe('bits-range')
  })
  it('with room, gives the default for what a newer schema knows', () => {
    expect(open.read('010')).toEqual({ a: 'y' })
    expect(open.read('100')).toEqual({ a: 'y' })
    expect(open.unreadable('101').code).toBe('bits-range')
  })
  it('with room and optional, is absent for it', () => {
    const optional = field({ type: 'enum', values: ['x'], room: 2, optional: true })
    expect(optional.read('11')).toEqual({})
    expect(optional.read('10')).toEqual({ a: 'x' })
    expect(optional.read('0')).toEqual({})
    const both = field({ type: 'enum', values: ['x'], room: 2, optional: true, default: 'x' })
    expect(both.read('11')).toEqual({ a: 'x' })
  })
  it('writes its values as JSON', () => {
    expect(field({ type: 'enum', values: ['a"b\\', 'ü😀\n'] }).json('ü😀\n')).toBe('{"a":"ü😀\\n"}')
  })
  it('shows a few of many values', () => {
    const many = field({ type: 'enum', values: Array.from({ length: 20 }, (_, index) => `v${index}`) })
    expect(many.refusal('w').message).toContain('"v7" and 12 more')
  })
})

describe('timestamp', () => {
  const minutes = field({ type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 60, bits: 8 })
  it('floors to whole resolutions since from', () => {
    expect(minutes.trip('2026-01-01T00:00:59.999Z')).toBe('2026-01-01T00:00:00Z')
    expect(minutes.trip('2026-01-01T01:01:00+01:00')).toBe('2026-01-01T00:01:00Z')
    expect(minutes.trip(new Date('2026-01-01T04:15:30Z'))).toBe('2026-01-01T04:15:00Z')
    expect(minutes.read('00000001')).toEqual({ a: '2026-01-01T00:01:00Z' })
  })
  it('refuses what lies outside', () => {
    expect(minutes.refusal('2025-12-31T23:59:59.999Z').code).toBe('value-range')
    expect(minutes.refusal('2026-01-01T04:16:00Z').code).toBe('value-range')
    expect(minutes.refusal(new Date(8.64e15)).code).toBe('value-range')
    expect(minutes.refusal('2026-01-01T04:16:00Z').message).toContain('to 2026-01-01T04:15:59.999Z')
  })
  it.each(['2026-01-01', 'yesterday', 1767225600, new Date(Number.NaN), {}])('refuses %s', (value) => {
    expect(minutes.refusal(value).code).toBe('value-type')
  })
  it('has decimals where its resolution or its start has', () => {
    const fine = field({ type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 0.25, bits: 16 })
    expect(fine.trip('2026-01-01T00:00:01.49Z')).toBe('2026-01-01T00:00:01.250Z')
    expect(fine.json('2026-01-01T00:00:01Z')).toBe('{"a":"2026-01-01T00:00:01.000Z"}')
    const odd = field({ type: 'timestamp', from: '2026-01-01T00:00:00.5Z', resolutionSeconds: 1, bits: 16 })
    expect(odd.trip('2026-01-01T00:00:01.6Z')).toBe('2026-01-01T00:00:01.500Z')
  })
})

describe('string', () => {
  const text = field({ type: 'string', maxBytes: 12 })
  it.each(['', 'hello', 'äöü', 'プレイヤ', '😀😀😀', '\ufeffbom', '\0\u001f"\\', '\u2028', 'twelve chars'])(
    'holds %j',
    (value) => {
      expect(text.trip(value)).toBe(value)
      expect(text.json(value)).toBe(JSON.stringify({ a: value }))
    },
  )
  it('counts bytes of UTF-8', () => {
    expect(text.refusal('thirteen char')).toMatchObject({ code: 'value-too-long', field: 'a' })
    expect(text.refusal('プレイヤー').code).toBe('value-too-long')
    expect(text.refusal('プレイヤー').message).toContain('has 15 bytes')
  })
  it('refuses half a surrogate pair, and what is no text', () => {
    expect(text.refusal('\ud83d').code).toBe('value-type')
    expect(text.refusal('a\ude00b').code).toBe('value-type')
    expect(text.refusal(5).code).toBe('value-type')
  })
  it('shortens long values in messages', () => {
    expect(text.refusal('x'.repeat(5000)).message.length).toBeLessThan(200)
  })
  it('refuses hostile bits', () => {
    expect(text.unreadable('1101').code).toBe('length-range')
    expect(text.unreadable('0010 11111111').code).toBe('packed-truncated')
    const bytes = (...hex: number[]) => hex.map((byte) => byte.toString(2).padStart(8, '0')).join('')
    expect(text.unreadable(`0001${bytes(0xff)}`)).toMatchObject({ code: 'utf8-invalid', field: 'a' })
    expect(text.unreadable(`0010${bytes(0xc0, 0x80)}`).code).toBe('utf8-invalid')
    expect(text.unreadable(`0011${bytes(0xed, 0xa0, 0x80)}`).code).toBe('utf8-invalid')
    expect(text.unreadable(`0010${bytes(0x61, 0xe2)}`).code).toBe('utf8-invalid')
    expect(text.read(`0011${bytes(0x61, 0xc3, 0xa4)}`)).toEqual({ a: 'aä' })
  })
})

describe('bytes', () => {
  const blob = field({ type: 'bytes', maxBytes: 6 })
  it('takes bytes or base64, gives base64', () => {
    expect(blob.trip(Uint8Array.of(0, 255, 16))).toBe('AP8Q')
    expect(blob.trip(Buffer.from([1]))).toBe('AQ==')
    expect(blob.trip('AP8Q')).toBe('AP8Q')
    expect(blob.trip('')).toBe('')
    expect(blob.json(Uint8Array.of(0xfb, 0xff))).toBe('{"a":"+/8="}')
  })
  it.each(['AQ', 'AQ=', 'AR==', 'A Q==', '-_8=', 'AQ==\n', '=AQ=', '!', 'AQ==AQ=='])(
    'refuses %j',
    (value) => {
      expect(blob.refusal(value).code).toBe('value-type')
    },
  )
  it('refuses too many, and other kinds', () => {
    expect(blob.refusal(new Uint8Array(7)).code).toBe('value-too-long')
    expect(blob.refusal(Buffer.alloc(7).toString('base64')).code).toBe('value-too-long')
    expect(blob.refusal([1, 2]).code).toBe('value-type')
    expect(blob.refusal(new Uint16Array(1)).code).toBe('value-type')
    expect(blob.unreadable('111').code).toBe('length-range')
  })
})

describe('list', () => {
  const list = field({ type: 'list', maxItems: 4, items: { type: 'uint', max: 9 } })
  it('is a count and the items', () => {
    expect(list.read('010 0011 1001')).toEqual({ a: [3, 9] })
    expect(list.read('000')).toEqual({ a: [] })
    expect([[], [1], [1, 2, 3, 4]].map(list.trip)).toEqual([[], [1], [1, 2, 3, 4]])
  })
  it('names the item at fault', () => {
    expect(list.refusal([1, 2, 10])).toMatchObject({ code: 'value-range', field: 'a[2]', value: 10 })
    expect(list.refusal([1, null])).toMatchObject({ code: 'value-missing', field: 'a[1]' })
    expect(list.refusal(new Array(2))).toMatchObject({ code: 'value-missing', field: 'a[0]' })
    expect(list.unreadable('010 0000 1010')).toMatchObject({ code: 'bits-range', field: 'a[1]' })
    expect(list.unreadable('100 0000')).toMatchObject({ code: 'packed-truncated', field: 'a[1]' })
    const deep = field({
      type: 'list',
      maxItems: 3,
      items: { type: 'list', maxItems: 3, items: { type: 'struct', fields: { x: { type: 'bool' } } } },
    })
    expect(deep.refusal([[], [{ x: true }, { x: 3 }]])).toMatchObject({ field: 'a[1][1].x', value: 3 })
  })
  it('refuses too many, and what is no list', () => {
    expect(list.refusal([1, 2, 3, 4, 5]).code).toBe('value-too-long')
    expect(list.refusal('1,2').code).toBe('value-type')
    expect(list.refusal({ length: 1, 0: 1 }).code).toBe('value-type')
    expect(list.unreadable('101').code).toBe('length-range')
  })
  it('puts the default of its items in the place of null', () => {
    const items = { type: 'uint', max: 9, default: 7 }
    expect(field({ type: 'list', maxItems: 3, items }).trip([1, null, undefined])).toEqual([1, 7, 7])
  })
  it('holds items of no bits', () => {
    const nothing = field({ type: 'list', maxItems: 4095, items: { type: 'uint', max: 0 } })
    expect(nothing.trip(new Array(4095).fill(0))).toHaveLength(4095)
  })
})

describe('struct', () => {
  const struct = field({
    type: 'struct',
    fields: {
      x: { type: 'uint', max: 3 },
      y: { type: 'bool', optional: true },
      z: { type: 'uint', max: 3, default: 2 },
    },
  })
  it('is its fields in order', () => {
    expect(struct.read('01 1 1 11')).toEqual({ a: { x: 1, y: true, z: 3 } })
    expect(struct.read('01 0 11')).toEqual({ a: { x: 1, z: 3 } })
    expect(Object.keys(struct.trip({ z: 1, y: false, x: 0 }) as object)).toEqual(['x', 'y', 'z'])
    expect(struct.trip({ x: 1 })).toEqual({ x: 1, z: 2 })
  })
  it('names the field at fault', () => {
    expect(struct.refusal({ y: true })).toMatchObject({ code: 'value-missing', field: 'a.x' })
    expect(struct.refusal({ x: 1, w: 5 })).toMatchObject({ code: 'field-unknown', field: 'a.w', value: 5 })
    const wide = field({ type: 'struct', fields: { x: { type: 'uint', max: 255 }, y: { type: 'bool' } } })
    expect(wide.unreadable('00000001')).toMatchObject({ code: 'packed-truncated', field: 'a.y' })
  })
  it.each(['x', 5, [], new Map(), new Date(), Uint8Array.of(1)])('refuses %s', (value) => {
    expect(struct.refusal(value)).toMatchObject({ code: 'value-type', field: 'a' })
  })
  it('with nothing but absent fields is empty', () => {
    const empty = field({ type: 'struct', fields: { x: { type: 'bool', optional: true } } })
    expect(empty.json({})).toBe('{"a":{}}')
  })
})

describe('absence', () => {
  it('costs one bit and leaves the JSON', () => {
    const optional = field({ type: 'uint', max: 255, optional: true })
    expect(optional.read('0')).toStrictEqual({})
    expect(optional.read('1 00000111')).toEqual({ a: 7 })
    expect([...optional.codec.encode({})]).toEqual([1, 0])
    expect([...optional.codec.encode({ a: null })]).toEqual([1, 0])
    expect([...optional.codec.encode({ a: undefined })]).toEqual([1, 0])
  })
  it('takes the default where there is one, also for an optional field', () => {
    expect(field({ type: 'uint', max: 9, default: 4 }).trip(null)).toBe(4)
    expect(field({ type: 'uint', max: 9, default: 4, optional: true }).trip(undefined)).toBe(4)
    expect(field({ type: 'uint', max: 9, default: 4, optional: true }).read('0')).toEqual({})
    expect(field({ type: 'fixed', min: 0, max: 1, step: 0.1, default: 0.34 }).trip(null)).toBe(0.3)
  })
  it('is an error otherwise', () => {
    const strict = compile({ a: { type: 'bool' }, b: { type: 'bool' } })
    expect(errorOf(() => strict.encode({ a: true }))).toMatchObject({ code: 'value-missing', field: 'b' })
    expect(errorOf(() => strict.encode({ a: true })).message).toBe(
      'b: is missing; what fits is true or false',
    )
  })
  it('is not filled from what every object inherits', () => {
    const named = compile({
      toString: { type: 'bool', optional: true },
      valueOf: { type: 'bool', optional: true },
    })
    expect(named.decode(named.encode({}))).toStrictEqual({})
    expect(named.toJsonText(named.encode({ toString: true }))).toBe('{"toString":true}')
  })
})

describe('records as a whole', () => {
  const codec = compile({ a: { type: 'uint', max: 15 } })
  it('refuses fields that it does not know', () => {
    expect(errorOf(() => codec.encode({ a: 1, b: 2 }))).toMatchObject({
      code: 'field-unknown',
      field: 'b',
      value: 2,
    })
    expect(errorOf(() => codec.encode(JSON.parse('{"a":1,"__proto__":2}'))).code).toBe('field-unknown')
  })
  it.each([null, undefined, 5, 'x', [], new Map()])('refuses %s', (record) => {
    expect(errorOf(() => Reflect.apply(codec.encode, codec, [record]))).toMatchObject({
      code: 'value-type',
      field: '',
    })
  })
  it('takes records without a prototype', () => {
    expect(codec.encode(Object.assign(Object.create(null), { a: 1 }))).toHaveLength(2)
  })
  it('refuses bytes that are no record of it', () => {
    const code = (...bytes: number[]) => {
      const error = errorOf(() => codec.decode(Uint8Array.from(bytes)))
      expect(errorOf(() => codec.toJsonText(Uint8Array.from(bytes))).code).toBe(error.code)
      return error.code
    }
    expect(code()).toBe('packed-empty')
    expect(code(0)).toBe('revision-zero')
    expect(code(0, 16)).toBe('revision-zero')
    expect(code(1)).toBe('packed-truncated')
    expect(code(1, 0x10, 0)).toBe('packed-trailing')
    expect(code(1, 0x11)).toBe('padding-nonzero')
    expect(code(2)).toBe('packed-truncated')
  })
  it('is not compiled from a schema with faults', () => {
    expect(() => compileRecordSchema({ a: { type: 'uint', max: -1 } })).toThrow(FaultsError)
  })
})

describe('a schema that grew', () => {
  const first = { a: { type: 'uint', max: 15 } }
  const second = {
    ...first,
    b: { type: 'list', maxItems: 3, items: { type: 'bool' }, default: [true], since: 2 },
  }
  const fourth = {
    ...second,
    c: { type: 'uint', max: 3, optional: true, since: 4 },
    d: { type: 'uint', max: 3, optional: true, default: 1, since: 4 },
  }
  const [one, two, four] = [compile(first), compile(second), compile(fourth)]

  it('writes its newest revision', () => {
    expect([one, two, four].map(({ revision }) => revision)).toEqual([1, 2, 4])
    expect([...one.encode({ a: 1 })]).toEqual([1, 0x10])
    expect([...two.encode({ a: 1, b: [] })]).toEqual([2, 0x10])
    expect([...four.encode({ a: 1, b: [], c: 2 })]).toEqual([4, 0b0001_00_1_1, 0b0_1_01_0000])
  })

  it('reads older records with stand-ins', () => {
    const old = one.encode({ a: 9 })
    expect(two.decode(old)).toStrictEqual({ a: 9, b: [true] })
    expect(four.decode(old)).toStrictEqual({ a: 9, b: [true], d: 1 })
    expect(four.toJsonText(old)).toBe('{"a":9,"b":[true],"d":1}')
    expect(four.toJsonText(two.encode({ a: 9, b: [] }))).toBe('{"a":9,"b":[],"d":1}')
    // Revision 3 never was; by its number it has what 2 has.
    expect(four.toJsonText(Uint8Array.of(3, 0x90))).toBe('{"a":9,"b":[],"d":1}')
  })

  it('gives every reader stand-ins of its own', () => {
    const old = one.encode({ a: 9 })
    ;(two.decode(old)['b'] as boolean[]).push(false)
    expect(two.decode(old)['b']).toEqual([true])
  })

  it('ignores what a newer schema put behind the known fields', () => {
    const fresh = four.encode({ a: 5, b: [true, false, true], c: 3, d: 3 })
    expect(one.decode(fresh)).toEqual({ a: 5 })
    expect(two.decode(fresh)).toEqual({ a: 5, b: [true, false, true] })
    expect(one.toJsonText(Uint8Array.of(255, 0x5f, 1, 2, 3))).toBe('{"a":5}')
    expect(errorOf(() => one.decode(Uint8Array.of(255))).code).toBe('packed-truncated')
  })

  it('is strict about the bits of every revision that it knows', () => {
    expect(errorOf(() => four.decode(Uint8Array.of(1, 0x11))).code).toBe('padding-nonzero')
    expect(errorOf(() => four.decode(Uint8Array.of(1, 0x10, 0))).code).toBe('packed-trailing')
    expect(errorOf(() => two.decode(Uint8Array.of(2, 0x12))).code).toBe('padding-nonzero')
    expect(errorOf(() => two.decode(Uint8Array.of(2, 0x1c)))).toMatchObject({
      code: 'packed-truncated',
      field: 'b[2]',
    })
  })

  it('stands in where every field is new', () => {
    const late = compile({
      a: { type: 'bool', default: true, since: 2 },
      b: { type: 'bool', default: false, since: 3 },
    })
    expect(late.toJsonText(Uint8Array.of(1))).toBe('{"a":true,"b":false}')
    expect(late.toJsonText(Uint8Array.of(2, 0))).toBe('{"a":false,"b":false}')
    const absent = compile({ a: { type: 'bool', optional: true, since: 2 } })
    expect(absent.toJsonText(Uint8Array.of(1))).toBe('{}')
  })
})
