import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { limits } from '../../src/domain/limits.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import { catalogKeys } from '../../src/redis/keys.ts'
import { createSuppressionStore } from '../../src/redis/suppression-store.ts'
import type { SuppressionStore } from '../../src/tables/ports.ts'
import { engines } from '../support/redis.ts'
import { testClient } from '../support/redis-clients.ts'

const note = { at: '2026-08-01T12:00:00.000Z', by: 'tester' }

for (const engine of engines) {
  describe.skipIf(engine.skip)(`suppressions on the ${engine.name}`, () => {
    let redis: LocalRedis
    let client: RedisClient
    let store: SuppressionStore
    let tenants = 0
    let tenant: string

    beforeAll(async () => {
      redis = await engine.start()
      client = testClient('catalog', redis.url)
      await redisReady(client, 10_000)
      store = createSuppressionStore(client)
    })
    beforeEach(() => {
      tenant = `studio-${++tenants}`
    })
    afterAll(async () => {
      client.disconnect()
      await redis.stop()
    })

    test('are nobody at first, and nobody again', async () => {
      expect(await store.read(tenant)).toBeNull()
      await store.saltOf(tenant, 'salt-1')
      expect(await store.read(tenant)).toBeNull()
      expect(await store.add(tenant, [':a'], note)).toBe(1)
      expect(await store.remove(tenant, [':a', ':b'])).toBe(1)
      expect(await store.remove(tenant, [':a'])).toBe(0)
      expect(await store.read(tenant)).toBeNull()
    })

    test('have one salt a tenant, whoever asks first', async () => {
      const salts = await Promise.all(
        ['salt-1', 'salt-2', 'salt-3'].map((fresh) => store.saltOf(tenant, fresh)),
      )
      expect(new Set(salts).size).toBe(1)
      await store.add(tenant, [':a'], note)
      expect(await store.read(tenant)).toEqual({ salt: salts[0], entries: new Set([':a']) })
      expect(await store.saltOf(`${tenant}-b`, 'another')).toBe('another')
      expect(await store.read(`${tenant}-b`)).toBeNull()
    })

    test('stay as they were written first', async () => {
      await store.saltOf(tenant, 'salt')
      expect(await store.add(tenant, [':a', 'games:b'], note)).toBe(2)
      expect(await store.add(tenant, [':a', ':c'], { ...note, by: 'somebody else' })).toBe(1)
      const stored = await client.hgetall(catalogKeys.suppressed(tenant))
      expect(stored).toEqual({
        salt: 'salt',
        ':a': JSON.stringify(note),
        'games:b': JSON.stringify(note),
        ':c': JSON.stringify({ ...note, by: 'somebody else' }),
      })
    })

    test('are all read, however many pages they fill', async () => {
      await store.saltOf(tenant, 'salt')
      const entries = Array.from(
        { length: limits.suppressionsPerTrip * 3 + 7 },
        (_, index) => `:entry-${index}`,
      )
      const fields = Object.fromEntries(entries.map((entry) => [entry, 'x']))
      await client.hset(catalogKeys.suppressed(tenant), fields)
      expect((await store.read(tenant))?.entries).toEqual(new Set(entries))
    })

    test('without their salt are told, not passed over', async () => {
      await store.saltOf(tenant, 'salt')
      await store.add(tenant, [':a'], note)
      await client.hdel(catalogKeys.suppressed(tenant), 'salt')
      await expect(store.read(tenant)).rejects.toThrow(
        `the key ${catalogKeys.suppressed(tenant)} in Redis has lost its field "salt"`,
      )
    })
  })
}
