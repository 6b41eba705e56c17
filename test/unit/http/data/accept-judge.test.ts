import { expect, test } from 'vitest'
import { type AcceptSample, createAcceptJudge } from '../../../../src/http/data/accept-queue.ts'

const calm: AcceptSample = { requests: 100, meanWaitMs: 20, accepted: 10, abandoned: 0, utilization: 0.9 }

function judged(...samples: readonly Partial<AcceptSample>[]): boolean[] {
  const isStale = createAcceptJudge(150)
  return samples.map((sample) => isStale({ ...calm, ...sample }))
}

test.each<[string, Partial<AcceptSample>]>([
  ['requests wait too long', { meanWaitMs: 151 }],
  ['half of the connections had been left', { accepted: 20, abandoned: 10 }],
])('where %s the queue is stale, from the second sample in a row on', (_, bad) => {
  expect(judged(bad, bad, bad, calm, bad, calm)).toEqual([false, true, true, false, false, false])
})

test('one reason may follow the other', () => {
  expect(judged({ meanWaitMs: 151 }, { accepted: 8, abandoned: 8 })).toEqual([false, true])
})

test.each<[string, Partial<AcceptSample>]>([
  ['at its bound', { meanWaitMs: 150 }],
  ['where few were left', { accepted: 7, abandoned: 7 }],
  ['where more were served than left', { accepted: 21, abandoned: 10 }],
  ['where clients leave a process that has time', { accepted: 20, abandoned: 20, utilization: 0.5 }],
])('%s it is not', (_, sample) => {
  expect(judged(sample, sample, sample)).toEqual([false, false, false])
})
