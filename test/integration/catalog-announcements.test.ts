import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import type { CatalogAnnouncements } from '../../src/catalog/ports.ts'
import { freePort, type LocalRedis } from '../../src/commands/local-redis.ts'
import { createCatalogAnnouncements } from '../../src/redis/catalog-announcements.ts'
import { createSubscriberClients, type RedisConnection } from '../../src/redis/client.ts'
import { catalogKeys } from '../../src/redis/keys.ts'
import { testRedis } from '../support/redis.ts'
import { testConnection } from '../support/redis-clients.ts'
import { startSilentServer, startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

/** A subscriber is silent for hours: that its connection is dead is found out by asking. */

let redis: LocalRedis
let hands: Redis
let proxy: TcpProxy
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  redis = await testRedis()
  hands = new Redis(redis.url)
  proxy = await startTcpProxy(Number(new URL(redis.url).port))
})
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})
afterAll(async () => {
  await proxy.stop()
  hands.disconnect()
  await redis.stop()
})

/** A test that counts connections must not lose one to a machine that stands still for half a second. */
const patient = { answerMs: 20_000 }

interface Listener {
  readonly announcements: CatalogAnnouncements
  readonly heard: (string | null)[]
  /** How often it was told to read the index anew. */
  subscriptions(): number
}

async function listen(connection: RedisConnection, timing = {}): Promise<Listener> {
  const heard: (string | null)[] = []
  const announcements = createCatalogAnnouncements({
    clients: createSubscriberClients(connection),
    heartbeatMs: 50,
    answerMs: 500,
    ...timing,
  })
  open.push(announcements)
  await announcements.subscribe((tenantId) => heard.push(tenantId))
  return { announcements, heard, subscriptions: () => heard.filter((each) => each === null).length }
}

const throughProxy = () => testConnection(`redis://127.0.0.1:${proxy.port}`)

async function expectHears({ heard }: Listener): Promise<void> {
  const tenantId = `announced-${randomUUID()}`
  await hands.publish(catalogKeys.changes, tenantId)
  await until('the announcement was heard', () => heard.includes(tenantId))
  expect(heard.filter((each) => each === tenantId)).toEqual([tenantId])
}

describe('announcements', () => {
  test('come over one connection as long as its heart beats', async () => {
    const before = proxy.connections()
    const listener = await listen(throughProxy(), { ...patient, heartbeatMs: 5 })
    // Other workers of the test run may announce, too; only this one connects here.
    const answered = async () => /cmdstat_ping:calls=(\d+)/.exec(await hands.info('commandstats'))?.[1]
    const pings = Number((await answered()) ?? 0)
    await until('ten heartbeats', async () => {
      await expectHears(listener)
      return Number((await answered()) ?? 10 + pings) >= pings + 10
    })
    expect(proxy.connections()).toBe(before + 1)
    expect(listener.subscriptions()).toBe(1)
  })

  test('are heard again after a connection fell silent without being closed', async () => {
    const listener = await listen(throughProxy())
    for (let round = 0; round < 3; round++) {
      await expectHears(listener)
      const before = listener.subscriptions()
      proxy.forgetOpenOnes()
      await until('it subscribed anew', () => listener.subscriptions() > before)
    }
    await expectHears(listener)
  })

  test('whose first connection fails are heard when Redis is there', async () => {
    const port = await freePort()
    const listener = await listen(testConnection(`redis://127.0.0.1:${port}`), patient)
    expect(listener.heard).toEqual([])
    const late = await startTcpProxy(Number(new URL(redis.url).port), port)
    try {
      await until('it subscribed', () => listener.subscriptions() === 1)
      await expectHears(listener)
    } finally {
      await late.stop()
    }
  })

  test('are asked for at the next host where one does not answer', async () => {
    const { endpoint, ...connection } = throughProxy()
    const [working] = endpoint.nodes
    const nodes = [{ host: '127.0.0.1', port: 1 }, working!]
    const listener = await listen(
      { ...connection, endpoint: { ...endpoint, topology: 'cluster', nodes } },
      patient,
    )
    await until('it subscribed', () => listener.subscriptions() === 1)
    await expectHears(listener)
  })

  /** Listens, and keeps why attempts failed and how often all was well again. */
  async function listenAndKeep(url: string) {
    const reasons: string[] = []
    let recoveries = 0
    const connection = {
      ...testConnection(url),
      onError: ({ message }: Error) => void reasons.push(message),
      onReady: () => void recoveries++,
    }
    return { listener: await listen(connection), reasons, recoveries: () => recoveries }
  }

  test('say why they are not heard where nobody answers', async () => {
    const silent = await startSilentServer()
    try {
      const hosts = Array.from({ length: 4 }, () => `127.0.0.1:${silent.port}`).join()
      for (const url of [`redis://127.0.0.1:${silent.port}`, `redis+sentinel://${hosts}/main`]) {
        const { listener, reasons, recoveries } = await listenAndKeep(url)
        expect(reasons).toContain('no answer within 500 ms')
        expect(recoveries()).toBe(0)
        await listener.announcements.close()
      }
    } finally {
      await silent.stop()
    }
  })

  // The in-process engine has no users.
  test.skipIf(inject('sharedRedis') === null)(
    'say why the channel is forbidden, and that all is well only when it is',
    async () => {
      const user = ['announced-nothing', 'on', '>geheim', '~*', 'resetchannels', '+@all']
      await hands.call('ACL', 'SETUSER', ...user)
      try {
        const url = redis.url.replace('//', '//announced-nothing:geheim@')
        const { reasons, recoveries } = await listenAndKeep(url)
        await until('a second attempt', () => reasons.length >= 2)
        for (const reason of reasons) expect(reason).toMatch(/^NOPERM .*channel/)
        expect(recoveries()).toBe(0)
        await hands.call('ACL', 'SETUSER', 'announced-nothing', '&rg:*')
        await until('it subscribed', () => recoveries() === 1)
      } finally {
        await hands.call('ACL', 'DELUSER', 'announced-nothing')
      }
    },
  )

  test('are not heard any more after close, and no connection is made', async () => {
    const listener = await listen(throughProxy(), patient)
    await listener.announcements.close()
    const before = proxy.connections()
    const other = await listen(throughProxy(), patient)
    await expectHears(other)
    expect(listener.heard).toEqual([null])
    expect(proxy.connections()).toBe(before + 1)
  })
})
