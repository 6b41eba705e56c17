import { beforeEach, expect, test } from 'vitest'
import { createTurningClock, type TurningClock } from '../../../src/redis/turning-clock.ts'

let nowMs: number
let clock: TurningClock

beforeEach(() => {
  nowMs = 1_000
  clock = createTurningClock(() => nowMs)
})

/** How long it says that something took, which really takes so long. */
function measured(tookMs: number, meanwhile: () => void = () => undefined): number {
  const startedAt = clock.now()
  nowMs += tookMs
  meanwhile()
  return clock.now() - startedAt
}

test('time runs while no timer is due', () => {
  expect(measured(70)).toBe(70)
  clock.expect(nowMs + 100)
  expect(measured(100)).toBe(100)
})

test('it stands still while a timer is due and doesn’t fire, once that is later than usual', () => {
  clock.expect(nowMs + 5)
  expect(measured(10)).toBe(10)
  expect(measured(90)).toBe(0)
  expect(measured(20)).toBe(0)
})

test('what a timer was later than usual stays out once it has fired', () => {
  clock.expect(nowMs + 5)
  expect(measured(95, clock.fired)).toBe(10)
  expect(measured(30)).toBe(30)
  clock.expect(nowMs + 5)
  expect(measured(8, clock.fired)).toBe(8)
})
