import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readLiveTenant } from '../../src/catalog/live-tenant.ts'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { OperationError } from '../../src/domain/errors.ts'
import { gateDefaults } from '../../src/domain/gates.ts'
import { activeGeneration, type ModelState } from '../../src/domain/tenant-state.ts'
import { redisReady } from '../../src/redis/client.ts'
import { catalogKeys, tableKeys } from '../../src/redis/keys.ts'
import { createRecordReader } from '../../src/redis/record-reader.ts'
import type { RecordReader } from '../../src/serving/ports.ts'
import type { GenerationCatalog, RowSource, SourceValue, TableStore } from '../../src/tables/ports.ts'
import { publish } from '../../src/tables/publish.ts'
import { testRedis } from '../support/redis.ts'
import { singleClient } from '../support/redis-clients.ts'
import { applyDocument, publishRows, rowsOf, testTools } from '../support/studio.ts'

const record = {
  score: { type: 'uint', max: 1_000 },
  segment: { type: 'enum', values: ['newcomer', 'regular'], default: 'newcomer' },
  note: { type: 'string', maxBytes: 80, optional: true },
}
const fallback = { score: 0, segment: 'newcomer' }
const versions = {
  record,
  default: fallback,
  versions: ['popular', 'itemcf'],
  control: 'popular',
  weights: { popular: 50, itemcf: 50 },
  gates: { maxBadRowShare: 1 },
}

function documentOf(tenant: string) {
  return {
    format: 1,
    tenant,
    issuers: [],
    models: {
      games: { key: [{ claim: 'sub', column: 'player_id' }], ...versions },
      offers: {
        key: [
          { query: 'country', values: ['DE', 'FR'] },
          { query: 'level', uint: { max: 50 } },
          { query: 'shop', id: { maxBytes: 8 } },
        ],
        public: true,
        ...versions,
      },
    },
  }
}

const columns = ['player_id', 'score', 'segment']
/** `count` players with the scores `base`, `base + 1`, … */
function players(count: number, base = 0): RowSource {
  return rowsOf(
    columns,
    Array.from({ length: count }, (_, index) => [`player-${index}`, (base + index) % 1_001, 'regular']),
  )
}

let redis: LocalRedis
let client: Redis
let reads: Redis
let reader: RecordReader
let tools: Tools
let tenants = 0
/** Each test has a tenant of its own. */
let tenant: string

beforeAll(async () => {
  redis = await testRedis()
  client = singleClient('tables', redis.url)
  reads = singleClient('reads', redis.url)
  await Promise.all([redisReady(client, 10_000), redisReady(reads, 10_000)])
  reader = createRecordReader(reads)
  tools = await testTools(redis.url)
})

beforeEach(async () => {
  tenant = `studio-${++tenants}`
  await applyDocument(tools, documentOf(tenant))
})

afterAll(async () => {
  tools.close()
  client.disconnect()
  reads.disconnect()
  await redis.stop()
})

async function modelState(model = 'games'): Promise<ModelState> {
  const live = await readLiveTenant(tools.catalog, tenant)
  return live!.state.models[model]!
}

/** What a gateway would read: the active generation's record, decoded; null where there is none. */
async function served(rowKey: string, version = 'itemcf', model = 'games') {
  const state = await modelState(model)
  const active = activeGeneration(state, version)
  if (active === null) return null
  const { generation, entry } = active
  const bucketPrefix = tableKeys.bucketPrefix(tenant, model, generation)
  const table = { ...entry, generation, bucketPrefix }
  const result = await reader.read({ rowKey, own: table, control: null }, performance.now() + 20_000)
  return result.from === 'none' ? result.cause : compileRecordSchema(state.record).decode(result.bytes)
}

/** Every key of the tenant's tables and manifests. */
async function tableKeysThere(): Promise<string[]> {
  const found: string[] = []
  for (const pattern of [`rg:t:${tenant}:*`, `rg:m:${tenant}:*`]) {
    let cursor = '0'
    do {
      const [next, keys] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000)
      cursor = next
      found.push(...keys)
    } while (cursor !== '0')
  }
  return [...new Set(found)].sort()
}

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('it should have failed')
    },
    (error: Error) => error,
  )
}

const itemcf = () => [tenant, 'games', 'itemcf'] as const

describe('a publish', () => {
  test('makes every record readable, and the catalog says what is there', async () => {
    const progress = await publishRows(tools, itemcf(), players(1_000))
    expect(progress).toMatchObject({ generation: 1, rows: 1_000, buckets: 13, badRows: 0, longRows: 0 })
    expect(progress.catalogRevision).toBe(2)
    for (const index of [0, 1, 500, 999])
      expect(await served(`player-${index}`)).toEqual({ score: index, segment: 'regular' })
    expect(await served('player-1000')).toBe('unknown-row')
    expect(await served('player-1', 'popular')).toBeNull()

    expect((await modelState()).generations).toEqual({
      1: {
        version: 'itemcf',
        state: 'active',
        token: expect.stringMatching(/^[\w-]{16}$/),
        contentHash: expect.stringMatching(/^[\w-]{22}$/),
        rows: 1_000,
        bytes: progress.bytes,
        memoryBytes: progress.memoryBytes,
        buckets: 13,
        recordRevision: 1,
        publishedAt: expect.any(String),
        activatedAt: expect.any(String),
        lastActiveAt: null,
        quarantinedAt: null,
        collectedAt: null,
        by: 'tester',
        source: ['memory'],
        findings: [],
        statistics: { means: { score: 499.5 }, shares: { segment: [['regular', 1]] } },
      },
    })
    expect(await tools.tables.manifests(tenant, 'games')).toEqual(new Map())
    expect(await tableKeysThere()).toHaveLength(13)
    const [latest] = await tools.catalog.history(tenant, 1)
    expect(latest).toMatchObject({
      revision: 2,
      who: 'tester',
      document: null,
      what: ['activates generation 1 of games/itemcf (1000 rows)'],
    })
  })

  test('of one row takes one bucket; one of many rows leaves no bucket without its token', async () => {
    expect(await publishRows(tools, itemcf(), players(1))).toMatchObject({ rows: 1, buckets: 1 })
    const { generation, buckets } = await publishRows(tools, itemcf(), players(20_000))
    expect(buckets).toBe(250)
    const { token } = (await modelState()).generations[generation]!
    const address = { tenantId: tenant, modelId: 'games', generation }
    const counts = await tools.tables.rowCounts(address, token, 0, buckets)
    expect(counts.every((count) => count >= 0)).toBe(true)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20_000)
    expect(await served('player-19999')).toEqual({ score: 19_999 % 1_001, segment: 'regular' })
  })

  test('makes the one before it previous, and touches no other version', async () => {
    await publishRows(tools, [tenant, 'games', 'popular'], players(10, 100))
    await publishRows(tools, itemcf(), players(10))
    await publishRows(tools, itemcf(), players(10, 500))
    const { generations } = await modelState()
    expect(
      Object.entries(generations).map(([number, { version, state }]) => [number, version, state]),
    ).toEqual([
      ['1', 'popular', 'active'],
      ['2', 'itemcf', 'previous'],
      ['3', 'itemcf', 'active'],
    ])
    expect(new Set(Object.values(generations).map(({ token }) => token)).size).toBe(3)
    expect(await served('player-1')).toEqual({ score: 501, segment: 'regular' })
    expect(await served('player-1', 'popular')).toEqual({ score: 101, segment: 'regular' })
    // Requests that began before the change, and a rollback, still read it.
    expect(await tableKeysThere()).toHaveLength(3)
  })

  test('takes columns in any order, leaves out optional ones, and gives absent values their default', async () => {
    const source = rowsOf(
      ['note', 'score', 'player_id', 'segment'],
      [
        ['hi', 1, 'a', null],
        [null, 2, 'b', 'regular'],
      ],
    )
    await publishRows(tools, itemcf(), source)
    expect(await served('a')).toEqual({ score: 1, segment: 'newcomer', note: 'hi' })
    expect(await served('b')).toEqual({ score: 2, segment: 'regular' })
    await publishRows(tools, itemcf(), rowsOf(['score', 'player_id'], [[3, 'a']]))
    expect(await served('a')).toEqual({ score: 3, segment: 'newcomer' })
  })

  test('joins a row key of several parts in declared order, integers in plain decimal', async () => {
    const source = rowsOf(
      ['shop', 'level', 'country', 'score'],
      [
        ['main', 7, 'DE', 1],
        ['main', 50n, 'FR', 2],
        ['main', '8', 'FR', 3],
      ],
    )
    await publishRows(tools, [tenant, 'offers', 'popular'], source)
    for (const [rowKey, score] of Object.entries({
      'DE\x007\0main': 1,
      'FR\x0050\0main': 2,
      'FR\x008\0main': 3,
    }))
      expect(await served(rowKey, 'popular', 'offers')).toEqual({ score, segment: 'newcomer' })
  })

  test('warns of rows too long for compact hashes, and serves them', async () => {
    const long = 'x'.repeat(65)
    const source = rowsOf(
      ['player_id', 'score', 'note'],
      [
        [long, 1, null],
        ['a', 2, long],
        ['b', 3, 'short'],
      ],
    )
    expect(await publishRows(tools, itemcf(), source)).toMatchObject({ longRows: 2 })
    expect(await served(long)).toMatchObject({ score: 1 })
    expect(await served('a')).toMatchObject({ note: long })
  })

  test('reports its progress', async () => {
    const phases: string[] = []
    const live = await readLiveTenant(tools.catalog, tenant)
    const schema = live!.state.models['games']!.record
    const [tenantId, modelId, versionId] = itemcf()
    const target = {
      tenantId,
      modelId,
      versionId,
      key: [{ source: 'claim', name: 'sub', column: 'player_id' }] as const,
      record: schema,
      codec: compileRecordSchema(schema),
      gates: gateDefaults,
    }
    await publish(
      {
        store: tools.tables,
        leases: tools.leases,
        memoryShareOf: tools.memoryShareOf,
        catalog: tools.generationCatalog({ who: 'tester', why: 'test' }),
        newToken: () => 'token',
        now: () => new Date(),
      },
      {
        target,
        source: players(1_500),
        files: ['memory'],
        by: 'tester',
        badRowsMax: 0,
        onProgress: ({ phase, done, total }) => phases.push(`${phase} ${done}/${total}`),
      },
    )
    expect(phases).toEqual(['reading 1000/1500', 'reading 1500/1500', 'writing 19/19', 'verifying 19/19'])
  })
})

describe('what is refused', () => {
  /** A source, and what its refusal must name. */
  type Refused = readonly [RowSource, ...RegExp[]]
  const good: readonly SourceValue[] = ['good', 1, 'regular']
  const offer = ['country', 'level', 'shop', 'score']

  const ofGames: Record<string, Refused> = {
    'a row key that stands twice': [
      rowsOf(columns, [good, ['a', 1, 'regular'], ['b', 1, 'regular'], ['a', 2, 'regular']]),
      /memory, row 4, player_id: .*"a".*memory:2/,
    ],
    'a number that is the text of another row key': [
      rowsOf(columns, [
        [42, 1, 'regular'],
        ['42', 1, 'regular'],
      ]),
      /memory, row 2, player_id: .*"42".*memory:1/,
    ],
    'a value of the wrong type': [
      rowsOf(columns, [good, ['a', 'many', 'regular']]),
      /memory, row 2, score: .*"many"/,
    ],
    'a value out of range': [rowsOf(columns, [['a', 1_001, 'regular']]), /memory, row 1, score: .*1001/],
    'an unknown enum value': [rowsOf(columns, [good, ['a', 1, 'boss']]), /memory, row 2, segment: .*"boss"/],
    'an absent value that is needed': [rowsOf(columns, [['a', null, 'regular']]), /memory, row 1, score: /],
    'a row key of more than 255 bytes': [
      rowsOf(columns, [good, ['é'.repeat(128), 1, 'regular']]),
      /memory, row 2, player_id: .*256 bytes.*255/,
    ],
    'an absent row key': [rowsOf(columns, [[null, 1, 'regular']]), /memory, row 1, player_id: .*null/],
    'an empty row key': [rowsOf(columns, [['', 1, 'regular']]), /memory, row 1, player_id: .*empty/],
    'a row key with NUL': [rowsOf(columns, [['a\0b', 1, 'regular']]), /memory, row 1, player_id: .*NUL/],
    'a row key with half a surrogate pair': [
      rowsOf(columns, [['a\uD83D', 1, 'regular']]),
      /memory, row 1, player_id: .*surrogate/,
    ],
    'a fraction as row key': [rowsOf(columns, [[1.5, 1, 'regular']]), /memory, row 1, player_id: .*1\.5/],
    'a missing column': [rowsOf(['player_id', 'segment'], [['a', 'regular']]), /column "score" is missing/],
    'a missing column of the row key': [
      rowsOf(['score', 'segment'], [[1, 'regular']]),
      /column "player_id" is missing/,
    ],
    'a column too many': [
      rowsOf([...columns, 'colour'], [[...good, 'red']]),
      /column "colour" is neither part of the row key nor a field/,
    ],
    'several wrong columns at once': [
      rowsOf(['player', 'points'], [['a', 1]]),
      /column "player_id" is missing/,
      /column "score" is missing/,
      /column "player" is neither/,
      /column "points" is neither/,
    ],
    'no row at all': [rowsOf(columns, []), /no row to publish/],
  }
  const ofOffers: Record<string, Refused> = {
    'a value that the query parameter does not list': [
      rowsOf(offer, [
        ['DE', 1, 'main', 1],
        ['IT', 1, 'main', 1],
      ]),
      /memory, row 2, country: "IT".*DE, FR/,
    ],
    'a number above what can be asked for': [
      rowsOf(offer, [['DE', 51, 'main', 1]]),
      /memory, row 1, level: "51".*50/,
    ],
    'a number that is not in plain decimal': [
      rowsOf(offer, [['DE', '07', 'main', 1]]),
      /memory, row 1, level: "07"/,
    ],
    'a negative number': [rowsOf(offer, [['DE', -1, 'main', 1]]), /memory, row 1, level: "-1"/],
    'an id with other characters': [rowsOf(offer, [['DE', 1, 'mäin', 1]]), /memory, row 1, shop: "mäin"/],
    'an id that is too long': [
      rowsOf(offer, [['DE', 1, 'main-shop', 1]]),
      /memory, row 1, shop: "main-shop".*8/,
    ],
    'a doubled row key of several parts': [
      rowsOf(offer, [
        ['DE', 1, 'main', 1],
        ['DE', '1', 'main', 2],
      ]),
      /memory, row 2, country \+ level \+ shop: .*memory:1/,
    ],
  }

  const cases = [
    ...Object.entries(ofGames).map(([name, refused]) => [name, 'games', refused] as const),
    ...Object.entries(ofOffers).map(([name, refused]) => [name, 'offers', refused] as const),
  ]
  test.each(cases)('%s', async (_, model, [source, ...expected]) => {
    const target = [tenant, model, 'itemcf'] as const
    const [live, rowKey] =
      model === 'games'
        ? [players(5, 7), 'player-1']
        : [rowsOf(offer, [['DE', 1, 'main', 8]]), 'DE\x001\0main']
    const before = await publishRows(tools, target, live)
    const [record, keys, state] = [
      await served(rowKey, 'itemcf', model),
      await tableKeysThere(),
      await modelState(model),
    ]
    expect(record).toMatchObject({ score: 8 })

    const error = await failureOf(publishRows(tools, target, source))
    expect(error).toBeInstanceOf(OperationError)
    for (const part of expected) expect(error.message).toMatch(part)

    expect(await served(rowKey, 'itemcf', model)).toEqual(record)
    expect(activeGeneration(await modelState(model), 'itemcf')?.generation).toBe(before.generation)
    expect(await modelState(model)).toEqual(state)
    expect(await tableKeysThere()).toEqual(keys)
    expect((await tools.catalog.read(tenant))?.revision).toBe(before.catalogRevision)
  })
})

describe('bad rows', () => {
  const bad = (count: number, total: number) =>
    rowsOf(
      columns,
      Array.from({ length: total }, (_, index) => [
        `p-${index}`,
        index < count ? -1 : index % 1_001,
        'regular',
      ]),
    )

  test('up to the allowed number are left out, counted and shown', async () => {
    const report = await publishRows(tools, itemcf(), bad(3, 10), 3)
    expect(report).toMatchObject({ rows: 7, badRows: 3 })
    expect(report.badRowsShown.map(({ file, row, field }) => [file, row, field])).toEqual([
      ['memory', 1, 'score'],
      ['memory', 2, 'score'],
      ['memory', 3, 'score'],
    ])
    expect(await served('p-2')).toBe('unknown-row')
    expect(await served('p-3')).toEqual({ score: 3, segment: 'regular' })
  })

  test('one more than allowed refuses all', async () => {
    const error = await failureOf(publishRows(tools, itemcf(), bad(4, 10), 3))
    expect(error.message).toMatch(/4 of 10 rows do not fit \(allowed: 3\); nothing was published/)
    expect(await tableKeysThere()).toEqual([])
  })

  test('very many are counted, and the first shown', async () => {
    const error = await failureOf(publishRows(tools, itemcf(), bad(2_500, 3_000), 10))
    expect(error.message).toMatch(/2500 of 3000 rows do not fit/)
    expect(error.message).toMatch(/memory, row 20, score/)
    expect(error.message).not.toMatch(/memory, row 21, score/)
    expect(error.message).toMatch(/and 2480 more/)
  })

  test('are named by their number in the file, however far down', async () => {
    const rows = Array.from({ length: 2_500 }, (_, index) => [
      `p-${index}`,
      index === 2_344 ? -1 : 1,
      'regular',
    ])
    const error = await failureOf(publishRows(tools, itemcf(), rowsOf(columns, rows)))
    expect(error.message).toMatch(/memory, row 2345, score: -1/)
  })

  test('nothing but allowed bad rows is nothing to publish', async () => {
    const error = await failureOf(publishRows(tools, itemcf(), bad(3, 3), 3))
    expect(error.message).toMatch(/no row to publish/)
    expect(await tableKeysThere()).toEqual([])
  })

  test('of a doubled row key the first row is the one that is served', async () => {
    const rows = [
      ['a', 1, 'regular'],
      ['a', 2, 'regular'],
      ['a', 3, 'regular'],
    ]
    expect(await publishRows(tools, itemcf(), rowsOf(columns, rows), 2)).toMatchObject({
      rows: 1,
      badRows: 2,
    })
    expect(await served('a')).toMatchObject({ score: 1 })
  })
})

describe('a publish that goes wrong', () => {
  /** The real store, with something done behind its back after the last bucket was written. */
  function damaging(damage: (bucketKey: (bucket: number) => string) => Promise<unknown>): Tools {
    const tables: TableStore = {
      ...tools.tables,
      async writeBuckets(address, token, buckets) {
        await tools.tables.writeBuckets(address, token, buckets)
        const { tenantId, modelId, generation } = address
        await damage((bucket) => tableKeys.bucketPrefix(tenantId, modelId, generation) + bucket)
      },
    }
    return { ...tools, tables }
  }

  /** The real catalog, whose change to `active` is wrapped. */
  function activating(wrap: (activate: () => Promise<number>) => Promise<number>): Tools {
    const generationCatalog: Tools['generationCatalog'] = (authorship) => {
      const real = tools.generationCatalog(authorship)
      const change: GenerationCatalog['change'] = (...given) => wrap(() => real.change(...given))
      return { ...real, change }
    }
    return { ...tools, generationCatalog }
  }

  type Damage = readonly [complaint: RegExp, damage: (key: (bucket: number) => string) => Promise<unknown>]
  /** One row key that stands in a bucket. */
  const rowOf = async (key: string) => (await client.hkeys(key)).find((field) => field !== '')!
  const damages: Record<string, Damage> = {
    'a bucket is lost': [/a bucket that was written is not there/, (key) => client.del(key(5))],
    'the last bucket is lost': [/a bucket that was written is not there/, (key) => client.del(key(12))],
    "a bucket's token is lost": [/a bucket that was written is not there/, (key) => client.hdel(key(5), '')],
    "a bucket holds another's token": [
      /a bucket that was written is not there/,
      (key) => client.hset(key(5), '', 'another'),
    ],
    'a row is lost': [
      /1000 rows were written, and 999 are there/,
      async (key) => client.hdel(key(5), await rowOf(key(5))),
    ],
    'a row is too many': [
      /1000 rows were written, and 1001 are there/,
      (key) => client.hset(key(5), 'stray', 'x'),
    ],
    'a record is not what was written': [
      /the row "player-\d+" was read back otherwise than it was written/,
      async (key) => client.hset(key(5), await rowOf(key(5)), 'x'),
    ],
    'a bucket is of the wrong type': [
      /WRONGTYPE/,
      async (key) => {
        await client.del(key(5))
        return client.set(key(5), 'x')
      },
    ],
  }
  test('after the loss of the catalog, not of the tables, no number is taken where buckets lie', async () => {
    const first = await publishRows(tools, itemcf(), players(1_000))
    const kept = await tableKeysThere()
    const { document = '', state = '' } = await client.hgetall(catalogKeys.tenant(tenant))
    await client.del(catalogKeys.generations(tenant))
    const fresh = JSON.parse(state)
    for (const model of Object.values<{ generations: object }>(fresh.models)) model.generations = {}
    await client.hset(catalogKeys.tenant(tenant), { document, state: JSON.stringify(fresh) })
    const second = await publishRows(tools, itemcf(), players(1_000, 500))
    expect(second.generation).toBe(first.generation + 1)
    expect(await tableKeysThere()).toEqual(expect.arrayContaining(kept))
    expect(await served('player-1')).toEqual({ score: 501, segment: 'regular' })
  })

  test.each(Object.entries(damages))(
    'where %s activates nothing and leaves nothing',
    async (_, [complaint, damage]) => {
      const before = await publishRows(tools, itemcf(), players(1_000))
      const keys = await tableKeysThere()
      const error = await failureOf(publishRows(damaging(damage), itemcf(), players(1_000, 500)))
      expect(error.message).toMatch(complaint)
      expect(await tableKeysThere()).toEqual(keys)
      expect(activeGeneration(await modelState(), 'itemcf')?.generation).toBe(before.generation)
      expect((await tools.catalog.read(tenant))?.revision).toBe(before.catalogRevision)
      expect(await served('player-1')).toEqual({ score: 1, segment: 'regular' })
      // The number is gone, and the next publish works.
      const after = await publishRows(tools, itemcf(), players(1_000, 500))
      expect(after.generation).toBe(before.generation + 2)
      expect(await served('player-1')).toEqual({ score: 501, segment: 'regular' })
    },
  )

  test('while it writes leaves nothing of what it had written', async () => {
    let trips = 0
    const failing = damaging(async () => {
      if (++trips === 2) throw new Error('Redis is full')
    })
    const error = await failureOf(publishRows(failing, itemcf(), players(40_000)))
    expect(error.message).toBe('Redis is full')
    // One more was on its way already.
    expect(trips).toBe(3)
    expect(await tableKeysThere()).toEqual([])
  })

  test('and can not clean up leaves a manifest that tells of it', async () => {
    const failing = damaging((key) => client.del(key(0)))
    const tables: TableStore = {
      ...failing.tables,
      removeBuckets: () => Promise.reject(new Error('Redis is gone')),
    }
    const error = await failureOf(publishRows({ ...failing, tables }, itemcf(), players(100)))
    expect(error.message).toMatch(/the new generation is damaged/)
    expect([...(await tools.tables.manifests(tenant, 'games'))]).toEqual([
      [
        1,
        expect.objectContaining({
          version: 'itemcf',
          state: 'failed',
          problem: expect.stringMatching(/the new generation is damaged/),
          startedAt: expect.any(String),
          by: 'tester',
          source: ['memory'],
          rows: 100,
          buckets: 2,
        }),
      ],
    ])
  })

  test('in an activation of unknown outcome keeps its buckets: the generation may be the active one', async () => {
    const lost = activating(async (activate) => {
      await activate()
      throw new Error('Connection is closed.')
    })
    const error = await failureOf(publishRows(lost, itemcf(), players(100)))
    expect(error.message).toBe('Connection is closed.')
    expect(activeGeneration(await modelState(), 'itemcf')?.generation).toBe(1)
    expect(await served('player-99')).toEqual({ score: 99, segment: 'regular' })
    expect([...(await tools.tables.manifests(tenant, 'games')).keys()]).toEqual([1])
  })

  test('in an activation that never arrived keeps its buckets and its manifest', async () => {
    const generationCatalog: Tools['generationCatalog'] = (authorship) => {
      const real = tools.generationCatalog(authorship)
      return {
        ...real,
        async change(tenantId, plan) {
          await plan(await real.read(tenantId))
          throw new Error('Command timed out')
        },
      }
    }
    await failureOf(publishRows({ ...tools, generationCatalog }, itemcf(), players(100)))
    expect((await modelState()).generations).toEqual({})
    expect(await tableKeysThere()).toHaveLength(3)
  })

  test('because its version was deleted meanwhile leaves nothing', async () => {
    const deleting = activating(async (activate) => {
      const document = documentOf(tenant)
      const games = { ...document.models.games, versions: ['popular'], weights: { popular: 100 } }
      await applyDocument(tools, { ...document, models: { ...document.models, games } })
      return activate()
    })
    const error = await failureOf(publishRows(deleting, itemcf(), players(100)))
    expect(error.message).toMatch(/itemcf was deleted while it was being published; nothing was activated/)
    expect(await tableKeysThere()).toEqual([])
  })

  test('because the catalog entry can not be read leaves nothing: nothing was activated', async () => {
    const breaking = activating(async (activate) => {
      await client.hset(catalogKeys.tenant(tenant), 'state', 'no JSON')
      return activate()
    })
    const error = await failureOf(publishRows(breaking, itemcf(), players(100)))
    expect(error.message).toMatch(/is not JSON/)
    expect(await tableKeysThere()).toEqual([])
  })

  test('after its activation is done: the generation is active whatever becomes of the manifest', async () => {
    const tables: TableStore = {
      ...tools.tables,
      removeManifest: () => Promise.reject(new Error('Connection is closed.')),
    }
    const report = await publishRows({ ...tools, tables }, itemcf(), players(100))
    expect(report).toMatchObject({ generation: 1, rows: 100, catalogRevision: 2 })
    expect(await served('player-99')).toEqual({ score: 99, segment: 'regular' })
  })
})

describe('publishes at once', () => {
  test('of two versions both become active', async () => {
    const reports = await Promise.all([
      publishRows(tools, [tenant, 'games', 'popular'], players(3_000, 100)),
      publishRows(tools, itemcf(), players(3_000, 500)),
    ])
    expect(reports.map(({ generation }) => generation).sort()).toEqual([1, 2])
    expect(reports.map(({ catalogRevision }) => catalogRevision).sort()).toEqual([2, 3])
    expect(await served('player-7', 'popular')).toMatchObject({ score: 107 })
    expect(await served('player-7', 'itemcf')).toMatchObject({ score: 507 })
    expect(await tools.tables.manifests(tenant, 'games')).toEqual(new Map())
  })

  test('of one version: one wins, and the others are told whose it is', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => publishRows(tools, itemcf(), players(3_000, index * 10))),
    )
    const won = outcomes.filter(({ status }) => status === 'fulfilled')
    expect(won).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toBeInstanceOf(OperationError)
        expect(outcome.reason.message).toMatch(
          /^games\/itemcf is being published already \(by tester, since 20.*\); nothing was read/,
        )
      }
    const { generations } = await modelState()
    expect(Object.values(generations).map(({ state }) => state)).toEqual(['active'])
    expect(await served('player-0')).toEqual({
      score: outcomes.indexOf(won[0]!) * 10,
      segment: 'regular',
    })
    // Its hold ended with it.
    expect(await publishRows(tools, itemcf(), players(3_000, 200))).toMatchObject({ outcome: 'activated' })
  })

  test('and changes of the document at once: nothing is lost', async () => {
    const document = documentOf(tenant)
    const offers = { ...document.models.offers, maxAgeSeconds: 5 }
    const withOffers = { ...document, models: { ...document.models, offers } }
    const waiting = ['popular', 'itemcf'].map((version) =>
      publishRows(tools, [tenant, 'games', version], players(500)),
    )
    // A person tries again where somebody else was first.
    for (let done = false; !done; )
      done = await applyDocument(tools, withOffers).then(
        () => true,
        (error: Error) => {
          if (/somebody changed it/.test(error.message)) return false
          throw error
        },
      )
    await Promise.all(waiting)
    const live = await readLiveTenant(tools.catalog, tenant)
    expect(live?.document.models['offers']?.maxAgeSeconds).toBe(5)
    expect(live?.revision).toBe(4)
    for (const version of ['popular', 'itemcf'])
      expect(await served('player-3', version)).toMatchObject({ score: 3 })
  })
})
