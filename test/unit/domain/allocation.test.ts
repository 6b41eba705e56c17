import { describe, expect, test } from 'vitest'
import {
  type Allocation,
  allocationDocument,
  compactAllocation,
  expandAllocation,
  slotOf,
  slotOwners,
} from '../../../src/domain/allocation.ts'
import { murmur3 } from '../../../src/domain/murmur3.ts'

const sample: Allocation = {
  weights: { itemcf: 1_001, popular: 8_999, retired: 0 },
  ranges: [
    ['popular', 8_999, 0, 1],
    ['itemcf', 1, 20_000, 1],
    ['itemcf', 1_000, 10_999, -1],
  ],
}

describe('slotOf', () => {
  // The vectors of DESIGN.md, "One request", step 3.
  test.each([
    ['L1:7f3a', 'user-1', 534617137, 1244],
    ['L1:7f3a', 'user-2', 2954404146, 6878],
    ['L1:7f3a', 'プレイヤー42', 3454398200, 8042],
    ['L1:7f3a', '😀', 388295485, 904],
    ['L1', '7f3auser-1', 3080897329, 7173],
    ['L2:91bc', 'user-1', 365897869, 851],
  ])('%s, %s', (salt, unit, hash, slot) => {
    expect(murmur3(`${salt}\0${unit}`)).toBe(hash)
    expect(slotOf(salt, unit)).toBe(slot)
  })
})

describe('expanding', () => {
  test('gives each slot its owner and its sequence number, up and down', () => {
    const { owners, sequences } = expandAllocation(sample)
    expect(owners).toHaveLength(10_000)
    expect(sequences).toHaveLength(10_000)
    expect(owners.slice(8_998, 9_001)).toEqual(['popular', 'itemcf', 'itemcf'])
    expect(sequences.slice(8_998, 9_002)).toEqual([8_998, 20_000, 10_999, 10_998])
    expect(sequences.at(-1)).toBe(10_000)
    expect(slotOwners(sample)).toEqual(owners)
  })
})

describe('compacting', () => {
  const compact = (owners: string, sequences: number[]) =>
    compactAllocation({}, { owners: owners.split(''), sequences }).ranges

  test('gives back what was expanded', () => {
    expect(compactAllocation(sample.weights, expandAllocation(sample))).toEqual(sample)
  })

  test('breaks where the owner changes, even if the sequence runs on', () => {
    expect(compact('aabb', [4, 5, 6, 7])).toEqual([
      ['a', 2, 4, 1],
      ['b', 2, 6, 1],
    ])
  })

  test('breaks where the sequence does, even if the owner stays', () => {
    expect(compact('aaaaa', [4, 5, 9, 8, 7])).toEqual([
      ['a', 2, 4, 1],
      ['a', 3, 9, -1],
    ])
  })

  test('is greedy: a turning point belongs to the range that reaches it first', () => {
    expect(compact('aaaaa', [1, 2, 3, 2, 1])).toEqual([
      ['a', 3, 1, 1],
      ['a', 2, 2, -1],
    ])
  })

  test('gives a range of one slot step 1', () => {
    expect(compact('aba', [9, 8, 7])).toEqual([
      ['a', 1, 9, 1],
      ['b', 1, 8, 1],
      ['a', 1, 7, 1],
    ])
  })
})

describe('allocationDocument', () => {
  const problemsOf = (document: unknown) =>
    allocationDocument.safeParse(document).error?.issues.map((issue) => issue.message) ?? []

  test('reads back what JSON kept', () => {
    expect(allocationDocument.parse(JSON.parse(JSON.stringify(sample)))).toEqual(sample)
  })

  test('refuses ranges that do not hold 10,000 slots', () => {
    expect(problemsOf({ weights: { a: 9_999 }, ranges: [['a', 9_999, 0, 1]] })).toEqual([
      'the ranges hold 9999 slots, but must hold 10000',
    ])
  })

  test.each([
    ['owns more than its weight', { a: 9_999 }, ['"a" owns 10000 slots, but its weight of 9999']],
    ['owns without a weight', {}, ['"a" owns 10000 slots, but its weight of 0']],
    ['owns nothing of its weight', { a: 10_000, b: 1 }, ['"b" owns 0 slots, but its weight of 1']],
  ])('refuses a version that %s', (_, weights, expected) => {
    expect(problemsOf({ weights, ranges: [['a', 10_000, 0, 1]] })).toEqual(
      expected.map((start) => expect.stringContaining(start)),
    )
  })

  test('knows a version named like a method of every object', () => {
    expect(problemsOf({ weights: { constructor: 10_000 }, ranges: [['constructor', 10_000, 0, 1]] })).toEqual(
      [],
    )
    expect(problemsOf({ weights: {}, ranges: [['constructor', 10_000, 0, 1]] })).toHaveLength(1)
  })

  test.each([
    [
      'that two ranges share',
      [
        ['a', 5_000, 0, 1],
        ['a', 5_000, 9_998, -1],
      ],
      '4999 is not',
    ],
    ['below zero', [['a', 10_000, 9_998, -1]], '-1 is not'],
  ])('refuses a sequence number %s', (_, ranges, expected) => {
    expect(problemsOf({ weights: { a: 10_000 }, ranges })).toEqual([expect.stringContaining(expected)])
  })

  test.each([
    ['an id that is none', ['A', 10_000, 0, 1]],
    ['an empty range', ['a', 0, 0, 1]],
    ['a step of 2', ['a', 10_000, 0, 2]],
    ['a fraction', ['a', 10_000, 0.5, 1]],
    ['too few parts', ['a', 10_000, 0]],
  ])('refuses a range with %s', (_, range) => {
    expect(problemsOf({ weights: { a: 10_000 }, ranges: [range] })).not.toEqual([])
  })

  test('refuses members that it does not know', () => {
    expect(problemsOf({ ...sample, salt: 'x' })).not.toEqual([])
  })
})
