import { CircuitState, type IBreaker } from 'cockatiel'
import { beforeEach, expect, test, vi } from 'vitest'
import { createOutcomeWindow } from '../../../src/redis/outcome-window.ts'

let nowMs: number
let window: IBreaker

beforeEach(() => {
  // Anywhere in a part of the window.
  nowMs = 12_345_678.9
  window = createOutcomeWindow(() => nowMs)
})

/** Whether the last of so many failures opens. */
function fail(count: number, everyMs = 0): boolean {
  let opens = false
  for (let index = 0; index < count; index++) {
    opens = window.failure(CircuitState.Closed)
    nowMs += everyMs
  }
  return opens
}

function succeed(count: number, everyMs = 0): void {
  for (let index = 0; index < count; index++) {
    window.success(CircuitState.Closed)
    nowMs += everyMs
  }
}

test('five failures open, and four don’t', () => {
  expect(fail(4)).toBe(false)
  expect(fail(1)).toBe(true)
})

test('five failures within a second open, also 200 ms apart; more than a second apart in all they don’t', () => {
  expect(fail(5, 200)).toBe(true)
  nowMs += 2_000
  expect(fail(100, 251)).toBe(false)
})

test('half of the outcomes don’t open, one more does', () => {
  succeed(10)
  expect(fail(10)).toBe(false)
  expect(fail(1)).toBe(true)
})

test('failures from before a quiet time don’t count', () => {
  expect(fail(4)).toBe(false)
  nowMs += 600_000
  expect(fail(4)).toBe(false)
  nowMs += 1_000
  expect(fail(4)).toBe(false)
})

test('successes from before a quiet time outvote nobody', () => {
  succeed(1_000)
  nowMs += 1_000
  expect(fail(5)).toBe(true)
})

test('what was a second ago leaves by and by, not the whole window at once', () => {
  succeed(100, 10)
  expect(fail(45, 10)).toBe(false)
  expect(fail(15, 10)).toBe(true)
})

test('the wall clock has no say', () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    succeed(1_000)
    vi.setSystemTime(Date.now() - 3_600_000)
    nowMs += 1_000
    expect(fail(5)).toBe(true)
    nowMs += 1_000
    vi.setSystemTime(Date.now() + 7_200_000)
    expect(fail(4)).toBe(false)
    expect(fail(1)).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})

test('an answered probe is all that counts from then on; one that failed opens again', () => {
  fail(100)
  window.success(CircuitState.HalfOpen)
  expect(fail(3)).toBe(false)
  expect(fail(1)).toBe(true)
  nowMs += 10_000
  expect(window.failure(CircuitState.HalfOpen)).toBe(true)
})
