import { expect } from 'vitest'
import { createLog } from '../../src/commands/output.ts'
import { composeTools, type Tools } from '../../src/compose.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../src/domain/codec/record-schema.ts'
import { answeredBatch, batchScope } from '../http/batch-client.ts'
import { ask, jsonOf } from '../http/client.ts'
import {
  applyWithSalt,
  assignmentsOf,
  type GamesRecord,
  gamesModel,
  gamesRecord,
  gamesRows,
  hasItemcfRow,
  playerId,
  playerRecord,
  range,
  studioIssuer,
  versionSalt,
} from '../http/games.ts'
import {
  applyDocument,
  publishRows,
  type RunningGateway,
  startGateway,
  testSettings,
} from '../support/studio.ts'
import { until } from '../support/until.ts'

/** A studio with all its players behind a real gateway, in whatever topology the settings name. */

const tenant = 'steam-studio'
const packed = 'application/vnd.recgate.packed'
const codec = compileRecordSchema(recordSchemaDocument.parse(gamesRecord))

const playerCount = 2_000

interface Answer {
  readonly status: number
  readonly reason: string
  readonly version: string
  readonly record: unknown
}

export interface ServedStudio {
  readonly gateway: RunningGateway
  readonly tools: Tools
  /** Asks for a player; `format` is JSON if nothing else is said. */
  answerOf(player: number, format?: 'json' | 'packed'): Promise<Answer>
  /** Asks for these players in one batch, in JSON. */
  batchOf(players: readonly number[]): Promise<Answer[]>
  /** What the player must be told while every row can be read. */
  expectedOf(player: number): Answer
  /** Asks for every player in both formats, and compares every answer. */
  expectEveryAnswer(): Promise<void>
  /** Waits until every player gets an answer of the tables again. */
  everyRowAgain(): Promise<void>
  /** Publishes `popular` anew; its rows differ from those before. */
  publishAgain(): Promise<void>
  /** Changes the catalog, and waits until the gateway serves it. */
  changeCatalog(): Promise<void>
  stop(): Promise<void>
}

/** `environment` names the Redis; `document` changes the model. */
export async function serveStudio(environment: Readonly<Record<string, string>>): Promise<ServedStudio> {
  const settings = testSettings(environment['RECGATE_REDIS_URL'] ?? '', {
    // Only announcements tell of changes.
    RECGATE_CATALOG_POLL_MS: '60000',
    ...environment,
  })
  const tools = await composeTools(settings, createLog('silent'))
  const issuer = await studioIssuer('https://auth.steam.example', 'k1')
  const documentOf = (deadlineMs: number) => ({
    format: 1,
    tenant,
    issuers: [issuer.entry()],
    models: { games: { ...gamesModel, deadlineMs } },
  })
  let deadlineMs = 5_000
  await applyWithSalt(tools, documentOf(deadlineMs), 'L1:7f3a')
  const everybody = range(playerCount)
  let popularSalt: number = versionSalt.popular
  const publishPopular = () =>
    publishRows(tools, [tenant, 'games', 'popular'], gamesRows(everybody, popularSalt))
  await publishPopular()
  const withRow = everybody.filter(hasItemcfRow)
  await publishRows(tools, [tenant, 'games', 'itemcf'], gamesRows(withRow, versionSalt.itemcf))
  const versionOf = await assignmentsOf(tools, tenant, 'games')
  const tokens = await Promise.all(
    everybody.map((player) => issuer.token({ sub: playerId(player), model: 'games' })),
  )
  const service = await issuer.token({ sub: 'game-server', model: 'games', scope: batchScope })
  const gateway = await startGateway(settings)

  function expectedOf(player: number): Answer {
    const version = versionOf(playerId(player))
    const isOwn = version === 'popular' || hasItemcfRow(player)
    const salt = version === 'itemcf' && isOwn ? versionSalt.itemcf : popularSalt
    return { status: 200, reason: isOwn ? 'split' : 'sibling', version, record: playerRecord(player, salt) }
  }

  async function answerOf(player: number, format: 'json' | 'packed' = 'json'): Promise<Answer> {
    const headers = { accept: format === 'json' ? 'application/json' : packed }
    const reply = await ask(`${gateway.data}/recommendations`, { token: tokens[player]!, headers })
    if (reply.status !== 200)
      return { status: reply.status, reason: reply.body.toString(), version: '', record: null }
    const [, version = '', reason = ''] = /^v=([^,]+), r=(.+)$/.exec(String(reply.headers['recgate'])) ?? []
    const record =
      format === 'packed'
        ? (codec.decode(reply.body) as unknown as GamesRecord)
        : (jsonOf(reply)['recommendation'] as GamesRecord)
    return { status: reply.status, reason, version, record }
  }

  async function batchOf(players: readonly number[]): Promise<Answer[]> {
    const body = { units: players.map(playerId) }
    return (await answeredBatch(gateway.data, body, service)).map((item) =>
      'reason' in item
        ? { status: 200, reason: item.reason, version: item.version, record: item.recommendation }
        : { status: item.status, reason: item.code, version: '', record: null },
    )
  }

  return {
    gateway,
    tools,
    answerOf,
    batchOf,
    expectedOf,
    async expectEveryAnswer() {
      for (const format of ['json', 'packed'] as const) {
        let asked: readonly number[] = everybody
        await until('every row was read', async () => {
          const answers = await Promise.all(asked.map((player) => answerOf(player, format)))
          // A machine that is too busy for the 250 ms of a read's connection may cost a few, which get what stands in for
          // their row, control's from another node of a Cluster included: those are asked again.
          const told = asked.map((player, index) => ({ player, answer: answers[index]! }))
          const stoodIn = ({ player, answer }: (typeof told)[number]) =>
            ['sibling', 'stale', 'default'].includes(answer.reason) &&
            answer.reason !== expectedOf(player).reason
          asked = told.filter(stoodIn).map(({ player }) => player)
          const read = told.filter((one) => !stoodIn(one))
          expect(read.map(({ answer }) => answer)).toEqual(read.map(({ player }) => expectedOf(player)))
          return asked.length === 0
        })
      }
    },
    everyRowAgain: () =>
      until('every row is read again', async () => {
        const answers = await Promise.all(everybody.map((player) => answerOf(player)))
        return answers.every(({ reason }, player) => reason === expectedOf(player).reason)
      }),
    async publishAgain() {
      popularSalt += 1
      const { catalogRevision } = await publishPopular()
      await until('the gateway serves the new generation', () => revisionOf(gateway) >= catalogRevision)
    },
    async changeCatalog() {
      deadlineMs += 1
      const revision = await applyDocument(tools, documentOf(deadlineMs))
      await until('the gateway heard of the change', () => revisionOf(gateway) >= revision)
    },
    async stop() {
      await gateway.gateway.stop()
      tools.close()
    },
  }
}

function revisionOf({ gateway }: RunningGateway): number {
  return gateway.snapshots.current()?.tenants.get(tenant)?.revision ?? 0
}

/** What one bounded loop of requests met. */
export interface Load {
  /** Requests that were not answered 200 with a reason; the first few, as they were. */
  readonly refused: readonly Answer[]
  readonly reasons: ReadonlyMap<string, number>
  /** Answers whose record was another than the reason says. */
  readonly wrong: readonly Answer[]
  /** The part of the answers that was the default, or a copy of the row, 0 to 1. */
  readonly standInShare: number
}

/** Asks for one player after the other, 16 at once, until `work` is done; it can wait for so many more answers. */
export async function underLoad(
  studio: ServedStudio,
  work: (moreAnswers: (count: number) => Promise<void>) => Promise<void>,
): Promise<Load> {
  const [refused, wrong]: [Answer[], Answer[]] = [[], []]
  const reasons = new Map<string, number>()
  let [count, answered] = [0, 0]
  let isDone = false
  const askOn = async () => {
    while (!isDone) {
      const player = (count++ * 7) % playerCount
      const answer = await studio.answerOf(player, count % 2 === 0 ? 'json' : 'packed')
      answered++
      reasons.set(answer.reason, (reasons.get(answer.reason) ?? 0) + 1)
      if (answer.status !== 200 || answer.reason === '') refused.push(answer)
      const expected = studio.expectedOf(player)
      if (
        answer.reason === expected.reason &&
        JSON.stringify(answer.record) !== JSON.stringify(expected.record)
      )
        wrong.push(answer)
    }
  }
  const askers = Array.from({ length: 16 }, askOn)
  try {
    await work(async (more) => {
      const enough = answered + more
      await until(`${more} more answers`, () => answered >= enough)
    })
  } finally {
    isDone = true
    await Promise.all(askers)
  }
  return {
    refused,
    reasons,
    wrong,
    standInShare: ((reasons.get('default') ?? 0) + (reasons.get('stale') ?? 0)) / answered,
  }
}
