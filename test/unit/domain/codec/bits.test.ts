import { describe, expect, it } from 'vitest'
import { BitReader, BitWriter, widthOf } from '../../../../src/domain/codec/bits.ts'
import { CodecError } from '../../../../src/domain/codec/codec-error.ts'

const bitsOf = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join(' ')

describe('widthOf', () => {
  it.each([
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
    [256, 8],
    [257, 9],
    [2 ** 31, 31],
    [2 ** 32, 32],
    [2 ** 32 + 1, 33],
    [2 ** 52, 52],
    [2 ** 52 + 1, 53],
    [2 ** 53 - 1, 53],
    [2 ** 53, 53],
  ])('tells %i values apart with %i bits', (count, bits) => {
    expect(widthOf(count)).toBe(bits)
  })
})

describe('BitWriter', () => {
  it('writes most significant bits first and pads with zeros', () => {
    const writer = new BitWriter(2)
    writer.write(5, 3)
    writer.write(9, 6)
    expect(bitsOf(writer.finish())).toBe('10100100 10000000')
  })

  it('writes 53 bits across 8 bytes', () => {
    const writer = new BitWriter(1)
    writer.write(0, 1)
    writer.write(2 ** 53 - 1, 53)
    writer.write(0, 1)
    expect(bitsOf(writer.finish())).toBe('01111111 11111111 11111111 11111111 11111111 11111111 11111100')
  })

  it('writes nothing for a width of 0, and gives no bytes when nothing was written', () => {
    const writer = new BitWriter(4)
    writer.write(0, 0)
    expect(writer.finish()).toHaveLength(0)
  })

  it('puts bytes at any bit, and grows for them', () => {
    for (const lead of [0, 1, 7]) {
      const writer = new BitWriter(0)
      writer.write(0, lead)
      writer.writeBytes(Uint8Array.of(0xff, 0x00, 0xa5))
      const text = `${'0'.repeat(lead)}111111110000000010100101`.padEnd(lead === 0 ? 24 : 32, '0')
      expect(bitsOf(writer.finish()).replaceAll(' ', '')).toBe(text)
    }
  })
})

describe('BitReader', () => {
  it('reads back every width at every position', () => {
    for (let width = 0; width <= 53; width++) {
      for (let lead = 0; lead < 8; lead++) {
        for (const value of new Set([0, 2 ** width - 1, Math.floor((2 ** width - 1) / 3)])) {
          const writer = new BitWriter(0)
          writer.write(2 ** lead - 1, lead)
          writer.write(value, width)
          writer.write(1, 1)
          const reader = new BitReader(writer.finish())
          expect(reader.read(lead)).toBe(2 ** lead - 1)
          expect(reader.read(width)).toBe(value)
          expect(reader.read(1)).toBe(1)
          reader.expectEnd()
        }
      }
    }
  })

  it('reads bytes at any bit', () => {
    for (let lead = 0; lead < 8; lead++) {
      const writer = new BitWriter(0)
      writer.write(2 ** lead - 1, lead)
      writer.writeBytes(Uint8Array.of(1, 128, 255, 0, 77))
      const reader = new BitReader(writer.finish())
      reader.read(lead)
      expect([...reader.readBytes(5)]).toEqual([1, 128, 255, 0, 77])
      reader.expectEnd()
    }
  })

  it('reads within its view of a larger buffer only', () => {
    const view = new Uint8Array([0xff, 0x12, 0xff]).subarray(1, 2)
    const reader = new BitReader(view)
    expect(reader.read(8)).toBe(0x12)
    expect(codeOf(() => reader.read(1))).toBe('packed-truncated')
  })

  it('never reads past the end', () => {
    for (const width of [1, 9, 24, 25, 53]) {
      const reader = new BitReader(new Uint8Array((width - 1) >> 3))
      expect(codeOf(() => reader.read(width))).toBe('packed-truncated')
    }
    expect(codeOf(() => new BitReader(Uint8Array.of(1)).readBytes(2))).toBe('packed-truncated')
    expect(codeOf(() => new BitReader(Uint8Array.of(1)).readBytes(2 ** 40))).toBe('packed-truncated')
  })

  it('expects zero bits to the end of the last byte, and no byte more', () => {
    const at = (bytes: number[], position: number) => () => {
      const reader = new BitReader(Uint8Array.from(bytes))
      reader.read(position)
      reader.expectEnd()
    }
    expect(codeOf(at([0b1010_0000], 3))).toBeNull()
    expect(codeOf(at([0b1010_0001], 3))).toBe('padding-nonzero')
    expect(codeOf(at([0b1010_0000, 0], 3))).toBe('packed-trailing')
    expect(codeOf(at([1, 0], 8))).toBe('packed-trailing')
    expect(codeOf(at([1], 8))).toBeNull()
  })
})

function codeOf(action: () => unknown): string | null {
  try {
    action()
    return null
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return error.code
  }
}
