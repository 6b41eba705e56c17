import { describe, expect, test } from 'vitest'
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

const times = (count: number, sample: Waits): Waits[] => Array.from({ length: count }, () => sample)

describe.each([
  ['requests wait too long for their turn', late],
  ['newcomers wait too long to be taken', long],
])('where %s', (_, bad) => {
  test('the queue is emptied after a second, and not before', () => {
    expect(emptiedAt(...times(10, bad), calm, ...times(10, bad))).toEqual([])
    expect(emptiedAt(...times(11, bad))).toEqual([10])
  })

  test('it is emptied by two samples in a row while the overload lasts', () => {
    const overload = times(11, bad)
    expect(emptiedAt(...overload, calm, bad, calm, bad, bad)).toEqual([10, 15])
    // Ten seconds later it is another one.
    expect(emptiedAt(...overload, ...times(100, calm), ...times(10, bad))).toEqual([10])
  })
})

test('one reason may follow the other', () => {
  expect(emptiedAt(...times(5, late), ...times(6, long))).toEqual([10])
})

test('connections end where it is requests that wait, for as long as that lasts', () => {
  const ending = (...samples: readonly Waits[]) =>
    verdicts(...samples).flatMap(({ endsConnections }, index) => (endsConnections ? [index] : []))
  expect(ending(...times(10, late), ...times(10, calm))).toEqual([])
  expect(ending(...times(12, late), calm, late, late)).toEqual([10, 11, 14])
  expect(ending(...times(30, long))).toEqual([])
  expect(ending(...times(11, late), ...times(5, long), late)).toEqual([10, 16])
})

test('at its bound it is not stale', () => {
  expect(emptiedAt(...times(50, { meanWaitMs: 150, acceptWaitMs: 150 }))).toEqual([])
})
