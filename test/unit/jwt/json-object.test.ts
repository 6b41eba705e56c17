import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readJsonObject } from '../../../src/jwt/json-object.ts'

function read(text: string): Record<string, unknown> | null {
  return readJsonObject(new TextEncoder().encode(text))
}

describe('an object', () => {
  test.each([
    '{}',
    ' {"a":1} \r\n',
    '{"a":1,"A":2,"b":{"a":3},"c":[{"a":4},{"a":5}]}',
    '{"":{"":{}}}',
    '{":":"::","a:b":"\\":\\"","\\\\":"\\\\","\\\\\\"":"}:{"}',
    '{"__proto__":{"a":1},"constructor":2,"toString":null}',
    '{"a":"\\ud800","プ":"😀"}',
    '{"a":[[],[{}],{"b":[]}]}',
  ])('%s', (text) => {
    expect(read(text)).toStrictEqual(JSON.parse(text))
  })

  test('a name that JavaScript gives a meaning of its own is a member like any other', () => {
    const object = read('{"__proto__":{"iss":"x"}}')!
    expect(Object.keys(object)).toStrictEqual(['__proto__'])
    expect(object['iss']).toBeUndefined()
  })
})

describe('a name that stands twice', () => {
  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":1,"\\u0061":2}',
    '{"\\u0061":1,"\\u0061":2}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"0":1,"0":2}',
    '{"a":{"b":1,"b":2}}',
    '{"a":[[{"b":{"c":":","c":"\\":"}}]]}',
    '{"a":{"x":1},"a":{"x":1}}',
    // The one that is replaced takes its members with it.
    '{"a":{"b":1,"c":2},"a":1}',
  ])('%s', (text) => {
    expect(JSON.parse(text)).toBeInstanceOf(Object)
    expect(read(text)).toBeNull()
  })
})

describe('no object', () => {
  test.each([
    '',
    ' ',
    '[]',
    '[{"a":1}]',
    'null',
    'true',
    '1',
    '"a"',
    '{',
    '{"a":1}}',
    '{"a":1}{"a":1}',
    '{"a":1,}',
    "{'a':1}",
    '{a:1}',
    '{"a":NaN}',
    '{"a":01}',
    '{"a":"\n"}',
    '{"a":1}\0',
    '/**/{"a":1}',
    '\ufeff{"a":1}',
    '\ufeff\ufeff{"a":1}',
  ])('%j', (text) => {
    expect(read(text)).toBeNull()
  })

  test.each([
    ['a byte that never stands in UTF-8', [0xff]],
    ['the first byte of two alone', [0xc3]],
    ['a byte that goes on after nothing', [0xbf]],
    ['"/" in two bytes', [0xc0, 0xaf]],
    ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ])('bytes that are not UTF-8: %s', (_what, bytes) => {
    const around = (inner: readonly number[]) =>
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from(inner), Buffer.from('"}')])
    expect(readJsonObject(around([0xc3, 0xa4]))).toStrictEqual({ a: 'ä' })
    expect(readJsonObject(around(bytes))).toBeNull()
  })

  test('UTF-16, with and without its mark', () => {
    expect(readJsonObject(Buffer.from('{"a":1}', 'utf16le'))).toBeNull()
    expect(readJsonObject(Buffer.from('\ufeff{"a":1}', 'utf16le'))).toBeNull()
  })
})

describe('depth', () => {
  const levels = 10_000

  test('lists and objects that nest deeper than a stack reaches are counted, too', () => {
    const lists = `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`
    expect(read(lists)).not.toBeNull()
    const objects = `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
    expect(read(objects)).not.toBeNull()
    const doubled = `${'{"a":'.repeat(levels)}{"b":1,"b":2}${'}'.repeat(levels)}`
    expect(read(doubled)).toBeNull()
    expect(read('{"a":'.repeat(levels))).toBeNull()
  })
})

// A thousand values a test, on however busy a machine.
describe('any JSON', { timeout: 120_000 }, () => {
  test('is read as JSON.parse reads it, however its names and texts are spelled and spaced', () => {
    const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue())
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 1, '\t'), (value, spacing) => {
        const text = JSON.stringify(value, null, spacing)
        expect(read(text)).toStrictEqual(JSON.parse(text))
      }),
      { numRuns: 1_000 },
    )
  })

  test('with one of its members doubled is refused', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { minKeys: 1 }),
        fc.nat(),
        fc.jsonValue(),
        fc.boolean(),
        (value, at, other, isNested) => {
          const names = Object.keys(value)
          const name = JSON.stringify(names[at % names.length])
          const doubled = JSON.stringify(value).replace(/\}$/, `,${name}:${JSON.stringify(other)}}`)
          expect(read(isNested ? `{"a":[${doubled}]}` : doubled)).toBeNull()
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('bytes of any kind never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(readJsonObject(bytes)).toSatisfy((read) => read === null || typeof read === 'object')
      }),
      { numRuns: 1_000 },
    )
  })
})
