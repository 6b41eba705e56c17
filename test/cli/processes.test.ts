import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { findRedisServer, type LocalRedis, startLocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { catalogKeys } from '../../src/redis/keys.ts'
import { ask, jsonOf } from '../http/client.ts'
import { assignmentsOf, range, type StudioIssuer, studioIssuer } from '../http/games.ts'
import { type RunningCli, startCli } from '../support/cli.ts'
import { applyDocument, publishRows, rowsOf, testTools } from '../support/studio.ts'
import { until } from '../support/until.ts'

/** Three gateways in processes of their own on one Redis: what is changed reaches all of them, and reaches them whole. */

const tenant = 'studio'
const players = range(200).map((index) => `player-${index}`)
const sides = ['left', 'right'] as const

const hasRealRedis = (await findRedisServer()) !== null
if (!hasRealRedis)
  say(
    'the poll alone is not tested, since only a real Redis has users without channels; install redis-server',
  )

let redis: LocalRedis
let tools: Tools
let admin: Redis
let issuer: StudioIssuer
let gateways: RunningCli[] = []
/** Where each process answers. */
let bases: string[] = []

beforeAll(async () => {
  // Of its own: what is published on another test's server would wake these gateways, too.
  redis = await startLocalRedis()
  tools = await testTools(redis.url)
  admin = new Redis(redis.url)
  issuer = await studioIssuer('https://auth.studio.example', 'k1')
  await applyDocument(tools, documentNumber(0))
})

afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  gateways = []
})

afterAll(async () => {
  tools?.close()
  // The in-process engine ends only after its clients.
  await admin?.quit()
  await redis?.stop()
})

function say(text: string): void {
  process.stderr.write(`tests: ${text}\n`)
}

async function startThree(redisUrl: string, pollMs: number): Promise<void> {
  const env = {
    RECGATE_REDIS_URL: redisUrl,
    RECGATE_CATALOG_POLL_MS: String(pollMs),
    RECGATE_DATA_HOST: '127.0.0.1',
    RECGATE_DATA_PORT: '0',
    RECGATE_OPS_HOST: '127.0.0.1',
    RECGATE_OPS_PORT: '0',
    RECGATE_DRAIN_MS: '0',
  }
  gateways = range(3).map(() => startCli(['serve', '--planes', 'data,ops'], { env }))
  const lines = await Promise.all(gateways.map((gateway) => gateway.written(/^.*"msg":"listening".*$/m)))
  bases = lines.map(([line]) => (JSON.parse(line) as { data: string }).data)
}

/**
 * Document and state of one number. In the model `steered` the weights, the default record and the age belong
 * together: even numbers are the left side's, odd ones the right side's.
 */
function documentNumber(number: number) {
  const isLeft = number % 2 === 0
  const shared = {
    key: [{ claim: 'sub', column: 'id' }],
    deadlineMs: 10_000,
    versions: sides,
    control: 'left',
  }
  return {
    format: 1,
    tenant,
    issuers: [issuer.entry()],
    models: {
      steered: {
        ...shared,
        record: { side: { type: 'enum', values: sides }, number: { type: 'uint', max: 65_535 } },
        default: { side: isLeft ? 'left' : 'right', number },
        // A default record is kept for ten seconds at most, so that both ages show.
        maxAgeSeconds: isLeft ? 4 : 7,
        weights: isLeft ? { left: 100, right: 0 } : { left: 0, right: 100 },
      },
      published: {
        // Each publish is another table altogether.
        gates: { minRetainedKeys: 0, maxMeanChange: 1 },
        // A copy from before is another table's row, by right.
        staleSeconds: 0,
        ...shared,
        record: {
          version: { type: 'enum', values: sides },
          number: { type: 'uint', max: 65_535 },
          twin: { type: 'uint', max: 65_535 },
        },
        default: { version: 'left', number: 0, twin: 0 },
        weights: { left: 50, right: 50 },
      },
    },
  }
}

async function steered(base: string, token: string) {
  const reply = await ask(`${base}/recommendations`, { token })
  expect(reply.status).toBe(200)
  const { version, reason, recommendation } = jsonOf(reply) as {
    version: string
    reason: string
    recommendation: { side: string; number: number }
  }
  return { version, reason, ...recommendation, age: reply.headers['cache-control'] }
}

/** Makes the change, and gives the milliseconds after which each process first answered by it. */
async function reach(number: number, token: string): Promise<number[]> {
  const startedAt = performance.now()
  await applyDocument(tools, documentNumber(number))
  return Promise.all(
    bases.map(async (base, index) => {
      await until(`process ${index} answers by document ${number}`, async () => {
        return (await steered(base, token)).number === number
      })
      return Math.round(performance.now() - startedAt)
    }),
  )
}

function report(how: string, rounds: readonly (readonly number[])[]): void {
  const all = rounds.flat().sort((a, b) => a - b)
  say(
    `a catalog change reached three processes ${how} in ${all.at(0)} to ${all.at(-1)} ms, ` +
      `${all[Math.floor(all.length / 2)]} at the median (${rounds.length} changes)`,
  )
}

describe('a catalog change reaches every process', () => {
  test('by announcement: none of them polls within this test', async () => {
    await startThree(redis.url, 60_000)
    const token = await issuer.token({ model: 'steered' })
    const rounds: number[][] = []
    for (const number of range(10).map((index) => index + 1)) rounds.push(await reach(number, token))
    report('by announcement', rounds)
  })

  test.skipIf(!hasRealRedis)('by its poll alone: none of them may subscribe', async () => {
    await admin.call('ACL', 'SETUSER', 'polling', 'reset', 'on', '>polling', '~*', '+@all', 'resetchannels')
    await startThree(redis.url.replace('redis://', 'redis://polling:polling@'), 2_000)
    const token = await issuer.token({ model: 'steered' })
    const rounds: number[][] = []
    for (const number of range(4).map((index) => index + 101)) rounds.push(await reach(number, token))
    const [, subscribers] = (await admin.call('PUBSUB', 'NUMSUB', catalogKeys.changes)) as [string, number]
    expect(subscribers).toBe(0)
    report('by poll alone', rounds)
  })
})

describe('no request sees half of a change', () => {
  /** Asks every process without a pause until `work` is done, and once more; gives the number of answers. */
  async function underLoad(look: (base: string, loop: number) => Promise<void>, work: () => Promise<void>) {
    let isDone = false
    let answers = 0
    const loops = bases.flatMap((base) =>
      range(4).map(async (loop) => {
        for (let isLast = false; !isLast; answers++) {
          isLast = isDone
          await look(base, loop)
        }
      }),
    )
    // The first answer that is wrong ends the test, whatever is still being changed.
    await Promise.all([work().finally(() => (isDone = true)), ...loops])
    return answers
  }

  test('of a document: weights, default record and age are those of one number, which only rises', async () => {
    await startThree(redis.url, 2_000)
    const changes = 60
    const tokens = await Promise.all(
      range(4).map((loop) => issuer.token({ model: 'steered', sub: players[loop]! })),
    )
    await applyDocument(tools, documentNumber(1_000))
    const newest = bases.map(() => range(4).map(() => 0))
    const seen = bases.map(() => new Set<number>())

    async function look(base: string, loop: number): Promise<void> {
      const answer = await steered(base, tokens[loop]!)
      const isLeft = answer.number % 2 === 0
      const side = isLeft ? 'left' : 'right'
      expect(answer).toStrictEqual({
        version: side,
        reason: 'default',
        side,
        number: answer.number,
        age: `private, max-age=${isLeft ? 4 : 7}`,
      })
      const of = bases.indexOf(base)
      expect(answer.number).toBeGreaterThanOrEqual(newest[of]![loop]!)
      newest[of]![loop] = answer.number
      seen[of]!.add(answer.number)
    }

    const answers = await underLoad(look, async () => {
      for (const number of range(changes).map((index) => 1_001 + index)) {
        await applyDocument(tools, documentNumber(number))
        // Every fourth one is awaited; the others follow each other as fast as they can be made.
        if (number % 4 === 0)
          await until(`document ${number} is everywhere`, () => newest.flat().every((at) => at >= number))
      }
      await until('the last document is everywhere', () =>
        newest.flat().every((at) => at === 1_000 + changes),
      )
    })
    expect(Math.min(...seen.map((numbers) => numbers.size))).toBeGreaterThanOrEqual(changes / 4)
    say(`${answers} answers of three processes during ${changes} changes, each wholly of one document`)
  })

  test('of a publish: rows, buckets and token are those of one generation', async () => {
    await startThree(redis.url, 2_000)
    const publishes = 24
    const assigned = await assignmentsOf(tools, tenant, 'published')
    const tokens = await Promise.all(players.map((sub) => issuer.token({ model: 'published', sub })))
    const newest = bases.map(() => ({ left: 0, right: 0 }))
    let [asked, fell] = [0, 0]

    async function publishNumber(number: number): Promise<void> {
      const version = sides[number % 2]!
      // More rows make more buckets: a row that is looked for in another generation's bucket is not found.
      const others = range((number % 5) * 400).map((index) => `other-${index}`)
      const rows = [...players, ...others].map((id) => [id, version, number, number] as const)
      await publishRows(
        tools,
        [tenant, 'published', version],
        rowsOf(['id', 'version', 'number', 'twin'], rows),
      )
    }

    async function look(base: string): Promise<void> {
      const index = asked++ % players.length
      const reply = await ask(`${base}/recommendations`, { token: tokens[index]! })
      const version = assigned(players[index]!) as 'left' | 'right'
      if (jsonOf(reply)['reason'] === 'default') {
        // Nothing is half in it: a machine that stalls for the 250 ms of a read's connection costs some answers their row.
        fell++
        expect(jsonOf(reply)['recommendation']).toStrictEqual({ version: 'left', number: 0, twin: 0 })
        return
      }
      const { number } = jsonOf(reply)['recommendation'] as { number: number }
      expect(jsonOf(reply)).toStrictEqual({
        model: 'published',
        version,
        reason: 'split',
        recommendation: { version, number, twin: number },
      })
      const of = newest[bases.indexOf(base)]!
      of[version] = Math.max(of[version], number)
    }

    const isEverywhere = (number: number) => newest.every((of) => of[sides[number % 2]!] >= number)
    await publishNumber(2)
    await publishNumber(3)
    const oneOfEach = sides.map((side) => tokens[players.findIndex((sub) => assigned(sub) === side)]!)
    for (const base of bases)
      for (const token of oneOfEach)
        await until('both tables are loaded', async () => {
          return jsonOf(await ask(`${base}/recommendations`, { token }))['reason'] === 'split'
        })
    const answers = await underLoad(look, async () => {
      for (const number of range(publishes).map((index) => 4 + index)) {
        await publishNumber(number)
        if (number % 4 === 0) await until(`publish ${number} is everywhere`, () => isEverywhere(number))
      }
      for (const number of [publishes + 2, publishes + 3])
        await until('the last publishes are everywhere', () => isEverywhere(number))
    })
    expect(fell).toBeLessThan(answers / 10)
    say(`${answers} answers of three processes during ${publishes} publishes, each wholly of one generation`)
  })
})
