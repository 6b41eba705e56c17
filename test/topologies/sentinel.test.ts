import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { composeTools } from '../../src/compose.ts'
import { createCatalogAnnouncements } from '../../src/redis/catalog-announcements.ts'
import { createSubscriberClients } from '../../src/redis/client.ts'
import { resolveRedis } from '../../src/settings/redis-endpoint.ts'
import { ask } from '../http/client.ts'
import { readAclPage } from '../support/acl-page.ts'
import { createMemoryLog } from '../support/memory-log.ts'
import { cannotRun, type Sentinels, startSentinels } from '../support/redis-topologies.ts'
import { testSettings } from '../support/studio.ts'
import { startSilentServer } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'
import { type ServedStudio, serveStudio, underLoad } from './served-studio.ts'

describe.skipIf(await cannotRun('a studio behind Sentinels'))('a studio behind Sentinels', () => {
  let redis: Sentinels
  let studio: ServedStudio

  beforeAll(async () => {
    redis = await startSentinels({ password: 'geheim', sentinelPassword: 'anderes' })
    studio = await serveStudio({
      RECGATE_REDIS_URL: redis.url,
      RECGATE_REDIS_SENTINEL_PASSWORD: 'anderes',
    })
  })
  afterAll(async () => {
    await studio?.stop()
    await redis?.stop()
  })

  test('is served to every player', async () => {
    await studio.expectEveryAnswer()
  })

  test('hears of changes by announcement', async () => {
    await studio.changeCatalog()
    await studio.publishAgain()
    await studio.expectEveryAnswer()
  })

  test('says what serves it', async () => {
    const { body } = await ask(`${studio.gateway.ops}/readyz`)
    expect(JSON.parse(body.toString())).toMatchObject({
      engine: expect.stringMatching(/^(Redis|Valkey) \S+, Sentinel$/),
    })
  })

  test('is answered when the master dies, and served whole by the new one', async () => {
    const before = await redis.masterPort()
    const master = redis.servers.find(({ port }) => port === before)!
    const load = await underLoad(studio, async () => {
      await master.kill()
      await until(
        'the Sentinels agree on another master',
        async () => ![0, before].includes(await redis.masterPort()),
      )
      await studio.everyRowAgain()
    })
    expect(load.refused).toEqual([])
    expect(load.wrong).toEqual([])
    // While there was no master, the default stood in.
    expect(load.standInShare).toBeGreaterThan(0)
    await studio.expectEveryAnswer()
  })

  test('is changed and published to after that', async () => {
    await studio.changeCatalog()
    await studio.publishAgain()
    await studio.expectEveryAnswer()
  })

  test('follows a master that is made a replica, and lives on', async () => {
    const before = await redis.masterPort()
    const demoted = redis.servers.find(({ port }) => port === before)!
    const load = await underLoad(studio, async () => {
      // Refused as long as the one before isn't over.
      await until('the Sentinels take the order', () =>
        redis.sentinels[0]!.client.call('SENTINEL', 'FAILOVER', 'main').then(
          () => true,
          () => false,
        ),
      )
      await until(
        'the Sentinels agree on another master',
        async () => ![0, before].includes(await redis.masterPort()),
      )
      await until('the old one follows it', async () =>
        (await demoted.client.info('replication').catch(() => '')).includes('role:slave'),
      )
      await studio.everyRowAgain()
    })
    expect(load.refused).toEqual([])
    expect(load.wrong).toEqual([])
    // Nobody stays with the old one: it has no client of recgate's left, and what is written arrives.
    await until('every client has left the old master', async () => {
      const clients = String(await demoted.client.client('LIST'))
      return !clients.includes('name=recgate-')
    })
    await studio.changeCatalog()
    await studio.publishAgain()
    await studio.expectEveryAnswer()
  })

  test('has its announcements heard where more Sentinels hang than one attempt gets past', async () => {
    const hung = await startSilentServer()
    const url = redis.url.replace('@', `@${`127.0.0.1:${hung.port},`.repeat(5)}`)
    const endpoint = resolveRedis({ url, sentinelPassword: 'anderes' })
    const reasons: string[] = []
    let subscriptions = 0
    const announcements = createCatalogAnnouncements({
      clients: createSubscriberClients({
        endpoint,
        name: 'tests',
        onError: ({ message }) => void reasons.push(message),
        onReady: () => void subscriptions++,
      }),
    })
    try {
      await announcements.subscribe(() => undefined)
      await until('an attempt began after the hung ones', () => subscriptions === 1)
      expect(reasons).toContain('no answer within 2000 ms')
    } finally {
      await announcements.close()
      await hung.stop()
    }
  })

  test('needs no more of Sentinels than the rule of docs/redis.md allows', async () => {
    const [rule = ''] = (await readAclPage()).ofSentinels
    const clients = redis.sentinels.map(({ client }) => client)
    for (const client of clients) await client.call('ACL', 'SETUSER', ...rule.split(' ').slice(1))
    const settings = testSettings(redis.url, {
      RECGATE_REDIS_SENTINEL_USERNAME: 'recgate-sentinel',
      RECGATE_REDIS_SENTINEL_PASSWORD: 'sentinel-password',
    })
    const { log, lines } = createMemoryLog()
    const tools = await composeTools(settings, log)
    tools.close()
    expect(lines).toEqual([])
    for (const client of clients) expect(await client.call('ACL', 'LOG')).toEqual([])
  })

  // Last: it is a studio of the same name, with keys of its own.
  test('is served, told and written to where the Sentinel that is named first hangs', async () => {
    const hung = await startSilentServer()
    const other = await serveStudio({
      RECGATE_REDIS_URL: redis.url.replace('@', `@127.0.0.1:${hung.port},`),
      RECGATE_REDIS_SENTINEL_PASSWORD: 'anderes',
    })
    try {
      await other.expectEveryAnswer()
      await other.changeCatalog()
      expect(hung.connections()).toBeGreaterThan(0)
    } finally {
      await other.stop()
      await hung.stop()
    }
  })
})
