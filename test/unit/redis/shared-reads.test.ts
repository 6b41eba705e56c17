import { expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import type { ActiveTable } from '../../../src/domain/snapshot.ts'
import { createSharedReads } from '../../../src/redis/shared-reads.ts'
import type { WaitingRead } from '../../../src/redis/waiting-read.ts'

const own: ActiveTable = {
  generation: 1,
  token: 'token',
  buckets: 1,
  rows: 1,
  bucketPrefix: 'rg:t:studio:games:1:',
}
const waiting = (rowKey: string, deadlineAt = 100): WaitingRead => ({
  read: { rowKey, own, control: null },
  deadlineAt,
  modelDeadlineAt: deadlineAt,
  settle: () => undefined,
  followers: null,
  isOver: false,
  owed: null,
})

test('reads that are over are followed by none, and those under way outlast any number of others', () => {
  const { follow } = createSharedReads()
  const [leader, done] = [waiting('slow'), waiting('done')]
  expect([follow(leader), follow(done)]).toEqual([false, false])
  done.isOver = true
  expect(follow(waiting('done'))).toBe(false)
  for (let index = 0; index < 3 * limits.sharedReadsSweptAt; index++) {
    const other = waiting(`row-${index}`)
    expect(follow(other)).toBe(false)
    other.isOver = index % 3 > 0
  }
  const follower = waiting('slow')
  expect(follow(follower)).toBe(true)
  expect(leader.followers).toEqual([follower])
  for (let index = 0; index < 3 * limits.sharedReadsSweptAt; index++)
    expect(follow(waiting(`row-${index}`))).toBe(index % 3 === 0)
})
