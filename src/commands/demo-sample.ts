import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeDirectories } from '../disk/make-directories.ts'
import { murmur3 } from '../domain/murmur3.ts'

/** The sample studio: its document from config/, and predictions that are the same on every machine. */

export const sampleTenant = 'demo-studio'
export const samplePlayer = '1000001'

/** Salts are random elsewhere; here a tour must meet the same assignment on every machine. One a model. */
export function createSampleSalts(): () => string {
  let models = 0
  return () => `sample${models++ === 0 ? '' : models}`
}

const playerIdFirst = 1_000_001
const players = 3_000
const gamesCount = 400
/** Every so-many-th player is too new for collaborative filtering, and gets control's row. */
const coldStartEvery = 25

const segments = ['newcomer', 'casual', 'regular', 'collector'] as const
const countries = ['DE', 'FR', 'JP', 'US'] as const
const platforms = ['android', 'ios', 'pc'] as const

/** One publish of the tour: its file, and how its columns become the record's fields. */
export interface SampleTable {
  readonly file: string
  readonly model: string
  readonly version: string
  readonly sql?: string
}

export const sampleTables: readonly SampleTable[] = [
  {
    file: 'games-popular.csv',
    model: 'games',
    version: 'popular',
    sql:
      'SELECT player_id, segment, hours_played, [game_1, game_2, game_3] AS games, ' +
      '[score_1, score_2, score_3] AS scores FROM input',
  },
  { file: 'games-itemcf.ndjson', model: 'games', version: 'itemcf' },
  { file: 'starter-offer.csv', model: 'starter-offer', version: 'seasonal' },
]

/** Writes document and predictions; answers the document's path. */
export async function writeSample(directory: string): Promise<string> {
  makeDirectories(directory)
  const document = join(directory, 'tenant.yaml')
  await copyFile(fileURLToPath(new URL('../../config/demo/tenant.yaml', import.meta.url)), document)
  const contents = [popularCsv(), itemcfNdjson(), offersCsv()]
  for (const [index, { file }] of sampleTables.entries())
    await writeFile(join(directory, file), contents[index] ?? '')
  return document
}

/** 0 ≤ n < bound, always the same for the same words. */
function draw(bound: number, ...words: readonly (string | number)[]): number {
  return murmur3(words.join(' ')) % bound
}

interface Player {
  readonly id: number
  readonly segment: string
  readonly hours: string
}

function samplePlayers(): Player[] {
  return Array.from({ length: players }, (_, index) => {
    const id = playerIdFirst + index
    const segment = segments[draw(segments.length, 'segment', id)]!
    return { id, segment, hours: (draw(20_000, 'hours', id) / 10).toFixed(1) }
  })
}

/** Different games, the first of a ranking that differs from player to player. */
function rank(count: number, from: number, ...words: readonly (string | number)[]): number[] {
  const chosen = new Set<number>()
  for (let attempt = 0; chosen.size < count; attempt++) chosen.add(1 + draw(from, ...words, attempt))
  return [...chosen]
}

function popularCsv(): string {
  const lines = samplePlayers().map(({ id, segment, hours }) => {
    const games = rank(3, 10, 'popular', id).sort((a, b) => a - b)
    const scores = games.map((game) => (1 / game).toFixed(3))
    return [id, segment, hours, ...games, ...scores].join(',')
  })
  return `${['player_id,segment,hours_played,game_1,game_2,game_3,score_1,score_2,score_3', ...lines].join('\n')}\n`
}

function itemcfNdjson(): string {
  const lines = samplePlayers().flatMap(({ id, segment, hours }, index) => {
    if (index % coldStartEvery === coldStartEvery - 1) return []
    const games = rank(5, gamesCount, 'itemcf', id)
    const scores = games.map((_, place) => (1000 - place * (50 + draw(100, 'score', id))) / 1000)
    return [JSON.stringify({ player_id: String(id), segment, hours_played: Number(hours), games, scores })]
  })
  return `${lines.join('\n')}\n`
}

function offersCsv(): string {
  const rows = countries.flatMap((country) =>
    platforms.map((platform) => {
      const discount = 10 + 5 * draw(9, 'discount', country, platform)
      return `${country},${platform},${platform}-autumn-pack,${discount},2026-12-31T23:00:00Z`
    }),
  )
  return `${['country,platform,offer,discount,ends_at', ...rows].join('\n')}\n`
}
