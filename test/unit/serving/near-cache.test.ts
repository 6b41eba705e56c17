import { describe, expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import type { Snapshot } from '../../../src/domain/snapshot.ts'
import { bytesOf, createNearCache, type NearCache } from '../../../src/serving/near-cache.ts'
import { compiledTenant } from './model.ts'

const record = (text: string) => Buffer.from(text)
const sizeOf = (key: string, text: string) => limits.nearCacheEntryBytes + key.length + text.length

function copiesOf(cache: NearCache, id: string, erasures = 0) {
  const copies = cache.copiesOf({ id, erasures })
  return {
    ...copies,
    keepAll: (keys: readonly string[]) => {
      for (const key of keys) copies.keep(key, record('record'), 0)
    },
    text: (key: string) => {
      const copy = copies.find(key)
      return copy === undefined ? null : Buffer.from(bytesOf(copy)).toString()
    },
    held: (keys: readonly string[]) => keys.filter((key) => copies.find(key) !== undefined),
  }
}

function snapshotOf(...tenants: readonly [id: string, erasures: number][]): Snapshot {
  const compiled = tenants.map(([id, erasures]) => [id, compiledTenant({ id, erasures })] as const)
  return { tenants: new Map(compiled), issuers: new Map(), incomplete: false }
}

const keys = (count: number, prefix = 'row') =>
  Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(4, '0')}`)
const entryBytes = sizeOf('row-0000', 'record')

/** More than the bound gives up at a time for `count` copies. */
const boundFor = (count: number) => Math.ceil((count * entryBytes) / (1 - 1 / 1024))

describe('copies', () => {
  test('come back byte for byte, also where the bytes they were made from change', () => {
    const { keep, find } = copiesOf(createNearCache(1_000_000), 'studio')
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const within = new Uint8Array(1_000)
    within.set(bytes, 300)
    keep('all', within.subarray(300, 556), 5.7)
    keep('none', new Uint8Array(0), 5)
    within.fill(0)
    expect(Uint8Array.from(bytesOf(find('all')!))).toEqual(bytes)
    expect(find('all')!.keptAt).toBe(5)
    expect(bytesOf(find('none')!)).toHaveLength(0)
    expect(find('other')).toBeUndefined()
  })

  test('are replaced by newer ones, of whatever length, and counted once', () => {
    const cache = createNearCache(1_000_000)
    const { keep, text, find } = copiesOf(cache, 'studio')
    for (const [at, next] of ['first', 'other', 'a longer one', ''].entries()) {
      keep('row', record(next), at)
      expect(text('row')).toBe(next)
      expect(find('row')!.keptAt).toBe(at)
      expect(cache.counts().get('studio')).toMatchObject({ entries: 1, bytes: sizeOf('row', next) })
    }
  })

  test('of one tenant are not found by another, nor dropped with its own', () => {
    const cache = createNearCache(1_000_000)
    const [one, two] = [copiesOf(cache, 'one'), copiesOf(cache, 'two')]
    one.keep('row', record('of one'), 0)
    expect(two.find('row')).toBeUndefined()
    two.keep('row', record('of two'), 0)
    expect([one.text('row'), two.text('row')]).toEqual(['of one', 'of two'])
    two.drop('row')
    expect([one.text('row'), two.text('row')]).toEqual(['of one', null])
  })

  test('of keys beyond Latin-1 count two bytes a character', () => {
    const cache = createNearCache(1_000_000)
    copiesOf(cache, 'studio').keep('プレイヤー', record('ab'), 0)
    expect(cache.counts().get('studio')?.bytes).toBe(limits.nearCacheEntryBytes + 10 + 2)
  })
})

describe('the bound', () => {
  test('holds, and what was used longest ago makes room', () => {
    const cache = createNearCache(boundFor(100))
    const { keepAll, held, find } = copiesOf(cache, 'studio')
    keepAll(keys(100))
    expect(held(keys(100))).toHaveLength(100)
    for (const key of keys(50)) find(key)
    keepAll(keys(30, 'new'))
    expect(held(keys(50))).toEqual(keys(50))
    expect(held(keys(30, 'new'))).toEqual(keys(30, 'new'))
    expect(held(keys(100))).toHaveLength(70)
    const { bytes, evicted } = cache.counts().get('studio')!
    expect(bytes).toBeLessThanOrEqual(boundFor(100))
    expect(evicted).toBe(30)
  })

  test('is that of all tenants: the one that has most makes room, and none falls below its equal part', () => {
    const cache = createNearCache(boundFor(100))
    const [small, large, flood] = [
      copiesOf(cache, 'small'),
      copiesOf(cache, 'large'),
      copiesOf(cache, 'flood'),
    ]
    small.keepAll(keys(10))
    large.keepAll(keys(90))
    // Alone with a small one, it had what that left; a third takes its part of it, and no more however much it brings.
    flood.keepAll(keys(2_000))
    expect(small.held(keys(10))).toHaveLength(10)
    expect(large.held(keys(90)).length).toBeGreaterThanOrEqual(44)
    expect(flood.held(keys(2_000)).length).toBeGreaterThanOrEqual(44)
    const counts = [...cache.counts().values()]
    expect(counts.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(boundFor(100))
    expect(cache.counts().get('small')?.evicted).toBe(0)
  })

  test.each([0, entryBytes - 1])('of %i bytes keeps nothing that is larger', (bytesMax) => {
    const cache = createNearCache(bytesMax)
    const { keepAll, held } = copiesOf(cache, 'studio')
    keepAll(keys(3))
    expect(held(keys(3))).toEqual([])
    expect(cache.counts().get('studio')).toMatchObject({ entries: 0, bytes: 0 })
  })
})

describe('a swap of the snapshot', () => {
  test('after an erasure leaves nothing of that tenant, and what was under way is not kept', () => {
    const cache = createNearCache(1_000_000)
    cache.follow(snapshotOf(['studio', 0], ['other', 3]))
    const [before, other] = [copiesOf(cache, 'studio', 0), copiesOf(cache, 'other', 3)]
    before.keepAll(keys(5))
    before.answered('stale')
    other.keepAll(keys(5))
    cache.follow(snapshotOf(['studio', 1], ['other', 3]))
    const after = copiesOf(cache, 'studio', 1)
    before.keepAll(keys(5))
    expect([before.held(keys(5)), after.held(keys(5))]).toEqual([[], []])
    expect(other.held(keys(5))).toHaveLength(5)
    // Counters go on.
    expect(cache.counts().get('studio')).toEqual({ entries: 0, bytes: 0, fresh: 0, stale: 1, evicted: 0 })
    after.keepAll(keys(5))
    expect(after.held(keys(5))).toHaveLength(5)
    // A catalog that was restored from before the erasure is another one, too.
    cache.follow(snapshotOf(['studio', 0], ['other', 3]))
    expect(copiesOf(cache, 'studio', 0).held(keys(5))).toEqual([])
  })

  test('without the tenant gives up its copies; their bytes are free again', () => {
    const cache = createNearCache(boundFor(10))
    const gone = copiesOf(cache, 'gone')
    gone.keepAll(keys(10))
    cache.follow(snapshotOf(['studio', 0]))
    expect(gone.held(keys(10))).toEqual([])
    expect(cache.counts()).toEqual(new Map())
    const { keepAll, held } = copiesOf(cache, 'studio')
    keepAll(keys(10))
    expect(held(keys(10))).toHaveLength(10)
  })

  test('that changes other things leaves them', () => {
    const cache = createNearCache(1_000_000)
    const { keepAll, held } = copiesOf(cache, 'studio', 2)
    keepAll(keys(5))
    cache.follow(snapshotOf(['studio', 2], ['new', 0]))
    expect(held(keys(5))).toHaveLength(5)
  })
})
