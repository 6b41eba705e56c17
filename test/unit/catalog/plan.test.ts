import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planDocument } from '../../../src/catalog/plan.ts'
import { slotOwners } from '../../../src/domain/allocation.ts'
import { documentWith, games, type LiveStudio, liveStudio } from './studio-document.ts'

const noSalt = () => {
  throw new Error('no model is created here')
}

/** `path: problem` of every fault of a change. */
function faultsOf(live: LiveStudio, models: Record<string, unknown>): string[] {
  return planDocument(live, documentWith(models), () => 'new').faults.map((f) => `${f.path}: ${f.problem}`)
}

const ownersOf = (live: LiveStudio, modelId = 'games') =>
  slotOwners(live.state.models[modelId]!.allocations.at(-1)!)

function shares(owners: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return Object.fromEntries(counts)
}

describe('creation', () => {
  test('a tenant: each model gets its salt, its first allocation and nothing else', () => {
    const salts = ['one', 'two']
    const plan = planDocument(null, documentWith({ games, offers: games }), () => salts.shift()!)
    expect(plan.what).toEqual(['creates tenant studio with games, offers'])
    expect(plan.faults).toEqual([])
    expect(plan.state.retiredModels).toEqual([])
    expect(plan.state.models['games']).toEqual({
      salt: 'one',
      record: games.record,
      allocations: [
        {
          weights: { itemcf: 1_000, popular: 9_000 },
          ranges: [
            ['itemcf', 1_000, 0, 1],
            ['popular', 9_000, 1_000, 1],
          ],
        },
      ],
      generations: {},
      retiredVersions: [],
    })
    expect(plan.state.models['offers']?.salt).toBe('two')
    expect(salts).toEqual([])
  })

  test('a tenant without models', () => {
    expect(planDocument(null, documentWith({}), noSalt)).toMatchObject({
      what: ['creates tenant studio with no model'],
      faults: [],
    })
  })

  test('a change of the document keeps the number of erasures', () => {
    const live = liveStudio({ games })
    const erased = { ...live, state: { ...live.state, erasures: 3 } }
    expect(planDocument(erased, documentWith({ games, offers: games }), () => 'fresh').state.erasures).toBe(3)
    expect(planDocument(null, documentWith({ games }), () => 'fresh').state.erasures).toBe(0)
  })

  test('a model beside another: only the new one gets a salt', () => {
    const live = liveStudio({ games })
    const plan = planDocument(live, documentWith({ games, offers: games }), () => 'fresh')
    expect(plan.what).toEqual([expect.stringMatching(/^\+ models\.offers: \{/)])
    expect(plan.state.models['games']).toEqual(live.state.models['games'])
    expect(plan.state.models['offers']?.salt).toBe('fresh')
  })

  test('a model or a version called constructor is one like another', () => {
    const live = liveStudio({ games })
    const plan = planDocument(live, documentWith({ games, constructor: games }), () => 'fresh')
    expect(plan.what).toEqual([expect.stringMatching(/^\+ models\.constructor: \{/)])
    expect(plan.faults).toEqual([])
    expect(plan.state.models['constructor']?.salt).toBe('fresh')

    const versions = [...games.versions, 'constructor']
    const grown = live.with('games', { 1: { version: 'popular' }, 2: { version: 'itemcf' } })
    const added = grown.to({ games: { ...games, versions } })
    expect(added.what).toEqual(['+ models.games.versions[2]: "constructor"'])
    expect(
      faultsOf(added, { games: { ...games, versions, weights: { popular: 90, constructor: 10 } } }),
    ).toEqual([
      'models.games.weights.constructor: can\'t rise from 0 to 10: "constructor" has no active table; publish it first',
    ])
  })
})

describe('no change', () => {
  test('nothing to say, and the state stays exactly as it is', () => {
    const live = liveStudio({ games, offers: games }).with('games', { 3: { version: 'itemcf' } })
    const plan = planDocument(live, live.document, noSalt)
    expect(plan).toEqual({ what: [], faults: [], state: live.state })
  })

  test('neither the order of models, fields and weights nor naming a weight of 0 is a change', () => {
    const withZero = { ...games, weights: { popular: 90, itemcf: 10 }, versions: ['popular', 'itemcf'] }
    const live = liveStudio({ games: withZero, offers: games })
    const reversed = Object.fromEntries(
      Object.entries({ ...games, weights: { itemcf: 10, popular: 90 } }).reverse(),
    )
    const plan = planDocument(live, documentWith({ offers: games, games: reversed }), noSalt)
    expect(plan.what).toEqual([])
    expect(plan.state.models['games']?.allocations).toEqual(live.state.models['games']?.allocations)
  })

  test('a weight of 0 that is named moves nothing, and adds no allocation to the history', () => {
    const one = { ...games, weights: { popular: 100 } }
    const live = liveStudio({ games: one }).to({ games: { ...one, weights: { popular: 100, itemcf: 0 } } })
    expect(live.what).toEqual(['+ models.games.weights.itemcf: 0'])
    expect(live.state.models['games']?.allocations).toHaveLength(1)
  })

  test('what is not a weight leaves allocations alone', () => {
    const live = liveStudio({ games })
    const next = live.to({ games: { ...games, deadlineMs: 80, default: { games: [] } } })
    expect(next.what).toEqual([
      '- models.games.default.games[0]: 1',
      '- models.games.default.games[1]: 2',
      '~ models.games.deadlineMs: 50 → 80',
    ])
    expect(next.state).toEqual(live.state)
  })
})

describe('weights', () => {
  test('a change says how many slots move, moves the fewest and keeps the history', () => {
    const live = liveStudio({ games })
    const next = live.to({ games: { ...games, weights: { popular: 75, itemcf: 25 } } })
    expect(next.what).toEqual([
      '~ models.games.weights.popular: 90 → 75',
      '~ models.games.weights.itemcf: 10 → 25',
      'models.games: 1500 of 10000 slots move',
    ])
    const [before, after] = [ownersOf(live), ownersOf(next)]
    expect(shares(after)).toEqual({ popular: 7_500, itemcf: 2_500 })
    expect(before.filter((owner, slot) => owner !== after[slot])).toHaveLength(1_500)
    expect(next.state.models['games']?.allocations).toHaveLength(2)
  })

  test('a change taken back gives every unit back what it had', () => {
    const live = liveStudio({ games })
    const back = live.to({ games: { ...games, weights: { popular: 33.33, itemcf: 66.67 } } }).to({ games })
    expect(ownersOf(back)).toEqual(ownersOf(live))
  })

  test('before the first publish they are free', () => {
    expect(faultsOf(liveStudio({ games }), { games: { ...games, weights: { itemcf: 100 } } })).toEqual([])
  })

  test('once a version has a table, one without can not rise, but stay and fall', () => {
    const live = liveStudio({ games }).with('games', { 1: { version: 'popular' } })
    expect(faultsOf(live, { games: { ...games, weights: { popular: 80, itemcf: 20 } } })).toEqual([
      'models.games.weights.itemcf: can\'t rise from 10 to 20: "itemcf" has no active table; publish it first',
    ])
    expect(faultsOf(live, { games })).toEqual([])
    expect(faultsOf(live, { games: { ...games, weights: { popular: 95.5, itemcf: 4.5 } } })).toEqual([])
    const versions = [...games.versions, 'als']
    expect(
      faultsOf(live, { games: { ...games, versions, weights: { popular: 89.99, itemcf: 10, als: 0.01 } } }),
    ).toEqual([
      'models.games.weights.als: can\'t rise from 0 to 0.01: "als" has no active table; publish it first',
    ])
  })

  test('a previous generation is no table; an active one of the version itself is', () => {
    const wanted = { games: { ...games, weights: { popular: 50, itemcf: 50 } } }
    const previous = { 1: { version: 'popular' }, 2: { version: 'itemcf', state: 'previous' } } as const
    expect(faultsOf(liveStudio({ games }).with('games', previous), wanted)).toHaveLength(1)
    const active = { 1: { version: 'popular' }, 2: { version: 'itemcf' } }
    expect(faultsOf(liveStudio({ games }).with('games', active), wanted)).toEqual([])
    const none = { 1: { version: 'popular', state: 'previous' } } as const
    expect(faultsOf(liveStudio({ games }).with('games', none), wanted)).toEqual([])
  })

  test('one model’s tables say nothing about another’s weights', () => {
    const live = liveStudio({ games, offers: games }).with('games', { 1: { version: 'popular' } })
    expect(faultsOf(live, { games, offers: { ...games, weights: { popular: 50, itemcf: 50 } } })).toEqual([])
  })
})

describe('versions', () => {
  const generations = {
    1: { version: 'popular' },
    2: { version: 'itemcf', state: 'previous' },
    3: { version: 'itemcf' },
  } as const
  const without = { ...games, versions: ['popular'], weights: { popular: 100 } }

  test('an added one gets nothing before its weight says so', () => {
    const live = liveStudio({ games }).with('games', generations)
    const next = live.to({ games: { ...games, versions: [...games.versions, 'als'] } })
    expect(next.what).toEqual(['+ models.games.versions[2]: "als"'])
    expect(next.state).toEqual(live.state)
  })

  test('a removed one gives its slots away, its generations become previous, its id is retired', () => {
    const live = liveStudio({ games }).with('games', generations)
    const next = live.to({ games: without })
    expect(next.what).toEqual([
      '- models.games.versions[1]: "itemcf"',
      '~ models.games.weights.popular: 90 → 100',
      '- models.games.weights.itemcf: 10',
      'models.games: 1000 of 10000 slots move',
      "models.games: version itemcf is deleted: its tables are collected, and its id can't come back",
    ])
    const state = next.state.models['games']!
    expect(shares(ownersOf(next))).toEqual({ popular: 10_000 })
    expect(Object.values(state.generations).map(({ version, state: stands }) => [version, stands])).toEqual([
      ['popular', 'active'],
      ['itemcf', 'previous'],
      ['itemcf', 'previous'],
    ])
    expect(state.generations[1]).toEqual(live.state.models['games']!.generations[1])
    expect(state.retiredVersions).toEqual(['itemcf'])
  })

  test('a retired id is refused, for good', () => {
    const gone = liveStudio({ games }).to({ games: without })
    const later = gone.to({ games: { ...without, versions: ['popular', 'als'] } })
    for (const live of [gone, later])
      expect(faultsOf(live, { games })).toEqual([
        'models.games.versions[1]: "itemcf" was deleted once, and an id is never used again',
      ])
    expect(later.state.models['games']?.retiredVersions).toEqual(['itemcf'])
  })

  test('an id retired in one model is free in another', () => {
    const live = liveStudio({ games, offers: games }).to({ games: without, offers: games })
    expect(live.state.models['offers']?.retiredVersions).toEqual([])
  })
})

test('a new document resets no count of erasures', () => {
  const live = liveStudio({ games })
  const erased = { ...live, state: { ...live.state, erasures: 3 } }
  const { state } = planDocument(erased, documentWith({ games, offers: games }), () => 'salt')
  expect(state.erasures).toBe(3)
})

describe('models', () => {
  test('a removed one keeps its state, its generations become previous, its id is retired', () => {
    const live = liveStudio({ games, offers: games }).with('games', { 4: { version: 'popular' } })
    const next = live.to({ offers: games })
    expect(next.what).toEqual([
      expect.stringMatching(/^- models\.games: \{/),
      "models.games: model games is deleted: its tables are collected, and its id can't come back",
    ])
    expect(next.state.retiredModels).toEqual(['games'])
    expect(next.state.models['games']).toMatchObject({
      salt: live.state.models['games']?.salt,
      generations: { 4: { version: 'popular', state: 'previous' } },
    })
    expect(next.state.models['offers']).toEqual(live.state.models['offers'])
    expect(faultsOf(next, { offers: games, games })).toEqual([
      'models.games: was deleted once, and an id is never used again; take another',
    ])
    expect(next.to({ offers: games }).what).toEqual([])
    expect(next.to({}).state.retiredModels).toEqual(['games', 'offers'])
  })
})

describe('record schemas', () => {
  const grown = { ...games.record, extra: { type: 'bool', optional: true, since: 2 } }

  test('growth is accepted, and the newest schema is the state’s', () => {
    const live = liveStudio({ games }).with('games', { 1: { version: 'popular' } })
    const next = live.to({ games: { ...games, record: grown } })
    expect(next.what).toEqual([expect.stringMatching(/^\+ models\.games\.record\.extra: /)])
    expect(next.state.models['games']?.record).toEqual(grown)
    expect(next.state.models['games']?.generations).toEqual(live.state.models['games']?.generations)
  })

  test.each<[string, Record<string, unknown>, string]>([
    [
      'a field that is gone',
      games.record,
      'models.games.record.extra: is gone; packed records have its bits, so it must stay',
    ],
    [
      'a field that changed',
      { ...grown, games: { ...games.record.games, maxItems: 4 } },
      'models.games.record.games.maxItems: was 3 and must stay so; add a new field instead',
    ],
    [
      'a field without since',
      { ...grown, more: { type: 'bool', optional: true, since: 2 } },
      'models.games.record.more.since: a new field needs since: 3 or more, because records of revision 2 lack it',
    ],
  ])('%s is refused with its path', (_, record, fault) => {
    const live = liveStudio({ games: { ...games, record: grown } })
    expect(faultsOf(live, { games: { ...games, record } })).toEqual([fault])
  })

  test('it is the state that counts: a restored older document does not shrink the schema', () => {
    const live = liveStudio({ games: { ...games, record: grown } })
    const restored = { ...live, document: documentWith({ games }) }
    expect(planDocument(restored, documentWith({ games }), noSalt).faults).toHaveLength(1)
  })
})

describe('row keys', () => {
  const twoParts = { ...games, key: [...games.key, { query: 'page', uint: { max: 3 } }] }

  test('another number of parts is refused once something is published', () => {
    const live = liveStudio({ games }).with('games', { 1: { version: 'popular' } })
    expect(faultsOf(live, { games: twoParts })).toEqual([
      "models.games.key: is (claim sub → player_id, query page → page) and the published tables' is " +
        '(claim sub → player_id); make a new model for another row key',
    ])
    expect(faultsOf(liveStudio({ games }), { games: twoParts })).toEqual([])
  })

  test('a part may change its claim or its column, not both, nor its place', () => {
    const live = liveStudio({ games }).with('games', { 1: { version: 'popular' } })
    const faultsWith = (key: unknown[]) => faultsOf(live, { games: { ...games, key } })
    expect(faultsWith([{ claim: 'player', column: 'player_id' }])).toEqual([])
    expect(faultsWith([{ claim: 'sub', column: 'id' }])).toEqual([])
    expect(faultsWith([{ claim: 'player', column: 'id' }])).toHaveLength(1)

    const two = liveStudio({ games: twoParts }).with('games', { 1: { version: 'popular' } })
    const swapped = { ...twoParts, key: twoParts.key.toReversed() }
    expect(faultsOf(two, { games: swapped })).toHaveLength(1)
  })
})

test('overrides are told unit by unit', () => {
  const live = liveStudio({ games: { ...games, overrides: { itemcf: ['a', 'b'] } } })
  const next = live.to({ games: { ...games, overrides: { itemcf: ['a', 'c'], popular: ['d'] } } })
  expect(next.what).toEqual([
    '- models.games.overrides.itemcf.b: true',
    '+ models.games.overrides.itemcf.c: true',
    '+ models.games.overrides.popular: {"d":true}',
  ])
  expect(next.state).toEqual(live.state)
  expect(next.to({ games }).what).toEqual([expect.stringMatching(/^- models\.games\.overrides: /)])
})

test('all faults come at once, and a state comes with them that nobody may write', () => {
  const live = liveStudio({
    games: { ...games, record: { ...games.record, extra: { type: 'bool', optional: true } } },
  })
    .with('games', { 1: { version: 'popular' } })
    .to({
      games: {
        ...games,
        record: { ...games.record, extra: { type: 'bool', optional: true } },
        versions: ['popular', 'als'],
        weights: { popular: 100 },
      },
    })
  const key = [...games.key, { query: 'page', uint: { max: 3 } }]
  const paths = planDocument(live, documentWith({ games: { ...games, key } }), noSalt).faults.map(
    ({ path }) => path,
  )
  expect(paths).toEqual([
    'models.games.record.extra',
    'models.games.versions[1]',
    'models.games.key',
    'models.games.weights.itemcf',
  ])
})

test('through any changes, salts stay, slots follow the weights and no model touches another', () => {
  const versions = ['a', 'b', 'constructor', 'd']
  const weights = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 4, maxLength: 4 }).map((parts) => {
    const sum = parts.reduce((total, part) => total + part, 0)
    const points = parts.map((part) => (sum === 0 ? 0 : Math.floor((part * 10_000) / sum)))
    points[0]! += 10_000 - points.reduce((total, point) => total + point, 0)
    return Object.fromEntries(versions.map((id, index) => [id, points[index]! / 100]))
  })
  fc.assert(
    fc.property(fc.array(weights, { minLength: 1, maxLength: 5 }), (changes) => {
      const model = { ...games, versions, control: 'a', weights: { a: 100 } }
      const first = liveStudio({ games: model, other: games })
      let live = first
      for (const next of changes) {
        const before = ownersOf(live)
        live = live.to({ other: games, games: { ...model, weights: next } })
        const after = ownersOf(live)
        const wanted = Object.entries(next).flatMap(([id, percent]) =>
          percent > 0 ? [[id, Math.round(percent * 100)]] : [],
        )
        expect(shares(after)).toEqual(Object.fromEntries(wanted))
        const moved = before.filter((owner, slot) => owner !== after[slot]).length
        const told = live.what.find((line) => line.endsWith('slots move'))
        expect(told ?? 'models.games: 0 of 10000 slots move').toBe(
          `models.games: ${moved} of 10000 slots move`,
        )
      }
      expect(live.state.models['games']?.salt).toBe(first.state.models['games']?.salt)
      expect(live.state.models['other']).toEqual(first.state.models['other'])
    }),
    { numRuns: 40 },
  )
})
