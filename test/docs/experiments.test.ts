import { type DuckDBConnection, DuckDBInstance, DuckDBTimestampValue } from '@duckdb/node-api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { slotOf } from '../../src/domain/allocation.ts'
import { reasons } from '../../src/domain/reasons.ts'
import { blocksOf, blockWith, pageText } from '../support/pages.ts'

/**
 * docs/experiments.md: its SQL gives the result that is known of made-up players. It is BigQuery's; what is done to it
 * for DuckDB stands on the page, under "Where this was run".
 */

const dayMs = 86_400_000
const startsAt = Date.parse('2026-06-01T00:00:00Z')
const endsAt = Date.parse('2026-06-29T00:00:00Z')
const windowDays = 7
const quantile = 1.96

const statement = {
  chosen: blockWith('experiments.md', 'sql', 'INSERT INTO'),
  ratio: blockWith('experiments.md', 'sql', 'chi_square'),
  seen: blockWith('experiments.md', 'sql', 'share_of_version'),
  twoArms: blockWith('experiments.md', 'sql', 'in_two_arms'),
  result: blockWith('experiments.md', 'sql', 'difference_from'),
}

interface Exposure {
  readonly unit: string
  readonly atMs: number
  readonly version: string | null
  readonly reason: string
  readonly model?: string
  /** Sent so often; each time under the same id. */
  readonly times?: number
}
interface Purchase {
  readonly unit: string
  readonly atMs: number
  readonly revenue: number
  /** Sent so often; each time under the same id. */
  readonly times?: number
}

function forDuckDb(sql: string): string {
  return sql
    .replaceAll(/@(\w+)/g, '$$$1')
    .replaceAll(/^(?:PARTITION BY DATE|CLUSTER BY).*$/gm, '')
    .replaceAll('ARRAY<STRING>', 'STRING[]')
}

let connection: DuckDBConnection
let instance: DuckDBInstance

beforeEach(async () => {
  instance = await DuckDBInstance.create()
  connection = await instance.connect()
  await connection.run('CREATE SCHEMA analytics')
  await connection.run('CREATE TYPE FLOAT64 AS DOUBLE')
  await connection.run('CREATE MACRO TIMESTAMP_ADD(instant, span) AS instant + span')
  for (const { text } of blocksOf('experiments.md').filter(({ text }) => text.startsWith('CREATE'))) {
    await connection.run(forDuckDb(text))
  }
})

afterEach(() => {
  connection.closeSync()
  instance.closeSync()
})

async function ask(sql: string): Promise<Record<string, unknown>[]> {
  const asked = forDuckDb(sql)
  const known = {
    model: 'games',
    control: 'popular',
    starts_at: new DuckDBTimestampValue(BigInt(startsAt) * 1000n),
    ends_at: new DuckDBTimestampValue(BigInt(endsAt) * 1000n),
    window_days: windowDays,
    quantile,
  }
  const used = Object.entries(known).filter(([name]) => asked.includes(`$${name}`))
  const reader = await connection.runAndReadAll(asked, Object.fromEntries(used))
  return reader
    .getRowObjectsJS()
    .map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]),
      ),
    )
}

async function insert(table: string, columns: string, rows: readonly (readonly unknown[])[]): Promise<void> {
  const cell = (value: unknown) =>
    value === null ? 'NULL' : typeof value === 'number' ? String(value) : `'${String(value)}'`
  const values = rows.map((row) => `(${row.map(cell).join(',')})`)
  if (values.length > 0) await connection.run(`INSERT INTO ${table} (${columns}) VALUES ${values.join(',')}`)
}

const instant = (ms: number) => new Date(ms).toISOString()

async function log(exposures: readonly Exposure[], purchases: readonly Purchase[] = []): Promise<void> {
  await insert(
    'analytics.exposures',
    'event_id, exposed_at, received_at, session_id, unit, model, version, reason',
    exposures.flatMap(({ unit, atMs, version, reason, model = 'games', times = 1 }, index) =>
      Array.from({ length: times }, () => [
        `event-${index}`,
        instant(atMs),
        instant(atMs + 1000),
        'session',
        unit,
        model,
        version,
        reason,
      ]),
    ),
  )
  await insert(
    'analytics.purchases',
    'purchase_id, unit, purchased_at, revenue',
    purchases.flatMap(({ unit, atMs, revenue, times = 1 }, index) =>
      Array.from({ length: times }, () => [`purchase-${index}`, unit, instant(atMs), revenue]),
    ),
  )
}

/** Chance that is the same in every run. */
function share(...parts: readonly unknown[]): number {
  return slotOf('experiments', parts.join('/')) / 10_000
}

const versionOf = (unit: string) => (share('arm', unit) < 0.5 ? 'popular' : 'itemcf')

describe('the result', () => {
  /** Every fifth player's first record is another's, as it happens. */
  const players = Array.from({ length: 2000 }, (_, index) => {
    const unit = `player-${index}`
    const version = versionOf(unit)
    const reason = share('reason', unit) < 0.8 ? 'split' : ['sibling', 'stale', 'default', 'kept'][index % 4]!
    const atMs = startsAt + Math.floor(share('at', unit) * 27 * dayMs)
    const spends = share('spends', unit) < (version === 'itemcf' && reason === 'split' ? 0.4 : 0.2)
    const revenue = spends ? Math.round(100 + 900 * share('revenue', unit)) / 100 : 0
    return { unit, version, reason, atMs, revenue }
  })
  const watched = players.filter(({ atMs }) => atMs + windowDays * dayMs <= endsAt)

  function momentsOf(version: string) {
    const outcomes = watched.filter((player) => player.version === version).map(({ revenue }) => revenue)
    const average = outcomes.reduce((sum, outcome) => sum + outcome, 0) / outcomes.length
    const squares = outcomes.reduce((sum, outcome) => sum + (outcome - average) ** 2, 0)
    return { units: outcomes.length, average, uncertainty: squares / (outcomes.length - 1) / outcomes.length }
  }

  const exposures: Exposure[] = players.map(({ unit, version, reason, atMs }) => ({
    unit,
    version,
    reason,
    atMs,
  }))
  const purchases: Purchase[] = players
    .filter(({ revenue }) => revenue > 0)
    .flatMap(({ unit, atMs, revenue }) => {
      const first = Math.round(revenue * 50) / 100
      // The first moment of the window, and its last.
      return [
        { unit, atMs, revenue: first },
        { unit, atMs: atMs + windowDays * dayMs - 1, revenue: revenue - first },
      ]
    })

  /** The known result, whatever else was logged. */
  async function expectKnown(): Promise<void> {
    const [itemcf, popular] = [momentsOf('itemcf'), momentsOf('popular')]
    const difference = itemcf.average - popular.average
    const reach = quantile * Math.sqrt(itemcf.uncertainty + popular.uncertainty)
    const rows = await ask(statement.result)
    expect(rows).toHaveLength(1)
    const [row] = rows
    expect(row).toMatchObject({ version: 'itemcf', units: itemcf.units })
    expect(row!['average']).toBeCloseTo(itemcf.average, 9)
    expect(row!['difference']).toBeCloseTo(difference, 9)
    expect(row!['difference_from']).toBeCloseTo(difference - reach, 9)
    expect(row!['difference_to']).toBeCloseTo(difference + reach, 9)
    // There is a difference, and so many players show it.
    expect(row!['difference_from']).toBeGreaterThan(0)
  }

  test('is what is known of the players', async () => {
    expect(watched.length).toBeGreaterThan(1200)
    expect(watched.length).toBeLessThan(players.length)
    await log(exposures, purchases)
    await expectKnown()
  })

  test('counts each player once, in the arm that was seen first', async () => {
    const later = players.slice(0, 300).flatMap(({ unit, version, atMs }) => [
      { unit, version: version === 'itemcf' ? 'popular' : 'itemcf', reason: 'split', atMs: atMs + 1000 },
      { unit, version, reason: 'split', atMs: atMs + 2000, times: 2 },
    ])
    await log([...later, ...exposures.map((exposure) => ({ ...exposure, times: 2 }))], purchases)
    await expectKnown()
  })

  test('passes over what says nothing about an arm', async () => {
    const strangers: Exposure[] = []
    const spent: Purchase[] = []
    for (let index = 0; index < 50; index++) {
      const add = (kind: string, exposure: Omit<Exposure, 'unit'>) => {
        const unit = `${kind}-${index}`
        strangers.push({ unit, ...exposure })
        spent.push({ unit, atMs: exposure.atMs, revenue: 5000 })
        return unit
      }
      const atMs = startsAt + index * 60_000
      add('without-version', { version: null, reason: 'built-in', atMs })
      add('other-model', { version: 'itemcf', reason: 'split', atMs, model: 'offers' })
      add('before', { version: 'itemcf', reason: 'split', atMs: startsAt - 1 })
      add('after', { version: 'itemcf', reason: 'split', atMs: endsAt })
      add('unwatched', { version: 'itemcf', reason: 'split', atMs: endsAt - windowDays * dayMs + 1 })
      // Whoever was given a version by hand is out, before it and after it.
      const unit = add('tester', { version: 'itemcf', reason: 'split', atMs })
      strangers.push({ unit, version: 'itemcf', reason: 'override', atMs: atMs + 1000 })
    }
    // A player whose first answer never came counts from the first that did.
    const early = players.slice(0, 300).map(({ unit, atMs }) => ({
      unit,
      version: null,
      reason: 'built-in',
      atMs: Math.max(startsAt, atMs - 1000),
    }))
    await log([...exposures, ...strangers, ...early], [...purchases, ...spent])
    await expectKnown()
  })

  test('counts what is bought in the window, and nothing before or after it', async () => {
    const outside = players.slice(0, 500).flatMap(({ unit, atMs }) => [
      { unit, atMs: atMs - 1, revenue: 300 },
      { unit, atMs: atMs + windowDays * dayMs, revenue: 700 },
    ])
    await log(exposures, [...purchases, ...outside])
    await expectKnown()
  })

  test('counts a purchase once that was sent twice, and two of the same price twice', async () => {
    const halves = purchases.flatMap(({ unit, atMs, revenue }) => [
      { unit, atMs, revenue: revenue / 2, times: 2 },
      { unit, atMs, revenue: revenue / 2 },
    ])
    // NUMERIC has nine decimals in BigQuery and three in DuckDB: all halves fit.
    await log(exposures, halves)
    await expectKnown()
  })

  test('leaves out whose arm was chosen, whatever reason hides it', async () => {
    const hidden = ['kept', 'sibling', 'stale', 'default', 'split'].flatMap((reason, index) => [
      { unit: `listed-${reason}`, version: 'itemcf', reason, atMs: startsAt + index },
      { unit: `logged-${reason}`, version: 'itemcf', reason, atMs: startsAt + index },
      { unit: `logged-${reason}`, version: 'itemcf', reason: 'override', atMs: startsAt - dayMs },
    ])
    await log([...exposures, ...hidden])
    const unitsOf = async (sql: string) =>
      Number((await ask(sql)).find(({ version }) => version === 'itemcf')!['units'])
    const before = [await unitsOf(statement.result), await unitsOf(statement.ratio)]
    const listed = hidden.filter(({ unit }) => unit.startsWith('listed-')).map(({ unit }) => ['games', unit])
    // Somebody who tests another model is a player of this one.
    await insert('analytics.chosen_units', 'model, unit', [...listed, ['offers', watched[0]!.unit]])
    await ask(statement.chosen)
    const after = [await unitsOf(statement.result), await unitsOf(statement.ratio)]
    expect(before.map((units, index) => units - after[index]!)).toEqual([10, 10])
    expect(after[0]).toBe(momentsOf('itemcf').units)
  })

  test('has every other version beside control', async () => {
    const third = Array.from({ length: 50 }, (_, index) => ({
      unit: `third-${index}`,
      version: 'two-tower',
      reason: 'split',
      atMs: startsAt + index,
    }))
    await log([...exposures, ...third], purchases)
    const rows = await ask(statement.result)
    expect(rows.map(({ version, units }) => [version, units])).toEqual([
      ['itemcf', momentsOf('itemcf').units],
      ['two-tower', 50],
    ])
    expect(rows[1]!['average']).toBe(0)
  })
})

describe('the check of the arms’ sizes', () => {
  const exposed = (version: string, count: number): Exposure[] =>
    Array.from({ length: count }, (_, index) => ({
      unit: `${version}-${index}`,
      version,
      reason: 'split',
      atMs: startsAt + index,
      times: 1 + (index % 2),
    }))

  test('is content with chance, and not where an arm lost players', async () => {
    // 141² / 1859 is 10.69, 142² / 1858 is 10.85; one degree of freedom allows 10.828.
    for (const [lost, mismatch] of [
      [141, false],
      [142, true],
    ] as const) {
      await connection.run('DELETE FROM analytics.exposures')
      await log([...exposed('popular', 1000), ...exposed('itemcf', 1000 - lost)])
      const total = 2000 - lost
      const chiSquare = lost ** 2 / total
      const rows = await ask(statement.ratio)
      expect(rows.map(({ version, units, expected }) => [version, units, expected])).toEqual([
        ['itemcf', 1000 - lost, total / 2],
        ['popular', 1000, total / 2],
      ])
      for (const row of rows) {
        expect(row['chi_square']).toBeCloseTo(chiSquare, 9)
        expect(row['mismatch']).toBe(mismatch)
      }
    }
  })

  test('sees an arm of which nobody is left', async () => {
    await log(exposed('popular', 30))
    const [itemcf] = await ask(statement.ratio)
    expect(itemcf).toMatchObject({
      version: 'itemcf',
      units: 0,
      expected: 15,
      chi_square: 30,
      mismatch: true,
    })
  })

  test('leaves out players whose arm was chosen, and those without one', async () => {
    const chosen = exposed('itemcf', 900).map((exposure) => ({
      ...exposure,
      unit: `tester-${exposure.unit}`,
    }))
    await log([
      ...exposed('popular', 500),
      ...exposed('itemcf', 500),
      ...chosen,
      { ...chosen[0]!, reason: 'override', atMs: endsAt - 1 },
      ...chosen.slice(1).map((exposure) => ({ ...exposure, reason: 'override' })),
      ...exposed('none', 400).map((exposure) => ({ ...exposure, version: null, reason: 'built-in' })),
    ])
    const rows = await ask(statement.ratio)
    expect(rows.map(({ units }) => units)).toEqual([500, 500])
  })

  test('has bounds that one test in a thousand passes by chance, for any number of versions', () => {
    const bounds = new Map(
      [...statement.ratio.matchAll(/WHEN (\d) THEN ([\d.]+)/g)].map(([, freedom, bound]) => [
        Number(freedom),
        Number(bound),
      ]),
    )
    expect(bounds.size).toBe(5)
    for (let freedom = 1; freedom <= 31; freedom++) {
      const cubed = 1 - 2 / (9 * freedom) + 3.0902 * Math.sqrt(2 / (9 * freedom))
      const bound = bounds.get(freedom) ?? freedom * cubed ** 3
      const exact = chiSquareBound(freedom, 0.001)
      expect(Math.abs(bound / exact - 1), `${freedom}`).toBeLessThan(bounds.has(freedom) ? 0.0001 : 0.01)
    }
  })
})

/** Beyond which so much of chi-square lies: by bisection of its upper tail, integrated by Simpson's rule. */
function chiSquareBound(freedom: number, tail: number): number {
  const density = (root: number) => 2 * root ** (freedom - 1) * Math.exp(-(root ** 2) / 2)
  // Of the root of chi-square, whose density has no pole at 0.
  const area = (from: number, to: number) => {
    const steps = 4000
    const step = (to - from) / steps
    let sum = density(from) + density(to)
    for (let index = 1; index < steps; index++)
      sum += density(from + index * step) * (index % 2 === 1 ? 4 : 2)
    return (sum * step) / 3
  }
  const end = 20
  const whole = area(0, end)
  let [low, high] = [0, end]
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2
    if (area(middle, end) / whole > tail) low = middle
    else high = middle
  }
  return low ** 2
}

test('what players saw is told by version and reason, each event once', async () => {
  const exposure = (unit: string, version: string | null, reason: string, times = 1): Exposure => ({
    unit,
    version,
    reason,
    atMs: startsAt,
    times,
  })
  await log([
    exposure('a', 'itemcf', 'split', 3),
    exposure('a', 'itemcf', 'split'),
    exposure('b', 'itemcf', 'sibling'),
    exposure('c', 'popular', 'split'),
    exposure('d', null, 'built-in'),
    { ...exposure('e', 'popular', 'split'), model: 'offers' },
  ])
  const rows = await ask(statement.seen)
  const told = rows.map(({ version, reason, exposures, units, share_of_version: part }) => [
    version,
    reason,
    exposures,
    units,
    Math.round(Number(part) * 1000) / 1000,
  ])
  expect(told).toHaveLength(4)
  expect(told).toEqual(
    expect.arrayContaining([
      ['itemcf', 'split', 2, 1, 0.667],
      ['itemcf', 'sibling', 1, 1, 0.333],
      ['popular', 'split', 1, 1, 1],
      [null, 'built-in', 1, 1, 1],
    ]),
  )
})

test('players in two arms are counted', async () => {
  expect(await ask(statement.twoArms)).toEqual([{ units: 0, in_two_arms: 0 }])
  const exposure = (unit: string, version: string | null, reason = 'split'): Exposure => ({
    unit,
    version,
    reason,
    atMs: startsAt,
  })
  await log([
    exposure('a', 'itemcf'),
    exposure('a', 'popular'),
    exposure('b', 'itemcf'),
    exposure('b', 'itemcf', 'stale'),
    exposure('b', null, 'built-in'),
    exposure('c', 'popular'),
    exposure('c', 'itemcf', 'override'),
  ])
  expect(await ask(statement.twoArms)).toEqual([{ units: 3, in_two_arms: 1 }])
})

test('the page says of every reason whether it counts, and lists the table’s columns', async () => {
  const page = pageText('experiments.md')
  for (const reason of reasons) expect(page).toMatch(new RegExp(`^\\| \`${reason}\` \\| (yes|no)`, 'm'))
  const columns = await ask(
    "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'exposures' ORDER BY ordinal_position",
  )
  const [, fields = ''] = page.split('| field | type | what |\n')
  const listed = fields
    .slice(0, fields.indexOf('\n\n'))
    .split('\n')
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name))
  expect(listed).toEqual(columns.map(({ name }) => name))
})
