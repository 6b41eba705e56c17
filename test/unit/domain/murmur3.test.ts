import { describe, expect, test } from 'vitest'
import { murmur3, murmur3Bytes, shareOf } from '../../../src/domain/murmur3.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

describe('murmur3', () => {
  // Published vectors of murmur3_x86_32 (Ian Boyd, https://stackoverflow.com/a/31929528; Wikipedia, "MurmurHash").
  test.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['\0\0\0\0', 0, 0x2362f9de],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['aa', 0x9747b28c, 0x5d211726],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['ab', 0x9747b28c, 0x74875592],
    ['abc', 0x9747b28c, 0xc84a62dd],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['abc', 0, 0xb3dd93fa],
    ['test', 0, 0xba6bd213],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['ππππππππ', 0x9747b28c, 0xd58063c1],
    ['a'.repeat(256), 0x9747b28c, 0x37405bdc],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ])('%j with seed %i', (text, seed, expected) => {
    expect(murmur3(text, seed)).toBe(expected)
    expect(murmur3Bytes(utf8(text), seed)).toBe(expected)
  })

  test.each([
    [[0xff, 0xff, 0xff, 0xff], 0, 0x76293b50],
    [[0x21, 0x43, 0x65, 0x87], 0, 0xf55b516b],
    [[0x21, 0x43, 0x65, 0x87], 0x5082edee, 0x2362f9de],
    [[0x21, 0x43, 0x65], 0, 0x7e4a8634],
    [[0x21, 0x43], 0, 0xa0f7b07a],
    [[0x21], 0, 0x72661cf4],
    [[0, 0, 0], 0, 0x85f0b427],
    [[0, 0], 0, 0x30f4c306],
    [[0], 0, 0x514e28b7],
  ])('the bytes %j with seed %i', (bytes, seed, expected) => {
    expect(murmur3Bytes(Uint8Array.from(bytes), seed)).toBe(expected)
  })

  test('agrees with SMHasher about 256 keys of 0 to 255 bytes (its verification value)', () => {
    const hashes = new DataView(new ArrayBuffer(256 * 4))
    for (let length = 0; length < 256; length++) {
      const key = Uint8Array.from({ length }, (_, i) => i)
      hashes.setUint32(length * 4, murmur3Bytes(key, 256 - length), true)
    }
    expect(murmur3Bytes(new Uint8Array(hashes.buffer), 0)).toBe(0xb0f57ee3)
  })

  test('hashes the UTF-8 of texts of any length and script, one after another', () => {
    for (const character of ['x', 'é', '語', '😀']) {
      for (const length of [300, 3, 341, 342, 1_025, 0, 7]) {
        const text = character.repeat(length)
        expect(murmur3(text, 7), `${length} times ${character}`).toBe(murmur3Bytes(utf8(text), 7))
      }
    }
  })

  test('takes a lone surrogate for U+FFFD', () => {
    expect(murmur3('a\ud83d!')).toBe(murmur3('a\ufffd!'))
    expect(murmur3('\ude00')).toBe(murmur3('\ufffd'))
  })

  test('reads a view of a larger buffer from where the view starts', () => {
    const inside = utf8('..Hello, world!..').subarray(2, 15)
    expect(murmur3Bytes(inside, 0x9747b28c)).toBe(0x24884cba)
  })
})

describe('shareOf', () => {
  test.each([
    [0, 10_000, 0],
    [429_496, 10_000, 0],
    [429_497, 10_000, 1],
    [0x7fff_ffff, 2, 0],
    [0x8000_0000, 2, 1],
    [0xffff_ffff, 10_000, 9_999],
    [0xffff_ffff, 1, 0],
  ])('hash %i lies in share %#, of %i', (hash, shares, expected) => {
    expect(shareOf(hash, shares)).toBe(expected)
  })

  test('is exact where the product of hash and shares has more than 53 bits', () => {
    for (const shares of [2_097_153, 12_500_001, 0xffff_fffb]) {
      for (const share of [1, 2, 3, shares >>> 1, shares - 1]) {
        // The first hash of a share, and the one before it, which lies within one part in 2^32 of the border.
        const first = Number((BigInt(share) * 2n ** 32n + BigInt(shares) - 1n) / BigInt(shares))
        for (const hash of [first - 1, first]) {
          expect(shareOf(hash, shares)).toBe(Number((BigInt(hash) * BigInt(shares)) >> 32n))
        }
      }
    }
  })
})
