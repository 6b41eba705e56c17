import { describe, expect, test } from 'vitest'
import { causes } from '../../../src/domain/reasons.ts'
import { attributeDeadline, requestDeadline } from '../../../src/serving/deadline.ts'
import type { RecordReadResult } from '../../../src/serving/ports.ts'
import { compiledModel } from './model.ts'

const model = compiledModel('games', { deadlineMs: 50 })

describe('the deadline of a request', () => {
  test('is the model’s without a header', () => {
    expect(requestDeadline(model, undefined, 1_000)).toStrictEqual({ at: 1_050, modelAt: 1_050 })
  })

  test.each([
    ['5', 1_005],
    ['49', 1_049],
    ['0049', 1_049],
    ['50', 1_050],
    ['51', 1_050],
    ['999999999', 1_050],
  ])('a header of %s may lower it, and never raise it', (header, at) => {
    expect(requestDeadline(model, header, 1_000)).toStrictEqual({ at, modelAt: 1_050 })
  })

  test.each([
    '',
    ' ',
    '4',
    '0',
    '-0',
    '-50',
    '+50',
    '5.5',
    '5.',
    '1e1',
    '0x20',
    'abc',
    '٥٠',
    '50ms',
    '50\n',
    '1000000000',
    'NaN',
    'Infinity',
  ])('%j is refused', (header) => {
    expect(requestDeadline(model, header, 1_000)).toMatchObject({ refused: 'header-invalid' })
  })
})

describe('whose deadline a read ran into', () => {
  const missed: RecordReadResult = { from: 'none', cause: 'deadline' }

  test('the client’s own says nothing about the gateway', () => {
    expect(attributeDeadline(missed, { at: 1, modelAt: 2 })).toStrictEqual({
      from: 'none',
      cause: 'client-deadline',
    })
    expect(attributeDeadline(missed, { at: 2, modelAt: 2 })).toBe(missed)
  })

  test('everything else stays as it is', () => {
    const bytes = new Uint8Array([1])
    const others: RecordReadResult[] = [
      { from: 'own', bytes },
      ...causes.map((cause) => ({ from: 'control', bytes, cause }) as const),
      ...causes.filter((cause) => cause !== 'deadline').map((cause) => ({ from: 'none', cause }) as const),
    ]
    for (const found of others)
      for (const at of [1, 2]) expect(attributeDeadline(found, { at, modelAt: 2 })).toBe(found)
  })
})
