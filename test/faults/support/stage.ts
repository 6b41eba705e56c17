import type { Tools } from '../../../src/compose.ts'
import { metricNames } from '../../../src/metrics/names.ts'
import { rollBack } from '../../../src/tables/roll-back.ts'
import { applyDocument, publishRows, rowsOf, testTools } from '../../support/studio.ts'
import { goodClaims, makeKey, signToken, type TestKey } from '../../support/tokens.ts'
import { until } from '../../support/until.ts'
import type { Ground } from '../scenario.ts'
import { type Editions, type Version, versions } from './check-answer.ts'
import { type GatewayProcess, startGatewayProcess } from './gateway-process.ts'
import { type Load, startLoad } from './load.ts'
import type { LoadOptions } from './open-loop.ts'

/** A studio whose records say whose they are, the gateways that serve it, and clients that ask for it. */

export const tenant = 'studio'
export const model = 'games'

export interface StageOptions {
  /** Of the Redis with everything. */
  readonly redisUrl: string
  /** As the gateways reach it, where that is another way. */
  readonly gatewayRedisUrl?: string
  readonly gateways?: number
  readonly players?: number
  readonly deadlineMs?: number
  readonly env?: Readonly<Record<string, string>>
  /** That its players' tokens are signed with; one of the stage's own if nothing is said. */
  readonly key?: TestKey
  /** Changes to the tenant's document. */
  readonly document?: Readonly<Record<string, unknown>>
}

export interface Stage {
  readonly tools: Tools
  readonly gateway: GatewayProcess
  readonly gateways: readonly GatewayProcess[]
  readonly players: LoadOptions['players']
  /** What may be answered now. */
  readonly editions: () => Editions
  load(options: Pick<LoadOptions, 'ratePerSecond'> & Partial<LoadOptions>): Promise<Load>
  /** Anew, with an edition of its own; `load` is told what may be answered meanwhile and afterwards. */
  publish(version: Version, load?: Load): Promise<void>
  rollBack(version: Version, load: Load): Promise<void>
  /** As a studio does it; waits until every gateway has it. */
  changeDeadline(deadlineMs: number): Promise<void>
  /** The one that a player is assigned to, as the first gateway says. */
  versionOf(token: string): Promise<Version>
}

/** A change reaches a gateway by announcement or by its poll, 2 s ± 25 %, and a request may be under way. */
const propagationMs = 4_000

export async function setStage(ground: Ground, options: StageOptions): Promise<Stage> {
  const { redisUrl, gatewayRedisUrl = redisUrl, players: count = 400, deadlineMs = 50 } = options
  const tools = await testTools(redisUrl)
  ground.onEnd(async () => tools.close())
  const key = options.key ?? (await makeKey('ES256', 'k1'))
  await applyDocument(tools, documentOf(tenant, key, deadlineMs, options.document))
  const editionsOf: Record<Version, number[]> = { popular: [], itemcf: [] }
  let published = 0
  const publishEdition = async (version: Version) => {
    const edition = ++published
    await publishRows(tools, [tenant, model, version], rowsWith(count, versions.indexOf(version), edition))
    return edition
  }
  for (const version of versions) editionsOf[version].push(await publishEdition(version))
  const players = await tokensFor(tenant, key, count)
  const gateways: GatewayProcess[] = []
  for (let index = 0; index < (options.gateways ?? 1); index++) {
    const gateway = await startGatewayProcess({ RECGATE_REDIS_URL: gatewayRedisUrl, ...options.env })
    ground.onEnd(gateway.stop)
    gateways.push(gateway)
  }
  const current = (): Editions => {
    const newest = (version: Version) => editionsOf[version].slice(-1)
    const lastTwo = (version: Version) => editionsOf[version].slice(-2)
    return { active: byVersion(newest), kept: byVersion(lastTwo) }
  }

  /** While a version changes from one edition to another, both may be answered. */
  async function change(load: Load | undefined, work: (announce: Announce) => Promise<void>): Promise<void> {
    const before = current()
    await work(async (editions) => {
      await load?.setEditions(editions)
    })
    if (load === undefined) return
    const after = current()
    const both = byVersion((version) => [...before.active[version], ...after.active[version]])
    await load.setEditions({
      active: both,
      kept: byVersion((version) => [...before.kept[version], ...both[version]]),
    })
    await new Promise((resolve) => setTimeout(resolve, propagationMs))
    await load.setEditions(after)
  }

  return {
    tools,
    gateway: gateways[0]!,
    gateways,
    players,
    editions: current,
    async load(more) {
      const load = await startLoad({
        ports: gateways.map(({ dataPort }) => dataPort),
        connectionsMax: 256,
        giveUpMs: 2_000,
        retries: 0,
        players,
        editions: current(),
        ...more,
      })
      ground.onEnd(load.stop)
      return load
    },
    async changeDeadline(ms) {
      const revision = await applyDocument(tools, documentOf(tenant, key, ms, options.document))
      for (const gateway of gateways)
        await until(
          'the gateway has the new deadline',
          async () => (await metricOf(gateway, metricNames.catalogRevision.name, { tenant })) >= revision,
        )
    },
    async versionOf(token) {
      const url = `http://127.0.0.1:${gateways[0]!.dataPort}/recommendations`
      const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
      return ((await response.json()) as { version: Version }).version
    },
    publish: (version, load) =>
      change(load, async (announce) => {
        const { active, kept } = current()
        const next = published + 1
        const also = (editions: Editions['active']) => ({
          ...editions,
          [version]: [...editions[version], next],
        })
        await announce({ active: also(active), kept: also(kept) })
        editionsOf[version].push(await publishEdition(version))
      }),
    rollBack: (version, load) =>
      change(load, async (announce) => {
        const { active, kept } = current()
        const previous = editionsOf[version].at(-2)!
        await announce({ active: { ...active, [version]: [...active[version], previous] }, kept })
        await rollBack(
          {
            store: tools.tables,
            catalog: tools.generationCatalog({ who: 'faults', why: 'faults' }),
            now: () => new Date(),
          },
          { tenantId: tenant, modelId: model, versionId: version },
        )
        editionsOf[version].pop()
      }),
  }
}

type Announce = (editions: Editions) => Promise<void>

function byVersion(of: (version: Version) => readonly number[]): Record<Version, readonly number[]> {
  return { popular: of('popular'), itemcf: of('itemcf') }
}

export const issuerOf = (tenantId: string) => `https://${tenantId}.example`

/** Its records say whose they are, which edition's, and of which version. */
function documentOf(
  tenantId: string,
  key: TestKey,
  deadlineMs: number,
  more: Readonly<Record<string, unknown>> = {},
) {
  const number = { type: 'uint', max: 65_535 }
  return {
    format: 1,
    tenant: tenantId,
    issuers: [{ issuer: issuerOf(tenantId), audience: 'recgate', jwks: { keys: [key.publicJwk] } }],
    models: {
      [model]: {
        key: [{ claim: 'sub', column: 'player_id' }],
        record: { player: number, edition: number, arm: number },
        default: { player: 0, edition: 0, arm: 0 },
        versions: [...versions],
        control: versions[0],
        weights: { popular: 50, itemcf: 50 },
        // Every edition is another number, which a gate would take for a file that was mixed up.
        gates: { maxMeanChange: 1 },
        deadlineMs,
      },
    },
    ...more,
  }
}

export function playerId(player: number): string {
  return `player-${player}`
}

function rowsWith(players: number, arm: number, edition: number) {
  const rows = Array.from({ length: players }, (_, index) => [playerId(index + 1), index + 1, edition, arm])
  return rowsOf(['player_id', 'player', 'edition', 'arm'], rows)
}

/** Good for longer than any scenario. */
export async function tokensFor(
  tenantId: string,
  key: TestKey,
  count: number,
): Promise<LoadOptions['players']> {
  const exp = Math.floor(Date.now() / 1000) + 4 * 3_600
  return Promise.all(
    Array.from({ length: count }, async (_, index) => ({
      player: index + 1,
      token: await signToken(key, goodClaims(issuerOf(tenantId), { model, sub: playerId(index + 1), exp })),
    })),
  )
}

/** A tenant of its own beside the studio, with the same editions as the studio has at first. */
export async function addTenant(
  tools: Tools,
  tenantId: string,
  {
    players,
    deadlineMs,
    document,
  }: { players: number; deadlineMs: number; document?: Readonly<Record<string, unknown>> },
): Promise<LoadOptions['players']> {
  const key = await makeKey('ES256', 'k1')
  await applyDocument(tools, documentOf(tenantId, key, deadlineMs, document))
  for (const [arm, version] of versions.entries())
    await publishRows(tools, [tenantId, model, version], rowsWith(players, arm, arm + 1))
  return tokensFor(tenantId, key, players)
}

/** The value of a metric, summed over its labels where `labels` leaves some open. */
export async function metricOf(
  gateway: GatewayProcess,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { text } = await gateway.ops('/metrics')
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  const fitting = lines.filter((line) =>
    Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)),
  )
  return fitting.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

/** Waits until nearly all of what is asked is answered from the tables. */
export async function untilServed(load: Load): Promise<void> {
  await until('rows are served', async () => {
    const now = Date.now()
    const { outcomes } = await load.stretch(now - 500, now)
    const fromTables = sumOf(outcomes, /200 (split|override)$/)
    return fromTables > 0 && fromTables >= 0.9 * sumOf(outcomes)
  })
}

export function sumOf(outcomes: Readonly<Record<string, number>>, which = /./): number {
  return Object.entries(outcomes).reduce(
    (sum, [outcome, count]) => sum + (which.test(outcome) ? count : 0),
    0,
  )
}

/** Of all but those, as `12 error timeout, 3 503 busy`; `none`. */
export function others(outcomes: Readonly<Record<string, number>>, than: RegExp): string {
  const rest = Object.entries(outcomes).filter(([outcome]) => !than.test(outcome))
  return rest.map(([outcome, count]) => `${count} × ${outcome}`).join(', ') || 'none'
}
