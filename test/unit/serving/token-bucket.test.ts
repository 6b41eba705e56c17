import { expect, test } from 'vitest'
import { TokenBucket } from '../../../src/serving/token-bucket.ts'

/** How many can be taken at once. */
function drain(bucket: TokenBucket, nowMs: number): number {
  let taken = 0
  while (taken < 1_000 && bucket.take(nowMs)) taken++
  return taken
}

test('gives its burst at once, then what comes back with time, never more than the burst', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 1_000)
  expect(drain(bucket, 1_000)).toBe(5)
  expect(drain(bucket, 1_099)).toBe(0)
  expect(drain(bucket, 1_100)).toBe(1)
  expect(drain(bucket, 1_350)).toBe(2)
  // Half a token was left over.
  expect(drain(bucket, 1_400)).toBe(1)
  expect(drain(bucket, 100_000)).toBe(5)
})

test('whoever is refused loses nothing by it', () => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 0)
  expect(bucket.take(0)).toBe(true)
  for (let nowMs = 0; nowMs < 1_000; nowMs += 125) expect(bucket.take(nowMs)).toBe(false)
  expect(bucket.take(1_000)).toBe(true)
})

test('gives several at once, or none of them', () => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 5 }, 0)
  expect(bucket.take(0, 6)).toBe(false)
  expect(bucket.take(0, 3)).toBe(true)
  expect(bucket.take(0, 3)).toBe(false)
  expect(bucket.take(1_000, 3)).toBe(true)
  expect(drain(bucket, 1_000)).toBe(0)
  expect(bucket.burst).toBe(5)
})

test('less than one a second comes back, too', () => {
  const bucket = new TokenBucket({ perSecond: 0.25, burst: 1 }, 0)
  expect(drain(bucket, 0)).toBe(1)
  expect(drain(bucket, 3_999)).toBe(0)
  expect(drain(bucket, 4_000)).toBe(1)
})

test.each([
  ['half as large', 0, 4, 4],
  ['twice as large', 0, 16, 16],
  ['half as large, half spent', 4, 4, 2],
  ['twice as large, half spent', 4, 16, 8],
  ['larger, all spent', 8, 1_000, 0],
])('one that becomes %s is as full as before', (_, spent, burst, left) => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 8 }, 0)
  for (let taken = 0; taken < spent; taken++) bucket.take(0)
  bucket.reshape({ perSecond: 1, burst }, 0)
  expect(drain(bucket, 0)).toBe(left)
})

test('what came back before a change came back at the old rate', () => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 8 }, 0)
  expect(drain(bucket, 0)).toBe(8)
  bucket.reshape({ perSecond: 4, burst: 8 }, 2_000)
  expect(drain(bucket, 3_000)).toBe(6)
})
