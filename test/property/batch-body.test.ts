import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/domain/errors.ts'
import { rowKeyValueFault } from '../../src/domain/row-key.ts'
import { readBatchBody } from '../../src/http/data/batch-body.ts'
import { batchRequest } from '../../src/http/data/batch-shapes.ts'

/** The body of a batch is read by hand, for speed; the shape that is published says the same. */

const scalar = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.constantFrom(null, true, 2 ** 53, -0, 1e21),
)
const mostly = <T, U>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<U>) =>
  fc.oneof({ weight: 9, arbitrary: usual as fc.Arbitrary<T | U> }, other)
const text = fc.string({ maxLength: 5 })
const values = mostly(
  fc.dictionary(text, mostly(fc.oneof(text, fc.integer()), scalar), { maxKeys: 3 }),
  fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })),
)
const unitObject = fc.record(
  { unit: mostly(text, fc.oneof(scalar, values)), claims: values, parameters: values },
  { requiredKeys: ['unit'] },
)
const unit = mostly(
  fc.oneof(text, fc.integer(), unitObject),
  fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 1 }),
    fc.record({ claims: values }),
    fc.record({ unit: text, more: text }),
  ),
)
const request = fc.record(
  {
    model: mostly(text, scalar),
    parameters: values,
    units: mostly(fc.array(unit, { maxLength: 4 }), values),
  },
  { requiredKeys: ['units'] },
)
const body = mostly(
  request,
  fc.oneof(fc.anything(), fc.record({ model: text }), fc.record({ units: fc.constant([]), more: text })),
)

/** Nothing of the body is refused, and each unit is a text or a whole number. */
function isTaken(text: string): boolean {
  const batch = readBatchBody(Buffer.from(text), 0)
  if (isRefusal(batch)) return false
  return batch.units.every((one) => !isRefusal(one) && isTextOrWhole(one.unit))
}

/** A text that is none for a row key is one for JSON. */
function isTextOrWhole(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'number' && rowKeyValueFault(value) === null)
}

describe('a body', () => {
  test('is taken where its shape is right, and not else', () => {
    const seen = { taken: 0, refused: 0 }
    fc.assert(
      fc.property(body, (content) => {
        const text = JSON.stringify(content)
        fc.pre(text !== undefined && !text.includes('__proto__'))
        const taken = isTaken(text)
        expect(taken).toBe(batchRequest.safeParse(JSON.parse(text)).success)
        seen[taken ? 'taken' : 'refused']++
      }),
      { numRuns: 3_000 },
    )
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(100)
  })

  test('of whatever bytes is refused by a code, or taken', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          const batch = readBatchBody(bytes, 0)
          if (isRefusal(batch)) expect(['body-invalid', 'batch-too-large']).toContain(batch.refused)
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
