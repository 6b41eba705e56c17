import { expect, test } from 'vitest'
import { createBatchBound } from '../../../src/serving/batch-bound.ts'

test('lets in so many of a tenant, and so many of all', () => {
  const bound = createBatchBound(3, 2)
  expect([bound.enter('a'), bound.enter('a'), bound.enter('a')]).toEqual([true, true, false])
  expect([bound.enter('b'), bound.enter('b'), bound.enter('c')]).toEqual([true, false, false])
  bound.leave('a')
  expect([bound.enter('c'), bound.enter('b')]).toEqual([true, false])
  for (const tenant of ['a', 'b', 'c']) bound.leave(tenant)
  expect([bound.enter('a'), bound.enter('a'), bound.enter('a')]).toEqual([true, true, false])
})
