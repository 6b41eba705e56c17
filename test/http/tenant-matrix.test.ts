import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../src/domain/codec/record-schema.ts'
import { testRedis } from '../support/redis.ts'
import {
  applyDocument,
  publishRows,
  type RunningGateway,
  rowsOf,
  startGateway,
  testSettings,
  testTools,
} from '../support/studio.ts'
import { until } from '../support/until.ts'
import { ask, exchange, expectProblem, jsonOf, type Reply, rawReplies, requestText } from './client.ts'
import { parseExposition } from './exposition.ts'
import { type StudioIssuer, studioIssuer } from './games.ts'

/**
 * Two tenants that look the same from outside: the same models, players, keys and versions, and a name that begins
 * like the other's. Whatever is asked, and however, each gets its own records and touches its own keys only.
 */

const tenants = ['acorn', 'acorn-x'] as const
type Tenant = (typeof tenants)[number]
const packed = 'application/vnd.recgate.packed'

const record = {
  owner: { type: 'string', maxBytes: 16 },
  model: { type: 'string', maxBytes: 16 },
  row: { type: 'string', maxBytes: 40 },
}
const codec = compileRecordSchema(recordSchemaDocument.parse(record))

const players = ['player-1', 'player-2', '42', 'acorn', 'acorn-x']
/** Players that only one tenant has. */
const playersOf: Record<Tenant, string[]> = {
  acorn: Array.from({ length: 40 }, (_, index) => `only-acorn-${index}`),
  'acorn-x': Array.from({ length: 40 }, (_, index) => `only-x-${index}`),
}
const countries = ['DE', 'FR']

/** What each model takes from the query, and the columns of its row key. */
const models = {
  games: { key: [{ claim: 'sub' }], columns: ['sub'] },
  'games-x': { key: [{ claim: 'sub' }], columns: ['sub'] },
  offers: { public: true, key: [{ query: 'country', values: countries }], columns: ['country'] },
  mixed: { key: [{ claim: 'sub' }, { query: 'country', values: countries }], columns: ['sub', 'country'] },
} as const
type ModelId = keyof typeof models
const modelIds = Object.keys(models) as ModelId[]

const real = inject('sharedRedis')
if (real === null)
  process.stderr.write(
    'tests: which keys a tenant’s requests name is not watched, since MONITOR needs a real Redis; install redis-server\n',
  )

let redis: LocalRedis
let tools: Tools
let gateway: RunningGateway
let issuers: readonly { readonly tenant: Tenant; readonly issuer: StudioIssuer }[]
/** Answers with 200 that each tenant's models gave so far. */
const answered = new Map<string, number>()

function documentOf(tenant: Tenant) {
  const own = issuers.filter((entry) => entry.tenant === tenant)
  return {
    format: 1,
    tenant,
    issuers: own.map(({ issuer }) => issuer.entry()),
    models: Object.fromEntries(
      Object.entries(models).map(([id, { columns: _columns, ...model }]) => [
        id,
        {
          ...model,
          record,
          default: { owner: tenant, model: id, row: 'default' },
          deadlineMs: 10_000,
          versions: ['v1', 'v2'],
          control: 'v1',
          weights: { v1: 50, v2: 50 },
        },
      ]),
    ),
  }
}

/** Every combination of a row key's values, each row saying whose it is. */
function rowsOfModel(tenant: Tenant, modelId: ModelId) {
  const { columns } = models[modelId]
  const subs = [...players, ...playersOf[tenant]]
  const keys: (readonly string[])[] =
    columns.length === 2
      ? subs.flatMap((sub) => countries.map((country) => [sub, country]))
      : (columns[0] === 'sub' ? subs : countries).map((value) => [value])
  return rowsOf(
    [...columns, 'owner', 'model', 'row'],
    keys.map((key) => [...key, tenant, modelId, key.join(' ')]),
  )
}

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  issuers = [
    { tenant: 'acorn', issuer: await studioIssuer('https://one.acorn.example', 'k') },
    { tenant: 'acorn', issuer: await studioIssuer('https://two.acorn.example', 'k') },
    { tenant: 'acorn-x', issuer: await studioIssuer('https://one.acorn.example/x', 'k') },
  ]
  for (const tenant of tenants) await applyDocument(tools, documentOf(tenant))
  for (const tenant of tenants)
    for (const modelId of modelIds)
      for (const version of ['v1', 'v2'])
        await publishRows(tools, [tenant, modelId, version], rowsOfModel(tenant, modelId))
  // A poll of the index names every tenant, and a collector keys of its own.
  const quiet = { RECGATE_CATALOG_POLL_MS: '60000', RECGATE_COLLECT_EVERY_MS: '0' }
  gateway = await startGateway(testSettings(redis.url, quiet))
})

afterAll(async () => {
  await gateway?.gateway.stop()
  tools?.close()
  await redis?.stop()
})

interface Combination {
  readonly tenant: Tenant
  readonly issuer: StudioIssuer
  readonly modelId: ModelId
  readonly sub: string
  readonly country: string
  readonly format: 'json' | 'packed'
  readonly method: 'GET' | 'HEAD'
}

function combinations(subs: (tenant: Tenant) => readonly string[]): Combination[] {
  return issuers.flatMap(({ tenant, issuer }) =>
    modelIds.flatMap((modelId) =>
      subs(tenant).flatMap((sub, index) =>
        (['json', 'packed'] as const).flatMap((format) =>
          (['GET', 'HEAD'] as const).map((method) => ({
            tenant,
            issuer,
            modelId,
            sub,
            country: countries[index % 2]!,
            format,
            method,
          })),
        ),
      ),
    ),
  )
}

const tokens = new Map<string, Promise<string>>()

/** Signed once, so that later requests meet the cache of verified tokens. */
function tokenOf({ issuer, sub }: Combination): Promise<string> {
  const key = `${issuer.issuer} ${sub}`
  const token = tokens.get(key) ?? issuer.token({ sub, model: modelIds })
  tokens.set(key, token)
  return token
}

function targetOf({ modelId, country }: Combination): string {
  const query = modelId === 'offers' || modelId === 'mixed' ? `&country=${country}` : ''
  return `/recommendations?model=${modelId}${query}`
}

async function send(combination: Combination, headers: Record<string, string> = {}): Promise<Reply> {
  const { format, method } = combination
  return ask(gateway.data + targetOf(combination), {
    method,
    token: await tokenOf(combination),
    headers: format === 'packed' ? { accept: packed, ...headers } : headers,
  })
}

/** What the combination must get, worked out without the gateway. */
function expectedOf({ tenant, modelId, sub, country }: Combination) {
  const isKnown = modelId === 'offers' || players.includes(sub) || playersOf[tenant].includes(sub)
  const { columns } = models[modelId]
  const row = columns.map((column) => (column === 'sub' ? sub : country)).join(' ')
  return {
    reason: isKnown ? 'split' : 'default',
    record: { owner: tenant, model: modelId, row: isKnown ? row : 'default' },
  }
}

async function expectOwn(combination: Combination): Promise<Reply> {
  const reply = await send(combination)
  const { modelId, format, method } = combination
  const { reason, record: expected } = expectedOf(combination)
  expect(reply.status).toBe(200)
  expect(reply.headers['recgate']).toMatch(new RegExp(`^v=v[12], r=${reason}$`))
  if (method === 'HEAD') expect(reply.body.length).toBe(0)
  else if (format === 'packed') expect(codec.decode(reply.body)).toStrictEqual(expected)
  else expect(jsonOf(reply)).toMatchObject({ model: modelId, reason, recommendation: expected })
  count(combination)
  return reply
}

function count({ tenant, modelId }: Pick<Combination, 'tenant' | 'modelId'>): void {
  const key = `${tenant}/${modelId}`
  answered.set(key, (answered.get(key) ?? 0) + 1)
}

const subsOfAll = () => [...players, 'nobody', playersOf.acorn[0]!, playersOf['acorn-x'][0]!]

describe('tenant × issuer × model × row × format × method', () => {
  test('each gets its own record, at first sight and from the cache', async () => {
    const all = combinations(subsOfAll)
    expect(all.length).toBe(3 * 4 * 8 * 4)
    for (const combination of all) await expectOwn(combination)
    for (const combination of all.toReversed()) await expectOwn(combination)
  })

  test('all at once, in whatever order', async () => {
    // A fixed order that has nothing to do with the tenants': every seventh, seven times.
    const all = combinations(subsOfAll)
    const mixed = Array.from({ length: 7 }, (_, start) =>
      all.filter((_, index) => index % 7 === start),
    ).flat()
    expect(mixed.length).toBe(all.length)
    await Promise.all(mixed.map((combination) => expectOwn(combination)))
  })

  test('over one connection, all sent before the first is answered', async () => {
    const all = combinations(() => ['player-1', 'nobody']).filter(({ method }) => method === 'GET')
    const mixed = [...all, ...all].filter((_, index) => index % 3 === 0)
    const texts = await Promise.all(
      mixed.map(async (combination, index) => {
        const accept: Record<string, string> = combination.format === 'packed' ? { Accept: packed } : {}
        const last: Record<string, string> = index === mixed.length - 1 ? { Connection: 'close' } : {}
        const headers = { ...accept, ...last }
        return requestText(targetOf(combination), { token: await tokenOf(combination), headers })
      }),
    )
    const received = await exchange(gateway.data, texts.join(''))
    const replies = rawReplies(
      received,
      mixed.map(({ method }) => method),
    )
    for (const [index, combination] of mixed.entries()) {
      const { body } = replies[index]!
      const { record: expected } = expectedOf(combination)
      if (combination.format === 'packed') expect(codec.decode(body)).toStrictEqual(expected)
      else expect(JSON.parse(body.toString())).toMatchObject({ recommendation: expected })
      count(combination)
    }
  })

  test('HEAD says what GET says', async () => {
    for (const combination of combinations(() => ['player-1', 'nobody']).filter(
      ({ method }) => method === 'GET',
    )) {
      const [get, head] = [await expectOwn(combination), await expectOwn({ ...combination, method: 'HEAD' })]
      const undated = ({ date: _date, ...headers }: Reply['headers']) => headers
      expect(undated(head.headers)).toStrictEqual(undated(get.headers))
    }
  })

  test('an entity tag of one tenant’s answer says nothing about the other’s', async () => {
    for (const combination of combinations(() => ['player-1', 'nobody'])) {
      const { headers } = await expectOwn(combination)
      const etag = String(headers['etag'])
      const other = issuers.find(({ tenant }) => tenant !== combination.tenant)!
      const same = await send(combination, { 'if-none-match': etag })
      expect(same.status).toBe(304)
      const foreign = await send({ ...combination, ...other }, { 'if-none-match': etag })
      expect(foreign.status).toBe(200)
      count(combination)
      count({ ...combination, ...other })
    }
  })
})

describe('metrics', () => {
  test('count each tenant’s answers and refusals under its own name', async () => {
    for (const { issuer, tenant } of issuers)
      for (const model of ['nothing', tenant])
        expectProblem(
          await ask(`${gateway.data}/recommendations`, { token: await issuer.token({ model }) }),
          403,
          'model-not-allowed',
        )
    const families = parseExposition((await ask(`${gateway.ops}/metrics`)).body.toString())
    const counted = new Map<string, number>()
    for (const { labels, value } of families.get('recgate_requests_total')!.samples) {
      if (labels['model'] === '') continue
      const key = `${labels['tenant']}/${labels['model']}`
      counted.set(key, (counted.get(key) ?? 0) + value)
    }
    expect(counted).toStrictEqual(answered)
    const refused = families
      .get('recgate_refusals_total')!
      .samples.map(({ labels, value }) => ({ ...labels, value }))
    expect(refused).toHaveLength(2)
    expect(refused).toContainEqual({ tenant: 'acorn', code: 'model-not-allowed', value: 4 })
    expect(refused).toContainEqual({ tenant: 'acorn-x', code: 'model-not-allowed', value: 2 })
  })
})

describe.skipIf(real === null)('with MONITOR on', () => {
  /** Every command on this test's database, those of scripts included, since the last time it was asked. */
  let commandsSince: () => Promise<readonly (readonly string[])[]>
  let monitor: Redis
  let marker: Redis

  beforeAll(async () => {
    marker = new Redis(redis.url)
    const database = String(marker.options.db ?? 0)
    // Its own monitor() fails on a busy server, whose first lines come with the OK and are taken for answers (ioredis 6);
    // this one connects again.
    monitor = marker.duplicate({ monitor: true }).on('error', () => undefined)
    let commands: string[][] = []
    monitor.on('monitor', (_time: string, args: string[], _source: string, of: string) => {
      if (of === database) commands.push(args)
    })
    let marks = 0
    commandsSince = async () => {
      const mark = `mark-${marks++}`
      const isMark = (args: string[]) => args.includes(mark)
      await until(`MONITOR shows ${mark}`, async () => {
        await marker.echo(mark)
        return commands.some(isMark)
      })
      const seen = commands.slice(0, commands.findIndex(isMark))
      commands = []
      return seen
    }
    await commandsSince()
  })

  afterAll(() => {
    monitor?.disconnect()
    marker?.disconnect()
  })

  const keysOf = (args: readonly string[]) => args.filter((arg) => arg.startsWith('rg:'))
  /** Ids hold no ":", so each stands between two of them or at the end. */
  const names = (key: string, tenant: Tenant) => key.split(':').includes(tenant)

  /**
   * The keys that are named while requests are answered, none of them a key of these tenants. The gateway reads the
   * index beside its requests, when any test announces something or at a poll, and that names every tenant: what a
   * request itself names, it names each time, so that one time without is enough.
   */
  async function keysWithout(strangers: readonly Tenant[], requests: () => Promise<unknown>) {
    let keys: string[] = []
    await until(`no key of ${strangers.join(' or ')} is named`, async () => {
      await commandsSince()
      await requests()
      keys = (await commandsSince()).flatMap(keysOf)
      return !keys.some((key) => strangers.some((stranger) => names(key, stranger)))
    })
    return keys
  }

  test('one request at a time: none of one tenant names a key of the other', async () => {
    for (const combination of combinations(subsOfAll)) {
      const { tenant, modelId } = combination
      const others = tenants.filter((id) => id !== tenant)
      const keys = await keysWithout(others, () => expectOwn(combination))
      const tables = keys.filter((key) => key.startsWith('rg:t:'))
      expect(tables.length).toBeGreaterThan(0)
      for (const key of tables) expect(key).toMatch(new RegExp(`^rg:t:${tenant}:${modelId}:\\d+:\\d+$`))
    }
  })

  test('refused requests name no key of any tenant', async () => {
    for (const { issuer, tenant } of issuers) {
      const other = tenants.find((id) => id !== tenant)!
      const refused: [status: number, query: string, claims: Record<string, unknown>][] = [
        [403, '', { model: other }],
        [403, `?model=${other}`, { model: modelIds }],
        [401, '', { model: 'games', sub: '' }],
        [401, '', { model: 'games', aud: other }],
        [400, '?country=US', { model: 'offers' }],
        [400, `?tenant=${other}`, { model: 'games' }],
      ]
      for (const [status, query, claims] of refused)
        await keysWithout(tenants, async () => {
          const token = await issuer.token(claims)
          expect((await ask(`${gateway.data}/recommendations${query}`, { token })).status).toBe(status)
        })
    }
  })

  test('at once: each read of a shared call looks for a tenant’s player in that tenant’s bucket', async () => {
    const own = combinations((tenant) => playersOf[tenant]).filter(
      ({ modelId, method }) => modelId !== 'offers' && method === 'GET',
    )
    // One tenant's turn by turn with the other's.
    const byTenant = tenants.map((tenant) => own.filter((combination) => combination.tenant === tenant))
    const alternating = byTenant[0]!.flatMap((combination, index) => [
      combination,
      byTenant[1]![index % byTenant[1]!.length]!,
    ])
    await Promise.all(alternating.map(tokenOf))
    await commandsSince()
    await Promise.all(alternating.map((combination) => expectOwn(combination)))
    const commands = await commandsSince()
    const shared = commands.filter((args) =>
      tenants.every((id) => keysOf(args).some((key) => key.startsWith('rg:t:') && names(key, id))),
    )
    // Otherwise nothing was shown: the reads of both must have travelled together.
    expect(shared.length).toBeGreaterThan(0)
    const reads = commands.filter(([command, key]) => /^hmget$/i.test(command!) && key!.startsWith('rg:t:'))
    expect(reads.length).toBeGreaterThanOrEqual(alternating.length)
    for (const [, key = '', row = ''] of reads) {
      const [, , tenant] = key.split(':')
      expect(row).toMatch(tenant === 'acorn' ? /^only-acorn-\d+/ : /^only-x-\d+/)
    }
  })
})
