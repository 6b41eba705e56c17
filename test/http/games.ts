import { makeChange, planChange } from '../../src/catalog/change.ts'
import { readLiveTenant } from '../../src/catalog/live-tenant.ts'
import type { Tools } from '../../src/compose.ts'
import { slotOf, slotOwners } from '../../src/domain/allocation.ts'
import { checkTenantDocument } from '../../src/domain/tenant-document.ts'
import { rowsOf } from '../support/studio.ts'
import { goodClaims, makeKey, signToken, type TestKey } from '../support/tokens.ts'

/** A studio like the Steam sample: one personal model, two versions, players who are the same in every run. */

export const gamesRecord = {
  segment: {
    type: 'enum',
    values: ['newcomer', 'casual', 'regular', 'collector'],
    room: 16,
    default: 'newcomer',
  },
  hours_played: { type: 'fixed', min: 0, max: 20_000, step: 0.1 },
  games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4_095 } },
  scores: { type: 'list', maxItems: 5, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
}

export interface GamesRecord {
  readonly segment: string
  readonly hours_played: number
  readonly games: readonly number[]
  readonly scores: readonly number[]
}

export const gamesDefault: GamesRecord = {
  segment: 'newcomer',
  hours_played: 0,
  games: [1, 2, 3],
  scores: [1, 0.5, 0.3],
}

export const gamesModel = {
  key: [{ claim: 'sub', column: 'player_id' }],
  record: gamesRecord,
  default: gamesDefault,
  maxAgeSeconds: 300,
  // Nothing here measures time; a busy machine must not turn a row into the default record.
  deadlineMs: 10_000,
  versions: ['popular', 'itemcf'],
  control: 'popular',
  weights: { popular: 50, itemcf: 50 },
}

/** Every 25th player is too new for collaborative filtering. */
const coldStartEvery = 25

export function hasItemcfRow(index: number): boolean {
  return index % coldStartEvery !== coldStartEvery - 1
}

export function playerId(index: number): string {
  return String(76_561_198_000_000_001n + BigInt(index))
}

const segments = ['newcomer', 'casual', 'regular', 'collector']

/** The row of a player; `salt` tells versions and publishes apart. */
export function playerRecord(index: number, salt: number): GamesRecord {
  const games = Array.from(
    { length: 1 + (index % 5) },
    (_, place) => (index * 37 + place * 101 + salt) % 4_096,
  )
  return {
    segment: segments[index % segments.length]!,
    hours_played: ((index * 7_919 + salt) % 200_001) / 10,
    games,
    scores: games.map((_, place) => (1_000 - place * 130 - (index % 100)) / 1_000),
  }
}

export const versionSalt = { popular: 1, itemcf: 500 } as const

export function gamesRows(indexes: readonly number[], salt: number) {
  const rows = indexes.map((index) => {
    const { segment, hours_played, games, scores } = playerRecord(index, salt)
    return [playerId(index), segment, hours_played, games, scores]
  })
  return rowsOf(['player_id', 'segment', 'hours_played', 'games', 'scores'], rows)
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** An issuer of the studio's own, and what it signs. */
export interface StudioIssuer {
  readonly issuer: string
  readonly key: TestKey
  /** As it stands in the document. */
  entry(more?: Readonly<Record<string, unknown>>): Record<string, unknown>
  /** A token that is good, but for what `more` changes; a claim that is undefined is left out. */
  token(more?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
}

export async function studioIssuer(issuer: string, kid: string): Promise<StudioIssuer> {
  const key = await makeKey('ES256', kid)
  return {
    issuer,
    key,
    entry: (more = {}) => ({ issuer, audience: 'recgate', jwks: { keys: [key.publicJwk] }, ...more }),
    token: (more = {}, header = {}) => signToken(key, goodClaims(issuer, more), header),
  }
}

/** Applies a document whose models get this salt, so that every run splits its units in the same way. */
export async function applyWithSalt(tools: Tools, input: unknown, salt: string): Promise<void> {
  const { document, faults } = checkTenantDocument(input)
  if (document === null) throw new Error(JSON.stringify(faults))
  const plan = await planChange(tools.catalog, document, () => salt)
  await makeChange(tools.catalog, plan, { who: 'tester', why: 'test', at: new Date().toISOString() })
}

/** Which version the catalog's state gives a unit, by the domain's own functions. */
export async function assignmentsOf(
  tools: Tools,
  tenantId: string,
  modelId: string,
): Promise<(unit: string) => string> {
  const state = (await readLiveTenant(tools.catalog, tenantId))?.state.models[modelId]
  if (state === undefined) throw new Error(`no model ${tenantId}/${modelId}`)
  const owners = slotOwners(state.allocations.at(-1)!)
  return (unit) => owners[slotOf(state.salt, unit)]!
}
