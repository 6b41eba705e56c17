import { describe, expect, test } from 'vitest'
import { joinRowKey } from '../../../src/domain/row-key.ts'
import {
  compileSuppressions,
  type IsSuppressed,
  suppressionEntries,
  suppressionHash,
} from '../../../src/tables/suppressions.ts'

const salt = 'a salt'

function suppress(units: readonly string[], modelIds: readonly string[] | null = null) {
  return new Set(units.flatMap((unit) => suppressionEntries(suppressionHash(salt, unit), modelIds)))
}

/** Asked in the midst of other bytes, as rows lie in a chunk. */
function isOut(isSuppressed: IsSuppressed | null, ...values: readonly string[]): boolean {
  const data = Buffer.from(`\0>${joinRowKey(values)}\0<`)
  return isSuppressed?.(data, 2, data.length - 2) ?? false
}

describe('the hash of an erased unit', () => {
  // Pinned: under these hashes a fleet's erasures are remembered.
  test.each([
    ['a salt', 'player-1', 'A5rT5I0J7rZRh31-fvSatChU8gI'],
    ['another', 'player-1', 'Qbs0vVcRIBWvXO5mLQnZjJ-Y2xQ'],
    ['a salt', 'プレイヤー42', 'MZclEcJmw-pdz3oWqP8e9wNo_1g'],
  ])('of salt %j and unit %j stays as it is', (ofSalt, unit, hash) => {
    expect(suppressionHash(ofSalt, unit)).toBe(hash)
  })

  test('holds nothing of the unit', () => {
    const hash = suppressionHash(salt, 'player-1')
    expect(hash).toMatch(/^[A-Za-z0-9_-]{27}$/)
    expect(Buffer.from(hash, 'base64url').includes('player')).toBe(false)
  })
})

describe('suppressions', () => {
  const units = ['player-1', '5250', 'プレイヤー42', 'x'.repeat(200), '0b6a8a8e-58a6-4d3a-9c52-6c3b8f7f2a11']

  test('leave out exactly the units that were erased', () => {
    const isSuppressed = compileSuppressions({ salt, entries: suppress(units) }, 'games', 0)
    for (const unit of units) expect(isOut(isSuppressed, unit), unit).toBe(true)
    for (let index = 0; index < 20_000; index++) expect(isOut(isSuppressed, `other-${index}`)).toBe(false)
    for (const near of ['player-', 'player-11', 'PLAYER-1', '525', '05250'])
      expect(isOut(isSuppressed, near)).toBe(false)
  })

  test('look at the part of the row key that names the unit, and at no other', () => {
    for (const [part, ...keys] of [
      [0, ['5250', 'DE'], ['DE', '5250']],
      [1, ['DE', '5250'], ['5250', 'DE']],
    ] as const) {
      const isSuppressed = compileSuppressions({ salt, entries: suppress(['5250']) }, 'games', part)
      expect(keys.map((key) => isOut(isSuppressed, ...key))).toEqual([true, false])
    }
    const middle = compileSuppressions({ salt, entries: suppress(['b']) }, 'games', 1)
    expect([isOut(middle, 'a', 'b', 'c'), isOut(middle, 'b', 'a', 'b')]).toEqual([true, false])
  })

  test('hold for the models that they name, or for all', () => {
    const some = {
      salt,
      entries: new Set([...suppress(['1'], ['games']), ...suppress(['2'], ['offers', 'games'])]),
    }
    const outOf = (modelId: string) =>
      ['1', '2', '3'].filter((unit) => isOut(compileSuppressions(some, modelId, 0), unit))
    expect([outOf('games'), outOf('offers')]).toEqual([['1', '2'], ['2']])
    expect(compileSuppressions(some, 'others', 0)).toBeNull()
    expect(isOut(compileSuppressions({ salt, entries: suppress(['1']) }, 'others', 0), '1')).toBe(true)
  })

  test('are not met by a unit whose short hash alone agrees', () => {
    const [entry = ''] = suppress(['player-1'])
    const bytes = Buffer.from(entry.slice(1), 'base64url')
    bytes[bytes.length - 1]! ^= 1
    const entries = new Set([`:${bytes.toString('base64url')}`])
    expect(isOut(compileSuppressions({ salt, entries }, 'games', 0), 'player-1')).toBe(false)
  })

  test('that no recgate wrote leave out nobody', () => {
    const entries = new Set(['nonsense', ':', 'games:AAAA', `games:${'A'.repeat(40)}`])
    expect(compileSuppressions({ salt, entries }, 'games', 0)).toBeNull()
  })
})
