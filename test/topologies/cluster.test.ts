import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../http/client.ts'
import { moveSlot, slotsWithRows } from '../support/move-slots.ts'
import {
  type ClusterServers,
  cannotRun,
  type Standalone,
  startCluster,
  startStandalone,
} from '../support/redis-topologies.ts'
import { until } from '../support/until.ts'
import { type ServedStudio, serveStudio, underLoad } from './served-studio.ts'

const password = 'geheim'

describe.skipIf(await cannotRun('a studio on a Cluster'))('a studio on a Cluster', () => {
  let cluster: ClusterServers
  let studio: ServedStudio

  beforeAll(async () => {
    cluster = await startCluster(1, { password, withSpare: true })
    studio = await serveStudio({ RECGATE_REDIS_URL: cluster.url })
  })
  afterAll(async () => {
    await studio?.stop()
    await cluster?.stop()
  })

  test('is served to every player, whichever node has the row', async () => {
    await studio.expectEveryAnswer()
    const keys = await Promise.all(cluster.servers.map(({ client }) => client.dbsize()))
    expect(keys.filter((count) => count > 0).length).toBe(6)
  })

  test('is served in batches, each across all nodes', async () => {
    for (const first of [0, 1_000]) {
      const players = Array.from({ length: 1_000 }, (_, index) => first + index)
      await until('every row was read', async () => {
        const answers = await studio.batchOf(players)
        const expected = players.map(studio.expectedOf)
        // What stood in for a row on a busy machine is asked for again.
        if (answers.some(({ reason }, index) => reason !== expected[index]!.reason)) return false
        expect(answers).toEqual(expected)
        return true
      })
    }
  })

  test('hears of changes by announcement', async () => {
    await studio.changeCatalog()
    await studio.publishAgain()
    await studio.expectEveryAnswer()
  })

  test('says what serves it', async () => {
    const { body } = await ask(`${studio.gateway.ops}/readyz`)
    expect(JSON.parse(body.toString())).toMatchObject({
      engine: expect.stringMatching(/^(Redis|Valkey) \S+, Cluster of 3 masters$/),
    })
  })

  test('may have its catalog elsewhere', async () => {
    const catalog: Standalone = await startStandalone({ password: 'catalog' })
    const other = await serveStudio({
      RECGATE_REDIS_URL: cluster.url,
      RECGATE_CATALOG_REDIS_URL: catalog.url,
    })
    try {
      await other.expectEveryAnswer()
      await other.changeCatalog()
      expect(await catalog.server.client.keys('rg:t:*')).toEqual([])
      expect(await catalog.server.client.keys('rg:{rg-catalog}:*')).not.toEqual([])
    } finally {
      await other.stop()
      await catalog.stop()
    }
  })

  test('is served without a gap while slots with its rows move', async () => {
    const from = cluster.servers[0]!
    // As when a Cluster grows: no client has heard of it.
    const to = cluster.spare!
    const slots = (await slotsWithRows(from)).slice(0, 12)
    expect(slots).toHaveLength(12)
    const load = await underLoad(studio, async (moreAnswers) => {
      for (const slot of slots)
        await moveSlot(cluster, { slot, from, to, password, between: () => moreAnswers(100) })
    })
    expect(load.refused).toEqual([])
    expect(load.wrong).toEqual([])
    // At every moment a row is at one of both nodes, and ASK or MOVED tells at which: none is lost, which
    // cluster-reader.test.ts holds. Here a busy machine may cut a connection, for it has only 250 ms.
    expect(load.standInShare).toBeLessThan(0.01)
    for (const slot of slots) expect(await cluster.ownerOf(slot)).toBe(to)
    await studio.expectEveryAnswer()
  })

  test('is answered when a master dies, and served whole when another has taken over', async () => {
    const dead = cluster.servers[2]!
    const [slot = 0] = await slotsWithRows(dead)
    const load = await underLoad(studio, async () => {
      await dead.kill()
      await until('a replica has taken over', async () => (await cluster.ownerOf(slot)) !== dead)
      await studio.everyRowAgain()
    })
    expect(load.refused).toEqual([])
    expect(load.wrong).toEqual([])
    // Meanwhile copies and the default stood in for the dead master's rows, a third of all, and not for the others.
    expect(load.standInShare).toBeGreaterThan(0)
    expect(load.standInShare).toBeLessThan(0.6)
    await studio.expectEveryAnswer()
  })

  test('is changed and published to after that', async () => {
    await studio.changeCatalog()
    await studio.publishAgain()
    await studio.expectEveryAnswer()
  })
})
