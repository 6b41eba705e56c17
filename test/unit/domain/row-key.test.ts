import { describe, expect, test } from 'vitest'
import { murmur3 } from '../../../src/domain/murmur3.ts'
import {
  bucketCount,
  bucketOf,
  joinRowKey,
  rowKeyFault,
  rowKeyValue,
  rowKeyValueFault,
} from '../../../src/domain/row-key.ts'

describe('a value of a row key', () => {
  test.each<[unknown, string]>([
    ['5250', '5250'],
    [' 05250 ', ' 05250 '],
    ['プレイヤー', 'プレイヤー'],
    ['e\u0301', 'e\u0301'],
    [5250, '5250'],
    [-7, '-7'],
    [0, '0'],
    [-0, '0'],
    [1e3, '1000'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [18446744073709551615n, '18446744073709551615'],
  ])('%s becomes %s', (value, text) => {
    expect(rowKeyValueFault(value)).toBeNull()
    expect(rowKeyValue(value)).toBe(text)
  })

  test.each<[string, unknown, string]>([
    ['an empty string', '', 'is empty, but must have at least one character'],
    ['a NUL', 'a\0b', 'holds a NUL character (U+0000)'],
    ['a high surrogate alone', 'a\ud83d', 'holds half of a surrogate pair'],
    ['a low surrogate alone', '\ude00b', 'holds half of a surrogate pair'],
    ['a fraction', 1.5, 'is 1.5, which has a fraction, but must be an integer'],
    ['an unsafe integer', 2 ** 53, 'is 9007199254740992, beyond ±9007199254740991'],
    ['NaN', Number.NaN, 'is NaN, but must be an integer'],
    ['infinity', Number.NEGATIVE_INFINITY, 'is -Infinity, but must be an integer'],
    ['a boolean', true, 'is a boolean, but must be a string or an integer'],
    ['null', null, 'is null, but must be a string or an integer'],
    ['nothing', undefined, 'is missing, but must be a string or an integer'],
    ['a list', ['a'], 'is a list, but must be a string or an integer'],
    ['an object', { a: 1 }, 'is an object, but must be a string or an integer'],
  ])('refuses %s', (_, value, problem) => {
    expect(rowKeyValueFault(value)).toContain(problem)
    expect(rowKeyValue(value)).toBeNull()
  })
})

describe('a row key', () => {
  test('joins its values with NUL, in the order given', () => {
    expect(joinRowKey(['5250'])).toBe('5250')
    expect(joinRowKey(['5250', 'DE', 'x'])).toBe('5250\0DE\0x')
    expect(joinRowKey(['a', 'bc'])).not.toBe(joinRowKey(['ab', 'c']))
  })

  test.each([
    ['a'.repeat(255), null],
    ['a'.repeat(256), 'has 256 bytes of UTF-8, but may have 255 at most'],
    ['語'.repeat(85), null],
    [`${'語'.repeat(85)}a`, 'has 256 bytes of UTF-8, but may have 255 at most'],
    ['é'.repeat(127), null],
    ['é'.repeat(128), 'has 256 bytes of UTF-8, but may have 255 at most'],
    [`${'😀'.repeat(63)}abc`, null],
    ['😀'.repeat(64), 'has 256 bytes of UTF-8, but may have 255 at most'],
  ])('has 255 bytes of UTF-8 at most: %s', (rowKey, problem) => {
    expect(rowKeyFault(rowKey)).toBe(problem)
  })

  test('is never empty, because the empty field of a bucket holds the token', () => {
    expect(rowKeyFault('')).toContain('is empty')
  })
})

describe('buckets', () => {
  test('a row lies in the share of the hashes that its hash falls in', () => {
    // murmur3('abc') is 0xb3dd93fa: 0.7026 of 2^32.
    expect(murmur3('abc')).toBe(0xb3dd93fa)
    expect(bucketOf('abc', 1)).toBe(0)
    expect(bucketOf('abc', 2)).toBe(1)
    expect(bucketOf('abc', 10)).toBe(7)
    expect(bucketOf('abc', 12_500)).toBe(8_782)
  })

  test('are filled evenly', () => {
    const rows = Array<number>(125).fill(0)
    for (let player = 0; player < 10_000; player++) rows[bucketOf(String(player), rows.length)]!++
    expect(rows.reduce((sum, count) => sum + count)).toBe(10_000)
    expect(Math.min(...rows)).toBeGreaterThan(40)
    expect(Math.max(...rows)).toBeLessThan(128)
  })

  test.each([
    [0, 1],
    [1, 1],
    [80, 1],
    [81, 2],
    [1_000_000, 12_500],
  ])('%i rows get %i', (rows, buckets) => {
    expect(bucketCount(rows)).toBe(buckets)
  })
})
