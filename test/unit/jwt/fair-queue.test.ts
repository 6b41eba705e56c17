import { describe, expect, test } from 'vitest'
import { createFairQueue } from '../../../src/jwt/fair-queue.ts'

/** Tasks that a test ends one by one, and the order in which they began. */
function scene(bounds: { atOnceMax?: number; waitingPerLineMax?: number; waitingMax?: number } = {}) {
  const queue = createFairQueue({ atOnceMax: 1, waitingPerLineMax: 3, waitingMax: 100, ...bounds })
  const begun: string[] = []
  const ends: (() => void)[] = []
  const outcomes = new Map<string, 'done' | 'busy'>()
  let [running, runningMax] = [0, 0]
  function ask(name: string): Promise<void> {
    const task = () => {
      begun.push(name)
      runningMax = Math.max(runningMax, ++running)
      return new Promise<'done'>((resolve) => ends.push(() => resolve('done'))).finally(() => running--)
    }
    return queue.run(name[0]!, task).then((outcome) => void outcomes.set(name, outcome ?? 'busy'))
  }
  /** Everything that can happen without another end has happened. */
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  async function endAll(): Promise<void> {
    await settle()
    while (ends.length > 0) {
      ends.shift()!()
      await settle()
    }
  }
  return { ask, begun, outcomes, endAll, settle, runningMax: () => runningMax }
}

const names = (...all: string[]) => all

describe('tasks', () => {
  test('run at once up to the bound, and no more', async () => {
    const { ask, begun, endAll, runningMax, settle } = scene({ atOnceMax: 2 })
    const asked = names('a1', 'a2', 'a3', 'b1').map(ask)
    await settle()
    expect(begun).toStrictEqual(['a1', 'a2'])
    await endAll()
    await Promise.all(asked)
    expect(begun).toHaveLength(4)
    expect(runningMax()).toBe(2)
  })

  test('take turns by line, each line’s in the order in which they came', async () => {
    const { ask, begun, endAll } = scene()
    const asked = names('a0', 'a1', 'a2', 'a3', 'b1', 'c1', 'b2').map(ask)
    await endAll()
    await Promise.all(asked)
    expect(begun).toStrictEqual(['a0', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  })

  test('of a full line are refused at once; others still come in', async () => {
    const { ask, outcomes, endAll } = scene()
    const asked = names('a0', 'a1', 'a2', 'a3', 'a4', 'b1').map(ask)
    await asked[4]
    expect([...outcomes]).toStrictEqual([['a4', 'busy']])
    await endAll()
    await Promise.all(asked)
    expect([...outcomes.values()].filter((outcome) => outcome === 'done')).toHaveLength(5)
  })

  test('make room, last of the longest line first, when all lines together are full', async () => {
    const { ask, outcomes, endAll } = scene({ waitingMax: 4 })
    const asked = names('a0', 'a1', 'a2', 'a3', 'b1', 'c1', 'd1', 'e1', 'a4').map(ask)
    await endAll()
    await Promise.all(asked)
    const refused = [...outcomes].filter(([, outcome]) => outcome === 'busy').map(([name]) => name)
    // c1 and d1 displace a3 and a2; with one in every line, nobody displaces anybody.
    expect(refused.sort()).toStrictEqual(['a2', 'a3', 'a4', 'e1'])
  })

  test('free their place when they fail', async () => {
    const queue = createFairQueue({ atOnceMax: 1, waitingPerLineMax: 1, waitingMax: 1 })
    const failing = queue.run('a', () => Promise.reject(new Error('a fault of ours')))
    const next = queue.run('b', async () => 'done')
    await expect(failing).rejects.toThrow('a fault of ours')
    expect(await next).toBe('done')
    expect(await queue.run('a', async () => 'again')).toBe('again')
  })
})
