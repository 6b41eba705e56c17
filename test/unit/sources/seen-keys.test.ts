import { expect, test } from 'vitest'
import { createSeenKeys } from '../../../src/sources/seen-keys.ts'

test('never takes a key that came before for a new one, and seldom a new one for such', () => {
  const seen = createSeenKeys()
  const keys = Array.from({ length: 200_000 }, (_, index) => `player:${index * 7}`)
  const mistaken = keys.filter((key) => seen.mayHave(key)).length
  expect(mistaken).toBeLessThan(5)
  expect(keys.every((key) => seen.mayHave(key))).toBe(true)
})

test('where it is too small, only takes more new keys for old ones', () => {
  const seen = createSeenKeys(128)
  const keys = Array.from({ length: 2_000 }, (_, index) => `player:プ${index}`)
  for (const key of keys) seen.mayHave(key)
  expect(keys.every((key) => seen.mayHave(key))).toBe(true)
})
