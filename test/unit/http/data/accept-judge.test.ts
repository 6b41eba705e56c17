import { describe, expect, test } from 'vitest'
import { limits } from '../../../../src/domain/limits.ts'
import {
  type AcceptSample,
  type AcceptVerdict,
  createAcceptJudge,
} from '../../../../src/http/data/accept-queue.ts'

const calm = { meanWaitMs: 20, acceptWaitMs: 20 }
const late = { ...calm, meanWaitMs: 151 }
const long = { ...calm, acceptWaitMs: 151 }
type Waits = Omit<AcceptSample, 'at'>

/** Of samples a tenth of a second apart, those at which the queue is emptied. */
function emptiedAt(...samples: readonly Waits[]): number[] {
  return verdicts(...samples).flatMap(({ emptiesQueue }, index) => (emptiesQueue ? [index] : []))
}

function verdicts(...samples: readonly Waits[]): AcceptVerdict[] {
  const judge = createAcceptJudge(150)
  return samples.map((sample, index) => judge({ ...sample, at: index * 100 }))
}

/** Samples after which it has lasted. */
const lasting = limits.acceptStaleMs / 100

const times = (count: number, sample: Waits): Waits[] => Array.from({ length: count }, () => sample)

describe.each([
  ['requests wait too long for their turn', late],
  ['newcomers wait too long to be taken', long],
])('where %s', (_, bad) => {
  test('the queue is emptied when it has lasted, and not before', () => {
    expect(emptiedAt(...times(lasting, bad), calm, ...times(lasting, bad))).toEqual([])
    expect(emptiedAt(...times(lasting + 1, bad))).toEqual([lasting])
  })

  test('it is emptied by two samples in a row while the overload lasts', () => {
    const overload = times(lasting + 1, bad)
    expect(emptiedAt(...overload, calm, bad, calm, bad, bad)).toEqual([lasting, lasting + 5])
    // Ten seconds later it is another one.
    expect(emptiedAt(...overload, ...times(100, calm), ...times(lasting, bad))).toEqual([lasting])
  })
})

test('one reason may follow the other', () => {
  expect(emptiedAt(...times(lasting - 1, late), ...times(2, long))).toEqual([lasting])
})

test('connections end where it is requests that wait, for as long as that lasts', () => {
  const ending = (...samples: readonly Waits[]) =>
    verdicts(...samples).flatMap(({ endsConnections }, index) => (endsConnections ? [index] : []))
  expect(ending(...times(lasting, late), ...times(lasting, calm))).toEqual([])
  expect(ending(...times(lasting + 2, late), calm, late, late)).toEqual([lasting, lasting + 1, lasting + 4])
  expect(ending(...times(3 * lasting, long))).toEqual([])
  expect(ending(...times(lasting + 1, late), ...times(5, long), late)).toEqual([lasting, lasting + 6])
})

test('at its bound it is not stale', () => {
  expect(emptiedAt(...times(50, { meanWaitMs: 150, acceptWaitMs: 150 }))).toEqual([])
})
