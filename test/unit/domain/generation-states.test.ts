import { describe, expect, test } from 'vitest'
import { moveGeneration, withTimesOfLeaving } from '../../../src/domain/generation-moves.ts'
import {
  catalogStates,
  type GenerationStateName,
  generationStates,
  manifestStates,
  mayBecome,
} from '../../../src/domain/generation-states.ts'
import { type GenerationState, tenantState } from '../../../src/domain/tenant-state.ts'
import { games, liveStudio } from '../catalog/studio-document.ts'

const names = Object.keys(generationStates) as GenerationStateName[]
const at = '2026-08-01T12:00:00.000Z'

/** A generation in some state, as a state file has it. */
function entryOf(state: GenerationState['state'], more: Partial<GenerationState> = {}): GenerationState {
  const live = liveStudio({ games }).with('games', { 1: { version: 'popular', state, ...more } })
  return live.state.models['games']!.generations[1]!
}

describe('the table of states', () => {
  test('leads from loading to every state, and to its end from every state', () => {
    const reach = (from: GenerationStateName, seen = new Set<GenerationStateName>()) => {
      for (const next of generationStates[from])
        if (!seen.has(next)) {
          seen.add(next)
          reach(next, seen)
        }
      return seen
    }
    expect([...reach('loading'), 'loading'].sort()).toEqual([...names].sort())
    for (const name of names.filter((each) => each !== 'collected'))
      expect(reach(name)).toContain('collected')
  })

  test('lets nothing that is served, or was collected, go', () => {
    expect(mayBecome('active', 'collecting')).toBe(false)
    expect(mayBecome('collecting', 'active')).toBe(false)
    expect(mayBecome('collected', 'active')).toBe(false)
    expect(mayBecome('failed', 'active')).toBe(false)
  })

  test('is told by manifest or catalog, and every step of the catalog’s is taken as it says', () => {
    expect(new Set([...manifestStates, ...catalogStates])).toEqual(new Set(names))
    for (const from of catalogStates)
      for (const to of catalogStates) {
        const move = () => moveGeneration(entryOf(from), to, at)
        if (mayBecome(from, to)) expect(move()).toMatchObject({ state: to })
        else expect(move, `${from} → ${to}`).toThrow(`a generation that is ${from} can't become ${to}`)
      }
  })
})

describe('a move', () => {
  test('stamps when it became active first, and when it ceased to be', () => {
    const loaded = entryOf('loaded', { activatedAt: null })
    const active = moveGeneration(loaded, 'active', at)
    expect(active).toMatchObject({ activatedAt: at, lastActiveAt: null })
    const previous = moveGeneration(active, 'previous', '2026-08-02T12:00:00.000Z')
    expect(previous).toMatchObject({ activatedAt: at, lastActiveAt: '2026-08-02T12:00:00.000Z' })
    const again = moveGeneration(previous, 'active', '2026-08-03T12:00:00.000Z')
    expect(again).toMatchObject({ activatedAt: at, lastActiveAt: null })
    const quarantined = moveGeneration(again, 'quarantined', '2026-08-04T12:00:00.000Z')
    expect(quarantined).toMatchObject({
      lastActiveAt: '2026-08-04T12:00:00.000Z',
      quarantinedAt: '2026-08-04T12:00:00.000Z',
    })
    expect(moveGeneration(quarantined, 'active', at).quarantinedAt).toBeNull()
  })

  test('to its end keeps what content it was, and drops what nothing is compared with any more', () => {
    const statistics = { means: { score: 1 }, shares: {} }
    const collecting = entryOf('collecting', { statistics, quarantinedAt: at })
    expect(moveGeneration(collecting, 'collected', at)).toMatchObject({
      collectedAt: at,
      quarantinedAt: at,
      contentHash: collecting.contentHash,
      statistics: { means: {}, shares: {} },
    })
  })
})

test('what a document made previous was active until that change', () => {
  const live = liveStudio({ games }).with('games', {
    1: { version: 'popular', state: 'previous', lastActiveAt: '2026-07-01T00:00:00Z' },
    2: { version: 'itemcf', state: 'previous', lastActiveAt: null },
    3: { version: 'popular', state: 'loaded', lastActiveAt: null },
  })
  const { generations } = withTimesOfLeaving(live.state, at).models['games']!
  expect(Object.values(generations).map(({ lastActiveAt }) => lastActiveAt)).toEqual([
    '2026-07-01T00:00:00Z',
    at,
    null,
  ])
  const settled = withTimesOfLeaving(withTimesOfLeaving(live.state, at), '2026-09-01T00:00:00Z')
  expect(settled.models['games']!.generations[2]!.lastActiveAt).toBe(at)
})

test('a state that is unknown, or a time that is missing, is told with its path', () => {
  const { state } = liveStudio({ games }).with('games', { 4: { version: 'popular' } })
  const broken = JSON.parse(JSON.stringify(state))
  broken.models.games.generations[4].state = 'warming'
  delete broken.models.games.generations[4].lastActiveAt
  const parsed = tenantState.safeParse(broken)
  expect(parsed.error?.issues.map(({ path }) => path.join('.')).sort()).toEqual([
    'models.games.generations.4.lastActiveAt',
    'models.games.generations.4.state',
  ])
})
