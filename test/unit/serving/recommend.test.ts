import { expect, test } from 'vitest'
import { isRefusal, refuse } from '../../../src/domain/errors.ts'
import type { Snapshot } from '../../../src/domain/snapshot.ts'
import { createNearCache } from '../../../src/serving/near-cache.ts'
import { createRecommend } from '../../../src/serving/recommend.ts'
import { createTenantQuotas } from '../../../src/serving/tenant-quotas.ts'

test('what a stranger accepts is not weighed', async () => {
  const snapshot: Snapshot = { tenants: new Map(), issuers: new Map(), incomplete: false }
  const recommend = createRecommend({
    verifier: { verify: () => refuse('token-invalid', 'no token') },
    snapshots: { current: () => snapshot },
    reader: { read: () => Promise.reject(new Error('nothing is read')) },
    nearCache: createNearCache(0),
    quotas: createTenantQuotas(),
  })
  const outcome = await recommend({
    authorization: undefined,
    query: {},
    format: () => {
      throw new Error('weighed')
    },
    deadlineMs: undefined,
    receivedAt: performance.now(),
  })
  expect(isRefusal(outcome) && outcome.refused).toBe('token-invalid')
})
