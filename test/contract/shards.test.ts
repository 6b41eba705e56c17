import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readLiveTenant } from '../../src/catalog/live-tenant.ts'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { randomToken, type Tools } from '../../src/compose.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { OperationError } from '../../src/domain/errors.ts'
import { activeGeneration, type ModelState } from '../../src/domain/tenant-state.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import { tableKeys } from '../../src/redis/keys.ts'
import { collectTables } from '../../src/tables/collect.ts'
import { diffTables } from '../../src/tables/diff.ts'
import type { LeaseStore, RowSource, SourceValue, TableStore } from '../../src/tables/ports.ts'
import type { ShardOutcome } from '../../src/tables/shards/publish-shard.ts'
import type { Shard } from '../../src/tables/shards/shard.ts'
import { rereadTable } from '../../src/tables/verify.ts'
import { engines } from '../support/redis.ts'
import { keysOf, testClient } from '../support/redis-clients.ts'
import { applyDocument, publishRows, publishShardRows, rowsOf, testTools } from '../support/studio.ts'
import { until } from '../support/until.ts'

/** One generation that several processes load, over every store that there is: on a Cluster its keys lie apart. */

const record = {
  score: { type: 'fixed', min: 0, max: 100, step: 0.5 },
  segment: { type: 'enum', values: ['newcomer', 'regular', 'collector'], default: 'newcomer' },
  games: { type: 'list', maxItems: 3, items: { type: 'uint', max: 1_000 } },
}
const columns = ['player_id', 'score', 'segment', 'games']

type Row = readonly SourceValue[]

function player(index: number, base = 0): Row {
  const segment = ['newcomer', 'regular', null][index % 3]!
  return [`player-${index}`, ((base + index) % 200) / 2, segment, [index % 7, index % 11].slice(index % 3)]
}

/** Players `first` to `end - 1`. */
function players(first: number, end: number, base = 0): Row[] {
  return Array.from({ length: end - first }, (_, index) => player(first + index, base))
}

const source = (rows: readonly Row[]): RowSource => rowsOf(columns, rows)
/** Whoever reads it did so in vain. */
const unread: RowSource = {
  columns,
  rowsExpected: null,
  batches() {
    throw new Error('it was read')
  },
  close: async () => undefined,
}

for (const engine of engines) {
  describe.skipIf(engine.skip)(`shards on the ${engine.name}`, () => {
    let redis: LocalRedis
    let hands: RedisClient
    let tools: Tools
    let tenants = 0
    /** Each test has a tenant of its own. */
    let tenant: string
    const version = () => [tenant, 'games', 'itemcf'] as const
    const total = 1_000

    beforeAll(async () => {
      redis = await engine.start()
      hands = testClient('tables', redis.url)
      await redisReady(hands, 10_000)
      tools = await testTools(redis.url)
    })
    beforeEach(async () => {
      tenant = `studio-${++tenants}`
      await apply()
    })
    afterAll(async () => {
      tools?.close()
      hands?.disconnect()
      await redis?.stop()
    })

    async function apply(gates: Record<string, number> = {}): Promise<void> {
      const games = {
        key: [{ claim: 'sub', column: 'player_id' }],
        record,
        default: 'none',
        versions: ['popular', 'itemcf'],
        control: 'popular',
        weights: { popular: 100 },
        gates: { maxBadRowShare: 1, ...gates },
      }
      await applyDocument(tools, { format: 1, tenant, issuers: [], models: { games } })
    }

    const shardOf = (index: number, count: number, more: Partial<Shard> = {}): Shard => ({
      index,
      count,
      expectedRows: total,
      runId: 'run-1',
      ...more,
    })
    /** The rows of one of `count` equal shards. */
    const part = (index: number, count: number, base = 0) =>
      players(Math.floor((index * total) / count), Math.floor(((index + 1) * total) / count), base)
    /** Publishes one shard of so many. */
    const publish = (
      index: number,
      count: number,
      given: { rows?: readonly Row[]; by?: Tools; badRowsMax?: number } & Partial<Shard> = {},
    ): Promise<ShardOutcome> => {
      const { rows = part(index, count), by = tools, badRowsMax = 0, ...more } = given
      return publishShardRows(by, version(), source(rows), shardOf(index, count, more), badRowsMax)
    }

    async function model(): Promise<ModelState> {
      return (await readLiveTenant(tools.catalog, tenant))!.state.models['games']!
    }
    async function active() {
      return activeGeneration(await model(), 'itemcf')
    }
    const address = (generation: number) => ({ tenantId: tenant, modelId: 'games', generation })
    async function expectSound(generation: number, rows = total): Promise<void> {
      const entry = (await model()).generations[generation]!
      const check = await rereadTable(tools.tables, address(generation), entry, () => undefined)
      expect(check).toMatchObject({ rows, isSound: true })
    }
    const bucketsOf = (generation: number) =>
      keysOf(hands, `${tableKeys.bucketPrefix(tenant, 'games', generation)}*`)
    const manifestKeys = () => keysOf(hands, `rg:m:${tenant}:*`)
    const runKey = (name: string) => tableKeys.run(tenant, 'games', 'itemcf', name)
    const lapse = (...keys: string[]) => Promise.all(keys.map((key) => hands.unlink(key)))
    const claim = (generation: number, shard: number | 'finisher') =>
      tableKeys.shard(tenant, 'games', generation, shard)
    const hold = () => tableKeys.versionLease(tenant, 'games', 'itemcf')
    const collect = () =>
      collectTables(
        {
          store: tools.tables,
          leases: tools.leases,
          catalog: tools.generationCatalog({ who: 'tester', why: 'collect' }),
          newToken: randomToken,
          now: () => new Date(),
        },
        tenant,
        'tester',
      )
    async function refusal(promise: Promise<unknown>): Promise<string> {
      const error = await promise.then(
        () => null,
        (reason: Error) => reason,
      )
      expect(error).toBeInstanceOf(OperationError)
      return error!.message
    }

    /** A process that dies at one of its commands: from then on nothing it says arrives. */
    function mortal(diesAt: (name: string, args: readonly unknown[]) => boolean): Tools {
      let isDead = false
      const wrap = <T extends object>(target: T): T =>
        new Proxy(target, {
          get(from, name: string) {
            const real = Reflect.get(from, name) as (...args: unknown[]) => Promise<unknown>
            return async (...args: unknown[]) => {
              if (!isDead) isDead = diesAt(name, args)
              if (isDead) throw new Error('it is dead')
              return real.apply(from, args)
            }
          },
        })
      return {
        ...tools,
        tables: wrap<TableStore>(tools.tables),
        leases: wrap<LeaseStore>(tools.leases),
        generationCatalog: (who) => wrap(tools.generationCatalog(who)),
      }
    }

    describe('a run', () => {
      test('of processes that begin together becomes what one publish of all rows makes', async () => {
        const outcomes = await Promise.all([0, 1, 2, 3].map((index) => publish(index, 4)))
        const last = outcomes.find((outcome) => 'isLast' in outcome)!
        expect(last).toMatchObject({ outcome: 'activated', generation: 1, rows: total, buckets: 13 })
        const single = await publishRows(tools, [tenant, 'games', 'popular'], source(players(0, total)))
        const { generations } = await model()
        const [sharded, alone] = [generations[1]!, generations[2]!]
        for (const field of ['rows', 'bytes', 'buckets', 'contentHash', 'recordRevision'] as const)
          expect(sharded[field], field).toBe(alone[field])
        expect(sharded.statistics.shares).toEqual(alone.statistics.shares)
        for (const [field, mean] of Object.entries(alone.statistics.means))
          expect(sharded.statistics.means[field]).toBeCloseTo(mean, 9)
        expect(Object.keys(sharded.statistics.means)).toEqual(Object.keys(alone.statistics.means))
        expect(sharded.memoryBytes / single.memoryBytes).toBeGreaterThan(0.8)
        expect(sharded.memoryBytes / single.memoryBytes).toBeLessThan(1.25)
        await expectSound(1)
        const codec = compileRecordSchema((await model()).record)
        const diff = await diffTables(
          tools.tables,
          codec,
          { ...sharded, address: address(1) },
          { ...alone, address: address(2) },
          () => undefined,
        )
        expect(diff).toMatchObject({ added: 0, removed: 0, changed: 0, unchanged: total })
        // The end of it is remembered, and nothing else.
        expect(await manifestKeys()).toEqual([runKey('run-1')])
      })

      test('goes on shard after shard, and tells which are missing', async () => {
        expect(await publish(2, 3)).toMatchObject({ outcome: 'loaded', rows: 334, missing: [0, 1] })
        expect(await publish(0, 3)).toMatchObject({ outcome: 'loaded', generation: 1, missing: [1] })
        expect(await active()).toBeNull()
        expect(await publish(1, 3)).toMatchObject({ outcome: 'activated', generation: 1, rows: total })
        await expectSound(1)
      })

      test('without a name is that of the same numbers', async () => {
        await publish(0, 2, { runId: null })
        expect(await refusal(publish(1, 2, { runId: null, expectedRows: 2_000 }))).toMatch(
          /a run without a name/,
        )
        expect(await publish(1, 2, { runId: null })).toMatchObject({ outcome: 'activated', generation: 1 })
        const again = await publish(0, 2, { runId: null, rows: part(0, 2, 50) })
        expect(again).toMatchObject({ outcome: 'loaded', generation: 2 })
      })

      test('takes a shard that is loaded for loaded, without reading it again', async () => {
        await publish(0, 2)
        expect(await publishShardRows(tools, version(), unread, shardOf(0, 2))).toMatchObject({
          outcome: 'loaded',
          isRepeated: true,
          rows: 500,
          missing: [1],
        })
      })

      test('is known when it is over, so that a late repetition begins none', async () => {
        await Promise.all([publish(0, 2), publish(1, 2)])
        for (const index of [0, 1])
          expect(await publishShardRows(tools, version(), unread, shardOf(index, 2))).toEqual({
            outcome: 'activated',
            generation: 1,
            problem: null,
            isOver: true,
          })
      })

      test('may have shards without rows, and not none at all', async () => {
        await publish(0, 2, { rows: [] })
        expect(await publish(1, 2, { rows: players(0, total) })).toMatchObject({ outcome: 'activated' })
        await expectSound(1)
        await publish(0, 2, { runId: 'run-2', rows: [] })
        expect(await refusal(publish(1, 2, { runId: 'run-2', rows: [] }))).toMatch(/no shard has a row/)
      })

      test('with the content that is active makes it young again, and leaves nothing', async () => {
        await publishRows(tools, version(), source(players(0, total)))
        const { revision } = (await tools.catalog.read(tenant))!
        await publish(0, 2)
        expect(await publish(1, 2)).toMatchObject({ outcome: 'unchanged', generation: 1, rows: total })
        expect((await tools.catalog.read(tenant))!.revision).toBe(revision + 1)
        expect(await bucketsOf(2)).toEqual([])
        expect(await manifestKeys()).toEqual([runKey('run-1')])
        expect(await publishShardRows(tools, version(), unread, shardOf(0, 2))).toMatchObject({
          isOver: true,
          outcome: 'unchanged',
        })
      })
    })

    describe('meanwhile', () => {
      test('nobody else publishes the version, and is told whose it is and what is missing', async () => {
        await publish(1, 4)
        const whole = await refusal(publishRows(tools, version(), unread))
        expect(whole).toMatch(
          /by the run run-1, of 4 shards and 1000 expected rows .*3 are missing: 0, 2, 3;/,
        )
        const other = await refusal(
          publishShardRows(tools, version(), unread, shardOf(0, 4, { runId: 'run-2' })),
        )
        expect(other).toBe(whole)
        expect(await refusal(publishShardRows(tools, version(), unread, shardOf(0, 5)))).toBe(whole)
        expect((await publishRows(tools, [tenant, 'games', 'popular'], source(players(0, 5)))).outcome).toBe(
          'activated',
        )
        for (const index of [0, 2, 3]) await publish(index, 4)
        await expectSound(1)
      })

      test('and an ordinary publish stands in a run’s way', async () => {
        await tools.leases.take(
          { lease: 'version', tenantId: tenant, modelId: 'games', versionId: 'itemcf' },
          JSON.stringify({ token: 'x', by: 'airflow', since: 'today' }),
          60_000,
        )
        const text = await refusal(publishShardRows(tools, version(), unread, shardOf(0, 2)))
        expect(text).toMatch(/is being published already \(by airflow, since today\)/)
      })
    })

    describe('a shard that is lost', () => {
      test('keeps the run from becoming active; when its hold has lapsed all of it is collected', async () => {
        await publishRows(tools, version(), source(players(0, 10)))
        for (const index of [0, 1, 3]) await publish(index, 4)
        await collect()
        expect(await bucketsOf(2)).toHaveLength(13)
        expect(await active()).toMatchObject({ generation: 1 })
        await lapse(hold())
        const { collected } = await collect()
        expect(collected).toMatchObject([{ generation: 2, why: 'its shards are gone' }])
        expect(await bucketsOf(2)).toEqual([])
        expect(await manifestKeys()).toEqual([runKey('run-1')])
        expect(await active()).toMatchObject({ generation: 1 })
        // It comes after all: its run is over, and isn't begun again for it alone.
        expect(await publishShardRows(tools, version(), unread, shardOf(2, 4))).toMatchObject({
          isOver: true,
          outcome: 'failed',
          problem: expect.stringMatching(/nothing was heard of it for 15 minutes/),
        })
      })

      test('by a death in the middle is loaded again by whoever takes its place', async () => {
        await publish(0, 2)
        const dying = publish(1, 2, { by: mortal((name) => name === 'addRows') })
        await expect(dying).rejects.toThrow('it is dead')
        expect(await manifestKeys()).toContain(claim(1, 1))
        // Whoever comes at once waits until the claim lapses.
        const next = publish(1, 2)
        await lapse(claim(1, 1))
        expect(await next).toMatchObject({ outcome: 'activated', generation: 1 })
        await expectSound(1)
      })

      test('after its rows were written, and before its report', async () => {
        await publish(0, 2)
        const before = (name: string, args: readonly unknown[]) =>
          name === 'replace' && String(args[2]).includes('"report"')
        await expect(publish(1, 2, { by: mortal(before) })).rejects.toThrow('it is dead')
        await lapse(claim(1, 1))
        expect(await publish(1, 2)).toMatchObject({ outcome: 'activated' })
        await expectSound(1)
      })

      test('and had other rows than the one after it spoils the run, which says so', async () => {
        await publishRows(tools, version(), source(players(0, 10)))
        await publish(0, 2)
        const before = (name: string, args: readonly unknown[]) =>
          name === 'replace' && String(args[2]).includes('"report"')
        const more = [...part(1, 2), ...players(2_000, 2_003)]
        await expect(publish(1, 2, { rows: more, by: mortal(before) })).rejects.toThrow('it is dead')
        await lapse(claim(2, 1))
        expect(await refusal(publish(1, 2))).toMatch(
          /3 rows are there that no shard has reported \(1003 instead of 1000\)/,
        )
        expect(await bucketsOf(2)).toEqual([])
        expect(await active()).toMatchObject({ generation: 1 })
        expect(await publishShardRows(tools, version(), unread, shardOf(1, 2))).toMatchObject({
          isOver: true,
          outcome: 'failed',
          problem: expect.stringMatching(/no shard has reported/),
        })
        expect(await publish(0, 2, { runId: 'run-2' })).toMatchObject({ outcome: 'loaded', generation: 3 })
      })

      test('while it makes the buckets leaves the run to the next one', async () => {
        const dying = mortal((name) => name === 'writeBuckets')
        await expect(publish(0, 2, { by: dying })).rejects.toThrow('it is dead')
        const next = publish(1, 2)
        await lapse(hold())
        expect(await next).toMatchObject({ outcome: 'loaded', generation: 2, missing: [0] })
        expect(await publish(0, 2)).toMatchObject({ outcome: 'activated', generation: 2 })
        await collect()
        expect(await bucketsOf(1)).toEqual([])
        expect(await manifestKeys()).toEqual([runKey('run-1')])
      })
    })

    describe('the last one', () => {
      const deaths: Record<string, (name: string, args: readonly unknown[]) => boolean> = {
        'before it seals a bucket': (name) => name === 'sealBuckets',
        'after the seal': (name) => name === 'readBuckets',
        'before the catalog is changed': (name) => name === 'change',
        'after the catalog was changed': (name) => name === 'removeManifest',
        'before the version is free again': (name, [lease]) =>
          name === 'release' && (lease as { lease: string }).lease === 'shard',
      }
      test.each(Object.entries(deaths))('dies %s: a repetition finishes', async (_, diesAt) => {
        await publish(0, 2)
        await publish(1, 2, { by: mortal(diesAt) }).catch(() => undefined)
        await lapse(claim(1, 'finisher'))
        // Any shard's.
        expect(await publishShardRows(tools, version(), unread, shardOf(0, 2))).toMatchObject({
          outcome: 'activated',
          generation: 1,
        })
        await expectSound(1)
        expect(await manifestKeys()).toEqual([runKey('run-1')])
        expect((await publishRows(tools, version(), source(players(0, total, 7)))).generation).toBe(2)
      })

      test('says how many row keys stand in two shards, and takes all away', async () => {
        await publish(0, 2)
        const rows = [...part(1, 2), player(3, 1), player(4)]
        expect(await refusal(publish(1, 2, { rows }))).toMatch(
          /shards share row keys: they have 1002 rows, of which 1000 are there, so that 2 stand in more than one/,
        )
        expect(await active()).toBeNull()
        expect(await bucketsOf(1)).toEqual([])
        expect(await manifestKeys()).toEqual([runKey('run-1')])
      })

      test('sees rows that were exchanged, where all counts are right', async () => {
        await publish(0, 2)
        const stray = mortal((name, args) => name === 'replace' && String(args[2]).includes('"report"'))
        const rows = part(1, 2).map((row, index) => (index === 7 ? player(5_000) : row))
        await expect(publish(1, 2, { rows, by: stray })).rejects.toThrow('it is dead')
        await lapse(claim(1, 1))
        // One row key is another shard's: one more, and one less.
        const again = part(1, 2).map((row, index) => (index === 7 ? player(2) : row))
        expect(await refusal(publish(1, 2, { rows: again }))).toMatch(/1000 rows are there, but not those/)
      })

      test('judges the sums by the gates, and a repetition is told', async () => {
        await apply({ minRows: 1_001, maxBadRowShare: 0.05 })
        const bad: Row[] = Array.from({ length: 60 }, (_, index) => [`bad-${index}`, -1, null, []])
        await publish(0, 2)
        const refused = await publish(1, 2, { rows: [...part(1, 2), ...bad], badRowsMax: 60 })
        expect(refused).toMatchObject({ outcome: 'refused', badRows: 60, generation: 1 })
        expect('failedGates' in refused && refused.failedGates).toMatchObject([
          { gate: 'minRows', found: total },
          { gate: 'maxBadRowShare', found: 60 / 1_060 },
        ])
        expect((await model()).generations[1]).toMatchObject({ state: 'loaded' })
        expect(await publishShardRows(tools, version(), unread, shardOf(1, 2))).toEqual({
          outcome: 'refused',
          generation: 1,
          problem: 'minRows, maxBadRowShare',
          isOver: true,
        })
        // The same content again is judged anew, and isn't kept twice.
        await apply({})
        await publish(0, 2, { runId: 'run-2' })
        expect(await publish(1, 2, { runId: 'run-2' })).toMatchObject({ outcome: 'activated', generation: 1 })
        expect(await bucketsOf(2)).toEqual([])
        await expectSound(1)
      })
    })

    describe('a process that stood still', () => {
      /** It stops before its first rows are sent, and is woken up by `wake`. */
      function stopped(): { by: Tools; stands: () => boolean; wake: () => void } {
        let wake = (): void => undefined
        let stands = false
        const woken = new Promise<void>((resolve) => {
          wake = resolve
        })
        const tables: TableStore = {
          ...tools.tables,
          async addRows(...given) {
            // Rows are good until the next are asked for.
            const rows = given[2].map((bucket) => ({
              ...bucket,
              rows: bucket.rows.map((row) => ({ ...row, data: Buffer.from(row.data) })),
            }))
            stands = true
            await woken
            return tools.tables.addRows(given[0], given[1], rows)
          },
        }
        return { by: { ...tools, tables }, stands: () => stands, wake: () => wake() }
      }

      test('while its run was collected writes nothing', async () => {
        const sleeper = stopped()
        const sleeping = refusal(publish(0, 2, { by: sleeper.by }))
        await until('it stands still', sleeper.stands)
        await lapse(hold(), claim(1, 0))
        await collect()
        sleeper.wake()
        expect(await sleeping).toMatch(/generation 1 of games is no longer loaded by run-1/)
        expect(await bucketsOf(1)).toEqual([])
        expect(await manifestKeys()).toEqual([runKey('run-1')])
      })

      test('while another loaded its shard and the run became active changes nothing that is served', async () => {
        await publish(0, 2)
        const sleeper = stopped()
        const sleeping = refusal(publish(1, 2, { by: sleeper.by, rows: part(1, 2, 77) }))
        await until('it stands still', sleeper.stands)
        await lapse(claim(1, 1))
        const next = publish(1, 2)
        await until('its shard is loaded', async () => (await active()) !== null)
        await next
        sleeper.wake()
        expect(await sleeping).toMatch(/no longer loaded by run-1|taken over by another process/)
        await expectSound(1)
      })
    })

    describe('--expected-rows', () => {
      test('that is wrong costs memory, and warns', async () => {
        await publish(0, 2, { expectedRows: 400 })
        const few = await publish(1, 2, { expectedRows: 400 })
        expect(few).toMatchObject({ outcome: 'activated', buckets: 5 })
        expect('warnings' in few && few.warnings).toEqual([
          expect.stringMatching(
            /^1000 rows came instead of the 400 of --expected-rows: 200 a bucket instead of 80/,
          ),
        ])
        await expectSound(1)
        const rows = { rows: part(0, 2, 1) }
        await publish(0, 1, { expectedRows: 4_000, runId: 'run-2', ...rows })
        await expectSound(2, 500)
      })

      test('that is far too small refuses a shard before it writes', async () => {
        expect(await refusal(publish(0, 2, { expectedRows: 50, rows: players(0, 513) }))).toMatch(
          /--expected-rows 50 made 1 buckets, and 513 rows came already/,
        )
        expect(await hands.hlen(`${tableKeys.bucketPrefix(tenant, 'games', 1)}0`)).toBe(1)
      })
    })
  })
}
