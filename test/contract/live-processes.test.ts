import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { catalogKeys } from '../../src/redis/keys.ts'
import { createLiveProcesses } from '../../src/redis/live-processes.ts'
import { engines } from '../support/redis.ts'
import { readyClient } from '../support/redis-clients.ts'
import { until } from '../support/until.ts'

/** Far longer than a test. */
const hourMs = 3_600_000

for (const engine of engines) {
  describe.skipIf(engine.skip)(`live processes on the ${engine.name}`, () => {
    let redis: LocalRedis
    let client: RedisClient
    const processOf = (id: string) => createLiveProcesses(client, id)

    beforeAll(async () => {
      redis = await engine.start()
      client = await readyClient('catalog', redis.url)
    })
    beforeEach(() => client.del(catalogKeys.gateways))
    afterAll(async () => {
      client?.disconnect()
      await redis?.stop()
    })

    test('each counts once, however often it says that it lives', async () => {
      const [one, other] = [processOf('one'), processOf('other')]
      expect([await one.beat(hourMs), await one.beat(hourMs)]).toEqual([1, 1])
      expect([await other.beat(hourMs), await one.beat(hourMs)]).toEqual([2, 2])
    })

    test('one that leaves counts no more', async () => {
      const [one, other] = [processOf('one'), processOf('other')]
      await one.beat(hourMs)
      await other.beat(hourMs)
      await other.leave()
      expect(await one.beat(hourMs)).toBe(1)
      await one.leave()
      expect(await client.exists(catalogKeys.gateways)).toBe(0)
    })

    test('one that dies without a word counts until its own time is over', async () => {
      const [lasting, brief, watching] = [processOf('lasting'), processOf('brief'), processOf('watching')]
      await lasting.beat(hourMs)
      await brief.beat(1_000)
      expect(await watching.beat(hourMs)).toBe(3)
      await until('it counts no more', async () => (await watching.beat(hourMs)) === 2)
      expect(await client.zscore(catalogKeys.gateways, 'brief')).toBeNull()
      expect(await brief.beat(hourMs)).toBe(3)
    })
  })
}
