import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import { limits } from '../../src/domain/limits.ts'
import type { ActiveTable } from '../../src/domain/snapshot.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import type { RedisRole } from '../../src/redis/client-options.ts'
import { createRecordReader } from '../../src/redis/record-reader.ts'
import type { RecordRead, RecordReader, RecordReadResult } from '../../src/serving/ports.ts'
import { engines, onCluster } from '../support/redis.ts'
import { serversOf, singleClient, testClient } from '../support/redis-clients.ts'
import { bucketKey, control, none, own, type Rows, shown, writeTable } from '../support/tables.ts'
import { until } from '../support/until.ts'

/** Where the deadline isn't what is tested: far beyond any machine's hiccups. */
const inTime = () => performance.now() + 20_000

interface Fixture<Client extends RedisClient> {
  readonly client: Client
  /** The reader's own. */
  readonly reads: Client
  readonly reader: RecordReader
  close(): void
}

/** The gateway's role is `reads`, whose time-outs are meant for Redis and would also meet a machine that is busy with tests. */
async function connect<Client extends RedisClient>(
  redis: LocalRedis,
  create: (role: RedisRole, url: string) => Client,
  role: RedisRole = 'tables',
): Promise<Fixture<Client>> {
  const [reads, client] = [create(role, redis.url), create('tables', redis.url)]
  await Promise.all([redisReady(reads, 10_000), redisReady(client, 10_000)])
  const close = () => {
    reads.disconnect()
    client.disconnect()
  }
  return { client, reads, reader: createRecordReader(reads), close }
}

for (const engine of engines) {
  describe.skipIf(engine.skip)(`reading records on the ${engine.name}`, () => {
    let redis: LocalRedis
    let fixture: Fixture<RedisClient>
    let client: RedisClient
    let itemcf: ActiveTable
    let popular: ActiveTable

    beforeAll(async () => {
      redis = await engine.start()
      fixture = await connect(redis, testClient)
      client = fixture.client
    })

    beforeEach(async () => {
      itemcf = await writeTable(client, { both: Buffer.from('own-1'), mine: Buffer.from('own-2') })
      popular = await writeTable(
        client,
        { both: Buffer.from('control-1'), theirs: Buffer.from('control-2') },
        3,
      )
    })

    afterAll(async () => {
      fixture.close()
      await redis.stop()
    })

    async function read(rowKey: string, tables: Partial<RecordRead> = {}) {
      const asked = { rowKey, own: itemcf, control: popular, ...tables }
      return shown(await fixture.reader.read(asked, inTime()))
    }

    test("the version's own record", async () => {
      expect(await read('both')).toEqual(own('own-1'))
      expect(await read('mine')).toEqual(own('own-2'))
      expect(await read('both', { control: null })).toEqual(own('own-1'))
    })

    test("an unknown row falls to control's record", async () => {
      expect(await read('theirs')).toEqual(control('control-2', 'unknown-row'))
    })

    test('a row that neither table knows gives the own cause', async () => {
      expect(await read('nobody')).toEqual(none('unknown-row'))
      expect(await read('theirs', { control: null })).toEqual(none('unknown-row'))
    })

    test("a version without a table falls to control's record", async () => {
      expect(await read('both', { own: null })).toEqual(control('control-1', 'no-table'))
      expect(await read('mine', { own: null })).toEqual(none('no-table'))
      expect(await read('both', { own: null, control: null })).toEqual(none('no-table'))
    })

    const damages: Record<string, (key: string) => Promise<unknown>> = {
      'lacks the bucket': (key) => client.del(key),
      "holds another generation's token": (key) => client.hset(key, '', 'another-token'),
      'lacks the token': (key) => client.hdel(key, ''),
      'holds a key of the wrong type': async (key) => {
        await client.del(key)
        await client.set(key, 'no hash')
      },
    }
    describe.each(Object.entries(damages))('a table that %s', (_, damage) => {
      test("falls to control's record, and says that it is damaged", async () => {
        for (const rowKey of ['both', 'theirs', 'mine', 'nobody']) await damage(bucketKey(itemcf, rowKey))
        expect(await read('both')).toEqual(control('control-1', 'table-damaged'))
        expect(await read('theirs')).toEqual(control('control-2', 'table-damaged'))
        expect(await read('mine')).toEqual(none('table-damaged'))
        expect(await read('mine', { control: null })).toEqual(none('table-damaged'))
      })

      test("of control takes nothing from the version's own, and gives nothing", async () => {
        for (const rowKey of ['both', 'theirs']) await damage(bucketKey(popular, rowKey))
        expect(await read('both')).toEqual(own('own-1'))
        // Nothing says what control would have answered: a copy from before may.
        expect(await read('theirs')).toEqual({ ...none('table-damaged'), ownIsUnknown: true })
        expect(await read('both', { own: null })).toEqual(none('table-damaged'))
      })

      test('harms no read that travels with it', async () => {
        const sound = await writeTable(client, { both: Buffer.from('sound') })
        await damage(bucketKey(itemcf, 'both'))
        const results = await Promise.all([
          read('both', { own: sound }),
          read('both'),
          read('both', { own: sound, control: null }),
          read('both', { own: null }),
        ])
        expect(results).toEqual([
          own('sound'),
          control('control-1', 'table-damaged'),
          own('sound'),
          control('control-1', 'no-table'),
        ])
      })
    })

    test('both tables damaged give the own cause', async () => {
      for (const table of [itemcf, popular]) await client.del(bucketKey(table, 'both'))
      expect(await read('both')).toEqual(none('table-damaged'))
    })

    test('records come back byte for byte, and an empty one is a record', async () => {
      const allBytes = Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte))
      const bytesOf: Rows = {
        all: allBytes,
        invalid: Buffer.from([0xff, 0xc3, 0x28]),
        empty: Buffer.alloc(0),
      }
      const table = await writeTable(client, bytesOf)
      for (const [rowKey, bytes] of Object.entries(bytesOf)) {
        const asOwn = await fixture.reader.read({ rowKey, own: table, control: null }, inTime())
        expect(asOwn).toEqual({ from: 'own', bytes })
        const asSibling = await fixture.reader.read({ rowKey, own: null, control: table }, inTime())
        expect(asSibling).toEqual({ from: 'control', bytes, cause: 'no-table' })
      }
    })

    test('row keys are told apart by every byte', async () => {
      const rowKeys = ['a\0bc', 'ab\0c', 'abc', '\u00e9', 'e\u0301', '😀', '42', '042', ' ']
      const rows = Object.fromEntries(rowKeys.map((rowKey) => [rowKey, Buffer.from(`record of ${rowKey}`)]))
      const table = await writeTable(client, rows)
      for (const rowKey of rowKeys)
        expect(await read(rowKey, { own: table })).toEqual(own(`record of ${rowKey}`))
      expect(await read('\u00e9 ', { own: table })).toEqual(none('unknown-row'))
    })

    test('each of 1,000 reads at once gets its own record', async () => {
      const count = 1_000
      const ofOwn: Record<string, Uint8Array> = {}
      const ofControl: Record<string, Uint8Array> = {}
      for (let index = 0; index < count; index++) {
        if (index % 3 !== 0) ofOwn[`row-${index}`] = Buffer.from(`own ${index}`)
        if (index % 3 !== 1) ofControl[`row-${index}`] = Buffer.from(`control ${index}`)
      }
      const tables = {
        own: await writeTable(client, ofOwn, 13),
        control: await writeTable(client, ofControl, 9),
      }
      const asked = (index: number): Partial<RecordRead> =>
        [tables, { ...tables, control: null }, { ...tables, own: null }][index % 7] ?? tables
      const expected = (index: number) => {
        const { own: ownTable, control: controlTable } = { ...tables, ...asked(index) }
        if (ownTable !== null && index % 3 !== 0) return own(`own ${index}`)
        const cause = ownTable === null ? 'no-table' : 'unknown-row'
        return controlTable !== null && index % 3 !== 1 ? control(`control ${index}`, cause) : none(cause)
      }
      const results = await Promise.all(
        Array.from({ length: count }, (_, index) => read(`row-${index}`, asked(index))),
      )
      expect(results).toEqual(Array.from({ length: count }, (_, index) => expected(index)))
    })

    test('reads of more tables than one call can name each get their own record', async () => {
      const count = 120
      const tables = await Promise.all(
        Array.from({ length: count }, (_, index) => writeTable(client, { row: Buffer.from(`${index}`) }, 1)),
      )
      // Each read brings two tables, and control's answers every second one.
      const asked = (index: number): Partial<RecordRead> => {
        const [first, second] = [tables[index]!, tables[(index + 1) % count]!]
        return index % 2 === 0 ? { own: first, control: second } : { own: null, control: first }
      }
      const results = await Promise.all(tables.map((_, index) => read('row', asked(index))))
      const expected = tables.map((_, index) =>
        index % 2 === 0 ? own(`${index}`) : control(`${index}`, 'no-table'),
      )
      expect(results).toEqual(expected)
    })

    test('after SCRIPT FLUSH reads are answered as before', async () => {
      expect(await read('both')).toEqual(own('own-1'))
      for (let times = 0; times < 2; times++) {
        for (const server of serversOf(client)) await server.script('FLUSH')
        const results = await Promise.all(Array.from({ length: 300 }, () => read('both')))
        expect(results).toEqual(Array.from({ length: 300 }, () => own('own-1')))
      }
    })

    test('at most so many reads wait at once; the next one falls at once', async () => {
      const asked = { rowKey: 'both', own: itemcf, control: null }
      const waiting = Array.from({ length: limits.readsInFlightMax }, () =>
        fixture.reader.read(asked, inTime()),
      )
      expect(await fixture.reader.read(asked, inTime())).toEqual(none('shed'))
      const results = await Promise.all(waiting)
      expect(results.every((result) => result.from === 'own')).toBe(true)
      expect(await read('both')).toEqual(own('own-1'))
    })
  })
}

const binary = await findRedisServer()
if (onCluster)
  process.stderr.write('tests: a reader with a server of its own is tested in the project main\n')

/** Counted, stopped and killed: what nobody else may share. Skipped where PATH has no server. */
describe.skipIf(binary === null || onCluster)('reading records from a server of its own', () => {
  const started: { stop(): Promise<void> }[] = []
  const fixtures: Fixture<Redis>[] = []

  async function startServer(...settings: string[]): Promise<LocalRedis> {
    const redis = await startRedisServer(binary!, settings)
    started.push(redis)
    return redis
  }

  async function connected(redis: LocalRedis, role?: RedisRole): Promise<Fixture<Redis>> {
    const fixture = await connect(redis, singleClient, role)
    fixtures.push(fixture)
    return fixture
  }

  afterAll(async () => {
    for (const fixture of fixtures) fixture.close()
    for (const each of started) await each.stop()
  })

  const rows = Object.fromEntries(
    Array.from({ length: 400 }, (_, index) => [`row-${index}`, Buffer.from(`record ${index}`)]),
  )

  /** Reads of one turn of the event loop. */
  function readAtOnce(
    reader: RecordReader,
    table: ActiveTable,
    count: number,
    deadlineAt = inTime(),
  ): Promise<RecordReadResult[]> {
    return Promise.all(
      Array.from({ length: count }, (_, index) =>
        reader.read({ rowKey: `row-${index}`, own: table, control: null }, deadlineAt),
      ),
    )
  }

  function expectAll(results: readonly RecordReadResult[]): void {
    expect(results.map(shown)).toEqual(results.map((_, index) => own(`record ${index}`)))
  }

  describe('the calls', () => {
    let fixture: Fixture<Redis>
    let table: ActiveTable

    beforeAll(async () => {
      fixture = await connected(await startServer())
      table = await writeTable(fixture.client, rows)
      expectAll(await readAtOnce(fixture.reader, table, 1))
    })

    beforeEach(async () => {
      await fixture.client.config('RESETSTAT')
    })

    async function calls(): Promise<Record<string, number>> {
      const info = await fixture.client.info('commandstats')
      const counted = [...info.matchAll(/^cmdstat_(eval\w*|hmget|hget):calls=(\d+)/gm)]
      return Object.fromEntries(counted.map(([, name, count]) => [name, Number(count)]))
    }

    test.each([
      [1, 1],
      [100, 1],
      [limits.readsPerCallMax, 1],
      [limits.readsPerCallMax + 1, 2],
      [300, 3],
    ])('%i reads of one turn travel in %i', async (reads, trips) => {
      expectAll(await readAtOnce(fixture.reader, table, reads))
      expect(await calls()).toEqual({ evalsha_ro: trips, hmget: reads })
    })

    test("control's row needs no second trip", async () => {
      const empty = await writeTable(fixture.client, {})
      await fixture.client.config('RESETSTAT')
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          fixture.reader.read({ rowKey: `row-${index}`, own: empty, control: table }, inTime()),
        ),
      )
      expect(results.map(shown)).toEqual(results.map((_, i) => control(`record ${i}`, 'unknown-row')))
      expect(await calls()).toEqual({ evalsha_ro: 1, hmget: 100 })
    })

    test('a lost script is sent once, and then called by its hash again', async () => {
      await fixture.client.script('FLUSH')
      expectAll(await readAtOnce(fixture.reader, table, 10))
      expectAll(await readAtOnce(fixture.reader, table, 10))
      expect(await calls()).toMatchObject({ eval_ro: 1, evalsha_ro: 2 })
    })
  })

  test('a server that does not know EVALSHA_RO answers, the first reads at once included', async () => {
    const unknown = ['EVALSHA_RO', 'EVAL_RO'].flatMap((name) => ['--rename-command', name, ''])
    const { client, reader } = await connected(await startServer(...unknown))
    await expect(client.call('EVALSHA_RO', 'x', '0')).rejects.toThrow(/unknown command/)
    const table = await writeTable(client, rows)
    // Several calls are under way before the first one learns it.
    expectAll(await readAtOnce(reader, table, 400))
    expectAll(await readAtOnce(reader, table, 400))
    expect(await client.info('commandstats')).not.toMatch(/cmdstat_eval\w*_ro/)
  })

  describe('a Redis that hangs', () => {
    let fixture: Fixture<Redis>
    let table: ActiveTable
    let pid: number
    const stopServer = () => process.kill(pid, 'SIGSTOP')
    const resumeServer = () => process.kill(pid, 'SIGCONT')

    beforeAll(async () => {
      // The connection's time-outs are longer than the test: only the read's own deadline can end it.
      fixture = await connected(await startServer())
      table = await writeTable(fixture.client, rows)
      pid = Number(/^process_id:(\d+)/m.exec(await fixture.client.info('server'))?.[1])
      expectAll(await readAtOnce(fixture.reader, table, 1))
    })

    // Where a test failed half way: a stopped process heeds no SIGTERM.
    afterAll(resumeServer)

    test('gives the cause deadline, while it still hangs', async () => {
      stopServer()
      const results = await readAtOnce(fixture.reader, table, 300, performance.now() + 20)
      resumeServer()
      expect(results).toEqual(results.map(() => none('deadline')))
    })

    test('each read has its own deadline', async () => {
      let nowMs = 0
      const reader = createRecordReader(fixture.reads, { clock: () => nowMs })
      const order: string[] = []
      const read = async (name: string, deadlineAt: number) => {
        const result = await reader.read({ rowKey: 'row-0', own: table, control: null }, deadlineAt)
        order.push(`${name}: ${result.from === 'none' ? result.cause : result.from}`)
      }
      stopServer()
      const [patient, later, sooner] = [read('patient', 1e9), read('later', 20), read('sooner', 10)]
      nowMs = 10
      await sooner
      expect(order).toEqual(['sooner: deadline'])
      nowMs = 25
      await later
      expect(order).toEqual(['sooner: deadline', 'later: deadline'])
      resumeServer()
      await patient
      expect(order).toEqual(['sooner: deadline', 'later: deadline', 'patient: own'])
    })

    test('late replies go to nobody', async () => {
      stopServer()
      const late = await readAtOnce(fixture.reader, table, 200, performance.now() + 10)
      // These travel after the late ones, over the same connection.
      const afterwards = Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          fixture.reader.read({ rowKey: `row-${index + 200}`, own: table, control: null }, inTime()),
        ),
      )
      resumeServer()
      expect((await afterwards).map(shown)).toEqual(late.map((_, index) => own(`record ${index + 200}`)))
      expect(late).toEqual(late.map(() => none('deadline')))
      expectAll(await readAtOnce(fixture.reader, table, 200))
      // Nor do they count as answered twice: the bound on reads at once still holds.
      const asked = { rowKey: 'row-0', own: table, control: null }
      const waiting = Array.from({ length: limits.readsInFlightMax }, () =>
        fixture.reader.read(asked, inTime()),
      )
      expect(await fixture.reader.read(asked, inTime())).toEqual(none('shed'))
      await Promise.all(waiting)
    })
  })

  test("a Redis that hangs longer than the socket's time-out gives store, and is read again afterwards", async () => {
    const { client, reader } = await connected(await startServer(), 'reads')
    const table = await writeTable(client, rows)
    const pid = Number(/^process_id:(\d+)/m.exec(await client.info('server'))?.[1])
    process.kill(pid, 'SIGSTOP')
    const results = await readAtOnce(reader, table, 200, performance.now() + 60_000)
    process.kill(pid, 'SIGCONT')
    expect(results).toEqual(results.map(() => none('store')))
    await until('the reader is back', async () => (await readAtOnce(reader, table, 1))[0]?.from === 'own')
    expectAll(await readAtOnce(reader, table, 300))
  })

  test('a dead Redis gives store at once, and is read again when it is back', async () => {
    const first = await startRedisServer(binary!)
    const { client, reader } = await connected(first)
    const table = await writeTable(client, rows)
    expectAll(await readAtOnce(reader, table, 300))
    await first.stop()
    await until('the reader noticed', async () => (await readAtOnce(reader, table, 1))[0]?.from === 'none')
    // By `store` and not by the deadline: nothing waits for the connection to come back.
    const results = await readAtOnce(reader, table, 300, Number.POSITIVE_INFINITY)
    expect(results).toEqual(results.map(() => none('store')))

    await startServer('--port', new URL(first.url).port)
    let found: RecordReadResult | undefined
    await until('the reader is back', async () => {
      found = (await readAtOnce(reader, table, 1))[0]
      return found?.from === 'none' && found.cause !== 'store'
    })
    // The server came back empty, and nobody takes its rows for unknown.
    expect(found).toEqual(none('table-damaged'))
    await redisReady(client, 10_000)
    expectAll(await readAtOnce(reader, await writeTable(client, rows), 300))
  })

  test('a Redis that was never there gives store at once', async () => {
    const gone = await startRedisServer(binary!)
    const table = { generation: 1, token: 'token', buckets: 1, rows: 1, bucketPrefix: 'rg:t:studio:games:1:' }
    await gone.stop()
    const client = testClient('reads', gone.url)
    const results = await readAtOnce(createRecordReader(client), table, 10, Number.POSITIVE_INFINITY)
    client.disconnect()
    expect(results).toEqual(results.map(() => none('store')))
  })

  test('nothing ever rejects, and every read is answered, while connections break', async () => {
    const { client, reader } = await connected(await startServer())
    const table = await writeTable(client, rows)
    const outcomes: PromiseSettledResult<RecordReadResult>[] = []
    for (let round = 0; round < 30; round++) {
      const reads = Array.from({ length: 300 }, (_, index) =>
        reader.read({ rowKey: `row-${index}`, own: table, control: null }, inTime()),
      )
      const killed = client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      outcomes.push(...(await Promise.allSettled(reads)))
      await killed
      if (round % 3 === 0)
        await until('the reader is back', async () => (await readAtOnce(reader, table, 1))[0]?.from === 'own')
    }
    const results = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    expect(results).toHaveLength(30 * 300)
    for (const [index, result] of results.entries())
      if (result.from === 'own') expect(shown(result)).toEqual(own(`record ${index % 300}`))
      else expect(result).toEqual(none('store'))
  })
})
