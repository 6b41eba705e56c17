import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findRedisServer, startRedisServer } from '../../src/commands/local-redis.ts'
import { gameFor, oneGameDocument, playerToken } from '../support/one-game-studio.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument, publishRows, type RunningGateway, rowsOf, testSettings } from '../support/studio.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { makeKey } from '../support/tokens.ts'
import { until } from '../support/until.ts'

const binary = await findRedisServer()
if (binary === null) process.stderr.write('tests: a Redis far away is skipped; install redis-server\n')

const tenant = 'studio-a'
const players = Array.from({ length: 10 }, (_, index) => `player-${index}`)

describe.skipIf(binary === null)('a Redis that takes 300 ms, and a model that gives a second', () => {
  let site: Site
  let proxy: TcpProxy
  let gateway: RunningGateway
  let tokens: string[]

  beforeAll(async () => {
    site = await openSite(await startRedisServer(binary!))
    proxy = await startTcpProxy(Number(new URL(site.redis.url).port))
    const key = await makeKey('ES256')
    const document = oneGameDocument(tenant, key, 100)
    const games = { ...document.models.games, deadlineMs: 1_000 }
    await applyDocument(site.tools, { ...document, models: { games } })
    await publishRows(
      site.tools,
      [tenant, 'games', 'popular'],
      rowsOf(
        ['sub', 'game'],
        players.map((player, index) => [player, index + 1]),
      ),
    )
    tokens = await Promise.all(players.map((player) => playerToken(tenant, key, player)))
    proxy.setWeather({ delayMs: () => 300 })
    gateway = await site.startGateway(
      testSettings(`redis://127.0.0.1:${proxy.port}`, { RECGATE_CATALOG_REDIS_URL: site.redis.url }),
    )
  })
  afterAll(async () => {
    await site.stop()
    await proxy.stop()
  })

  const answers = () => Promise.all(tokens.map((token) => gameFor(token, gateway.data)))
  const ownRows = players.map((_, index) => `200 popular split ${index + 1}`)
  const untilRead = () =>
    until('rows are read', async () => (await answers()).every((answer, index) => answer === ownRows[index]))

  test('every player has the own row, from the start on', async () => {
    await untilRead()
    const before = proxy.connections()
    for (let round = 0; round < 3; round++) expect(await answers()).toEqual(ownRows)
    expect(proxy.connections()).toBe(before)
  })

  test('a connection that the network forgot costs nobody an answer, and is made anew', async () => {
    await untilRead()
    const before = proxy.connections()
    proxy.forgetOpenOnes()
    for (const answer of await answers()) expect(answer).toMatch(/^200 popular stale /)
    await untilRead()
    expect(proxy.connections()).toBeGreaterThan(before)
  })
})
