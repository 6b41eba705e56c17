import { describe, expect, test } from 'vitest'
import type { CompiledTenant, TenantQuota } from '../../../src/domain/snapshot.ts'
import { createTenantQuotas } from '../../../src/serving/tenant-quotas.ts'
import { compiledTenant } from './model.ts'

function tenantOf(id: string, quota: TenantQuota | null): CompiledTenant {
  return compiledTenant({ id, quota })
}

/** No token comes back within a test unless it lets time pass. */
function scene(...tenants: CompiledTenant[]) {
  let nowMs = 0
  const quotas = createTenantQuotas(() => nowMs)
  const follow = (...now: CompiledTenant[]) =>
    quotas.follow({ tenants: new Map(now.map((tenant) => [tenant.id, tenant])) })
  follow(...tenants)
  /** How many of so many requests get in, all being answered at one time. */
  function together(tenant: CompiledTenant, count: number): number {
    const entered = Array.from({ length: count }, () => quotas.enter(tenant)).filter((each) => each === null)
    for (const _ of entered) quotas.leave(tenant)
    return entered.length
  }
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { quotas, follow, together, pass }
}

const wide = { requestsPerSecond: 1_000, burst: 1_000, concurrency: 1_000 }

test('a tenant without a quota may ask as much as it likes', () => {
  const free = tenantOf('free', null)
  const { together } = scene(free)
  expect(together(free, 5_000)).toBe(5_000)
})

test('who is over its quota is refused by name, and nobody else is', () => {
  const small = tenantOf('small', { ...wide, burst: 2 })
  const other = tenantOf('other', { ...wide, burst: 2 })
  const { quotas, together } = scene(small, other)
  expect(together(small, 5)).toBe(2)
  expect(quotas.enter(small)).toMatchObject({ refused: 'quota-exceeded', tenantId: 'small' })
  expect(together(other, 5)).toBe(2)
})

test('refused requests are charged nothing, by concurrency neither', () => {
  const tenant = tenantOf('a', { requestsPerSecond: 1, burst: 4, concurrency: 1 })
  const { together } = scene(tenant)
  expect(together(tenant, 100)).toBe(1)
  expect(together(tenant, 100)).toBe(1)
  expect(together(tenant, 100)).toBe(1)
  expect(together(tenant, 100)).toBe(1)
  expect(together(tenant, 100)).toBe(0)
})

test('one that leaves makes room for one', () => {
  const tenant = tenantOf('a', { ...wide, concurrency: 2 })
  const { quotas } = scene(tenant)
  expect([quotas.enter(tenant), quotas.enter(tenant)]).toEqual([null, null])
  expect(quotas.enter(tenant)).not.toBeNull()
  quotas.leave(tenant)
  expect(quotas.enter(tenant)).toBeNull()
  expect(quotas.enter(tenant)).not.toBeNull()
})

describe('a batch', () => {
  const detail = (refusal: unknown) => (refusal as { detail: string } | null)?.detail

  test('is charged for all its units or for none', () => {
    const tenant = tenantOf('a', { requestsPerSecond: 1, burst: 10, concurrency: 1_000 })
    const { quotas, together, pass } = scene(tenant)
    expect(quotas.enter(tenant, 7)).toBeNull()
    quotas.leave(tenant, 7)
    expect(quotas.enter(tenant, 4)).toMatchObject({ refused: 'quota-exceeded', tenantId: 'a' })
    expect(together(tenant, 10)).toBe(3)
    pass(4_000)
    expect(quotas.enter(tenant, 4)).toBeNull()
  })

  test('has all its units answered at one time', () => {
    const tenant = tenantOf('a', { ...wide, concurrency: 5 })
    const { quotas, together } = scene(tenant)
    expect(quotas.enter(tenant, 3)).toBeNull()
    expect(quotas.enter(tenant, 3)).not.toBeNull()
    expect(together(tenant, 5)).toBe(2)
    quotas.leave(tenant, 3)
    expect(quotas.enter(tenant, 5)).toBeNull()
    quotas.leave(tenant, 5)
    expect(together(tenant, 9)).toBe(5)
  })

  test('that no waiting helps is told how many units may be', () => {
    const small = tenantOf('small', { ...wide, burst: 40, concurrency: 30 })
    const slow = tenantOf('slow', { ...wide, burst: 21, concurrency: 30 })
    const { quotas } = scene(small, slow)
    const most = (units: number) =>
      `the quota lets ${units} units at once pass here, and this batch has 100; ask in smaller ones`
    expect(quotas.enter(small, 100)).toMatchObject({ refused: 'batch-too-large', detail: most(30) })
    expect(detail(quotas.enter(slow, 100))).toBe(most(21))
    quotas.shareAmong(2)
    expect(detail(quotas.enter(small, 100))).toBe(most(15))
    expect(detail(quotas.enter(slow, 100))).toBe(most(10))
    expect(quotas.enter(slow, 10)).toBeNull()
    // This one may pass in a moment.
    expect(quotas.enter(slow, 10)).toMatchObject({
      refused: 'quota-exceeded',
      detail: 'there are more requests than have been agreed upon',
    })
  })

  test('with no unit that fits costs nothing', () => {
    const tenant = tenantOf('a', { ...wide, burst: 1 })
    const { quotas } = scene(tenant)
    for (let round = 0; round < 5; round++) expect(quotas.enter(tenant, 0)).toBeNull()
    expect(quotas.enter(tenant)).toBeNull()
  })
})

describe('among processes', () => {
  test('each gives its share, and the whole when it is alone again', () => {
    const tenant = tenantOf('a', { requestsPerSecond: 100, burst: 12, concurrency: 7 })
    const { quotas, together, pass } = scene(tenant)
    quotas.shareAmong(2)
    expect(together(tenant, 20)).toBe(3)
    expect(together(tenant, 20)).toBe(3)
    expect(together(tenant, 20)).toBe(0)
    pass(20)
    expect(together(tenant, 20)).toBe(1)
    quotas.shareAmong(1)
    pass(10_000)
    expect(together(tenant, 20)).toBe(7)
    expect(together(tenant, 20)).toBe(5)
  })

  test('those that come and go give away nothing that was spent', () => {
    const tenant = tenantOf('a', { ...wide, burst: 64 })
    const { quotas, together } = scene(tenant)
    expect(together(tenant, 32)).toBe(32)
    for (const processes of [2, 3, 50, 7, 1]) quotas.shareAmong(processes)
    expect(together(tenant, 100)).toBe(32)
  })

  test('more of them than the quota has requests still let one through each', () => {
    const tenant = tenantOf('a', { requestsPerSecond: 1, burst: 3, concurrency: 3 })
    const { quotas, together, pass } = scene(tenant)
    quotas.shareAmong(10)
    expect(together(tenant, 5)).toBe(1)
    pass(9_999)
    expect(together(tenant, 5)).toBe(0)
    pass(2)
    expect(together(tenant, 5)).toBe(1)
  })

  test('a tenant that comes later gets the share, too', () => {
    const tenant = tenantOf('a', { ...wide, burst: 8 })
    const { quotas, follow, together } = scene()
    quotas.shareAmong(4)
    follow(tenant)
    expect(together(tenant, 20)).toBe(2)
  })
})

describe('a newer catalog', () => {
  test('with the same quota changes nothing', () => {
    const before = tenantOf('a', { ...wide, burst: 4 })
    const { follow, together } = scene(before)
    expect(together(before, 3)).toBe(3)
    const after = tenantOf('a', { ...wide, burst: 4 })
    follow(after)
    expect(together(after, 5)).toBe(1)
  })

  test('with a larger one leaves what was spent spent, and gives more from now on', () => {
    const before = tenantOf('a', { requestsPerSecond: 1, burst: 2, concurrency: 1 })
    const { follow, together, pass } = scene(before)
    expect([together(before, 5), together(before, 5), together(before, 5)]).toEqual([1, 1, 0])
    const after = tenantOf('a', { requestsPerSecond: 100, burst: 200, concurrency: 50 })
    follow(after)
    expect(together(after, 5)).toBe(0)
    pass(1_000)
    expect(together(after, 200)).toBe(50)
  })

  test('without one, or without the tenant, forgets it', () => {
    const before = tenantOf('a', { ...wide, burst: 2 })
    const { follow, together } = scene(before)
    expect(together(before, 5)).toBe(2)
    const freed = tenantOf('a', null)
    follow(freed)
    expect(together(freed, 100)).toBe(100)
    follow()
    follow(before)
    expect(together(before, 5)).toBe(2)
  })

  test('keeps count of what is still being answered', () => {
    const before = tenantOf('a', { ...wide, concurrency: 2 })
    const { quotas, follow } = scene(before)
    expect([quotas.enter(before), quotas.enter(before)]).toEqual([null, null])
    const after = tenantOf('a', { ...wide, concurrency: 3 })
    follow(after)
    expect(quotas.enter(after)).toBeNull()
    expect(quotas.enter(after)).not.toBeNull()
    quotas.leave(before)
    expect(quotas.enter(after)).toBeNull()
  })
})
