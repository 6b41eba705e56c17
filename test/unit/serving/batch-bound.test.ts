import { expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/domain/errors.ts'
import { createBatchBound } from '../../../src/serving/batch-bound.ts'

test('lets in so many of a tenant', () => {
  const { enter, leaveOne } = boundOf(8, 2)
  expect([enter('a'), enter('a'), enter('a')]).toEqual([true, true, 'quota-exceeded'])
  expect(enter('b')).toBe(true)
  leaveOne('a')
  expect([enter('a'), enter('a')]).toEqual([true, 'quota-exceeded'])
})

test('leaves room for whoever else comes, until there is none', () => {
  const { enter, leaveOne } = boundOf(8, 8)
  const enterAll = (tenant: string) => {
    let places = 0
    while (enter(tenant) === true) places++
    return places
  }
  // Each as many as it leaves free.
  expect([enterAll('a'), enterAll('b'), enterAll('c'), enterAll('d'), enterAll('e')]).toEqual([4, 2, 1, 1, 0])
  expect([enter('a'), enter('f')]).toEqual(['busy', 'busy'])
  for (let place = 0; place < 4; place++) leaveOne('a')
  expect(enterAll('f')).toBe(2)
})

test('has a place back once, however often it is given', () => {
  const bound = createBatchBound(8, 2)
  const leave = bound.enter('a') as () => void
  expect(bound.enter('a')).toBeTypeOf('function')
  leave()
  leave()
  expect(bound.enter('a')).toBeTypeOf('function')
  expect(bound.enter('a')).toMatchObject({ refused: 'quota-exceeded' })
})

/** A bound whose places are given back by their tenants' names. */
function boundOf(max: number, perTenantMax: number) {
  const bound = createBatchBound(max, perTenantMax)
  const places = new Map<string, (() => void)[]>()
  return {
    enter(tenant: string): true | ErrorCode {
      const leave = bound.enter(tenant)
      if (typeof leave !== 'function') return leave.refused
      places.set(tenant, [...(places.get(tenant) ?? []), leave])
      return true
    },
    leaveOne: (tenant: string) => places.get(tenant)!.shift()!(),
  }
}
