import { expect, test } from 'vitest'
import { createBatchBound } from '../../../src/serving/batch-bound.ts'

test('lets in so many of a tenant, and so many of all', () => {
  const { enter, leaveOne } = boundOf(3, 2)
  expect([enter('a'), enter('a'), enter('a')]).toEqual([true, true, false])
  expect([enter('b'), enter('b'), enter('c')]).toEqual([true, false, false])
  leaveOne('a')
  expect([enter('c'), enter('b')]).toEqual([true, false])
  for (const tenant of ['a', 'b', 'c']) leaveOne(tenant)
  expect([enter('a'), enter('a'), enter('a')]).toEqual([true, true, false])
})

test('has a place back once, however often it is given', () => {
  const bound = createBatchBound(3, 2)
  const leave = bound.enter('a')!
  expect(bound.enter('a')).not.toBeNull()
  leave()
  leave()
  expect([bound.enter('a'), bound.enter('a')]).toEqual([expect.any(Function), null])
})

/** A bound whose places are given back by their tenants' names. */
function boundOf(max: number, perTenantMax: number) {
  const bound = createBatchBound(max, perTenantMax)
  const places = new Map<string, (() => void)[]>()
  return {
    enter(tenant: string): boolean {
      const leave = bound.enter(tenant)
      if (leave !== null) places.set(tenant, [...(places.get(tenant) ?? []), leave])
      return leave !== null
    },
    leaveOne: (tenant: string) => places.get(tenant)!.shift()!(),
  }
}
