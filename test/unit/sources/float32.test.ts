import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shortestFloat32 } from '../../../src/sources/float32.ts'

test.each([0.3, 0.1, -0.308, 1e-7, 123.456, 16_777_217, 1e7, 3.4028235e38, 1.401298e-45])('%d', (decimal) => {
  expect(Math.fround(shortestFloat32(Math.fround(decimal)))).toBe(Math.fround(decimal))
  expect(String(shortestFloat32(Math.fround(decimal))).length).toBeLessThanOrEqual(String(decimal).length)
})

test('every decimal of up to six digits comes back as it was written', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -999_999, max: 999_999 }),
      fc.integer({ min: -8, max: 8 }),
      (digits, exponent) => {
        const decimal = Number(`${digits}e${exponent}`)
        expect(shortestFloat32(Math.fround(decimal))).toBe(decimal)
      },
    ),
    { numRuns: 5_000 },
  )
})

test('every float32 stays the same float32', () => {
  fc.assert(
    fc.property(fc.float(), (value) => {
      // The sign of zero is dropped, as JSON text would drop it.
      expect(Math.fround(shortestFloat32(value)) + 0).toBe(value + 0)
    }),
    { numRuns: 5_000 },
  )
})
