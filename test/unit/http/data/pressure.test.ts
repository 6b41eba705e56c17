import { expect, test } from 'vitest'
import { createPressureJudge, type PressureSample } from '../../../../src/http/data/pressure.ts'

const calm: PressureSample = {
  eventLoopDelay: 5,
  eventLoopUtilized: 0.5,
  heapUsed: 1_000,
  elapsedMs: 500,
}

function judged(...samples: readonly Partial<PressureSample>[]): boolean[] {
  const judge = createPressureJudge({
    eventLoopDelayMsMax: 100,
    eventLoopUtilizationMax: 0.9,
    heapBytesMax: 2_000,
  })
  return samples.map((sample) => judge({ ...calm, ...sample }))
}

test.each<[string, Partial<PressureSample>]>([
  ['delay', { eventLoopDelay: 101 }],
  ['a delay that could not be measured', { eventLoopDelay: Number.POSITIVE_INFINITY }],
  ['utilisation', { eventLoopUtilized: 0.91 }],
  ['heap', { heapUsed: 2_001 }],
])('%s is too much from the second sample in a row on, until it is over', (_, bad) => {
  expect(judged(bad, bad, bad, calm, bad, calm)).toEqual([false, true, true, false, false, false])
})

test('a delay that could not be measured is no longer than the time since the sample before', () => {
  const unmeasured = { eventLoopDelay: Number.POSITIVE_INFINITY, elapsedMs: 100 }
  expect(judged(unmeasured, unmeasured, unmeasured)).toEqual([false, false, false])
})

test('what lasts may be one thing after another', () => {
  expect(judged({ heapUsed: 2_001 }, { eventLoopDelay: 101 })).toEqual([false, true])
})

test('at its bounds nothing is too much', () => {
  const full = { eventLoopDelay: 100, eventLoopUtilized: 0.9, heapUsed: 2_000 }
  expect(judged(full, full)).toEqual([false, false])
})
