import { expect, test } from 'vitest'
import { type AcceptSample, createAcceptJudge } from '../../../../src/http/data/accept-queue.ts'

const calm: AcceptSample = { meanWaitMs: 20, acceptWaitMs: 20 }

function judged(...samples: readonly Partial<AcceptSample>[]): boolean[] {
  const isStale = createAcceptJudge(150)
  return samples.map((sample) => isStale({ ...calm, ...sample }))
}

test.each<[string, Partial<AcceptSample>]>([
  ['requests wait too long for their turn', { meanWaitMs: 151 }],
  ['newcomers wait too long to be taken', { acceptWaitMs: 151 }],
])('where %s the queue is stale, from the second sample in a row on', (_, bad) => {
  expect(judged(bad, bad, bad, calm, bad, calm)).toEqual([false, true, true, false, false, false])
})

test('one reason may follow the other', () => {
  expect(judged({ meanWaitMs: 151 }, { acceptWaitMs: 151 })).toEqual([false, true])
})

test('at its bound it is not', () => {
  const full = { meanWaitMs: 150, acceptWaitMs: 150 }
  expect(judged(full, full, full)).toEqual([false, false, false])
})
