import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import { createPace } from '../../../src/tables/pace.ts'

function usualPace() {
  const pace = createPace()
  for (let trip = 0; trip < 10; trip++) pace.restAfter(200, 10)
  return pace
}

describe('the pace of a writer', () => {
  it('is not held up where every trip takes about as long', () => {
    const pace = createPace()
    expect([10, 14, 25, 11].map((tookMs) => pace.restAfter(200, tookMs))).toEqual([0, 0, 0, 0])
  })

  it('rests longer with each slow trip in a row, and no longer than its bound', () => {
    const pace = usualPace()
    const rests = Array.from({ length: 6 }, () => pace.restAfter(200, 100))
    expect(rests).toEqual([100, 200, 400, 800, 800, 800])
    expect(pace.restAfter(200, 5_000)).toBe(limits.writerRestMsMax)
  })

  it('goes on as before once Redis does', () => {
    const pace = usualPace()
    expect(pace.restAfter(200, 100)).toBe(100)
    expect(pace.restAfter(200, 12)).toBe(0)
    expect(pace.restAfter(200, 100)).toBe(100)
  })

  it('goes by buckets: a short trip that took as long as a long one is slow', () => {
    expect(usualPace().restAfter(20, 30)).toBe(30)
  })

  it('takes what stays slow for what is usual after some time', () => {
    const pace = usualPace()
    const rests = Array.from({ length: 300 }, () => pace.restAfter(200, 60))
    expect(rests[0]).toBe(60)
    expect(rests.at(-1)).toBe(0)
  })
})
