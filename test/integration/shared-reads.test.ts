import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import type { ActiveTable } from '../../src/domain/snapshot.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import { createRecordReader } from '../../src/redis/record-reader.ts'
import type { RecordRead, RecordReader, RecordReadResult } from '../../src/serving/ports.ts'
import { createReadBound } from '../../src/serving/read-bound.ts'
import { type CommandProxy, startCommandProxy } from '../support/command-proxy.ts'
import { testRedis } from '../support/redis.ts'
import { singleClient, testClient } from '../support/redis-clients.ts'
import { control, none, own, shown, writeTable } from '../support/tables.ts'
import { until } from '../support/until.ts'

/** Reads of one row at one time: what travels, who gets what, and when. A proxy holds Redis' answers back. */

let proxy: CommandProxy
let client: RedisClient
let reads: RedisClient
let reader: RecordReader
let itemcf: ActiveTable
let popular: ActiveTable
let isHolding = false
let stop: () => Promise<void>

const inTime = () => performance.now() + 20_000
const isRead = (name: string) => name.startsWith('EVAL')

beforeAll(async () => {
  const redis = await testRedis()
  proxy = await startCommandProxy(redis.url, () => isHolding)
  client = testClient('tables', redis.url)
  reads = singleClient('tables', proxy.url)
  await Promise.all([redisReady(client, 10_000), redisReady(reads, 10_000)])
  reader = createRecordReader(reads)
  itemcf = await writeTable(client, { one: Buffer.from('own-1'), two: Buffer.from('own-2') })
  popular = await writeTable(client, { one: Buffer.from('control-1'), three: Buffer.from('control-3') })
  await reader.read({ rowKey: 'one', own: itemcf, control: popular }, inTime())
  stop = async () => {
    for (const each of [reads, client]) each.disconnect()
    await proxy.close()
    await redis.stop()
  }
})
afterAll(() => stop())

beforeEach(() => {
  isHolding = false
  proxy.resume()
})

const readsHandedOn = () => proxy.names.filter(isRead).length

/** Redis is handed this read's command, and nothing after it. */
async function held(read: RecordRead, deadlineAt = inTime()): Promise<Promise<RecordReadResult>[]> {
  const before = readsHandedOn()
  isHolding = true
  // Its reply comes; that of the next command waits until `resume`.
  const first = reader.read({ rowKey: 'two', own: itemcf, control: null }, inTime())
  await until('the proxy holds', () => readsHandedOn() === before + 1)
  await first
  return [reader.read(read, deadlineAt)]
}

function release(): void {
  isHolding = false
  proxy.resume()
}

const row = (more: Partial<RecordRead> = {}): RecordRead => ({
  rowKey: 'one',
  own: itemcf,
  control: popular,
  ...more,
})

describe('reads of one row at one time', () => {
  test('of one turn of the event loop and of later ones are one read of Redis', async () => {
    const before = readsHandedOn()
    const waiting = await held(row())
    waiting.push(...Array.from({ length: 50 }, () => reader.read(row(), inTime())))
    await new Promise((resolve) => setImmediate(resolve))
    waiting.push(...Array.from({ length: 50 }, () => reader.read(row(), inTime())))
    release()
    const results = await Promise.all(waiting)
    expect(results.map(shown)).toEqual(results.map(() => own('own-1')))
    // The one that had the proxy hold, and the one for all.
    expect(readsHandedOn() - before).toBe(2)
    // It is over with its answer.
    expect(shown(await reader.read(row(), inTime()))).toEqual(own('own-1'))
    expect(readsHandedOn() - before).toBe(3)
  })

  test('each end at their own deadline, and the first one’s ends nobody else’s', async () => {
    const before = readsHandedOn()
    const [hasty] = await held(row(), performance.now() + 5)
    const patient = reader.read(row(), inTime())
    const alsoHasty = reader.read(row(), performance.now() + 5)
    expect(await hasty).toEqual(none('deadline'))
    expect(await alsoHasty).toEqual(none('deadline'))
    const late = reader.read(row(), inTime())
    release()
    expect([shown(await patient), shown(await late)]).toEqual([own('own-1'), own('own-1')])
    expect(readsHandedOn() - before).toBe(2)
  })

  test('are owed once, until Redis has answered, and those of other rows are shed beyond the bound', async () => {
    const bound = createReadBound(2)
    const bounded = createRecordReader(reads, { bound })
    const hastily = (rowKey: string) =>
      bounded.read(row({ rowKey }), performance.now() + 5, performance.now() + 20_000)
    await held(row())
    const hasty = [hastily('one'), ...Array.from({ length: 50 }, () => hastily('one'))]
    const patient = Array.from({ length: 50 }, () => bounded.read(row(), inTime()))
    expect(bound.inFlight()).toBe(1)
    hasty.push(hastily('two'))
    expect(bound.inFlight()).toBe(2)
    expect(await hastily('three')).toEqual(none('shed'))
    // One that was shed is none that others could wait for.
    expect(await bounded.read(row({ rowKey: 'three' }), inTime())).toEqual(none('shed'))
    expect(await Promise.all(hasty)).toEqual(hasty.map(() => none('deadline')))
    expect(bound.inFlight()).toBe(2)
    patient.push(bounded.read(row(), inTime()))
    release()
    expect((await Promise.all(patient)).map(shown)).toEqual(patient.map(() => own('own-1')))
    await until('all are answered', () => bound.inFlight() === 0)
    expect(shown(await bounded.read(row({ rowKey: 'three' }), inTime()))).toEqual(
      control('control-3', 'unknown-row'),
    )
  })

  test('tell what Redis answered once, also where nobody waits any more', async () => {
    const heard: unknown[] = []
    const listening = row({ heard: (result) => void heard.push(shown(result)) })
    const [hasty] = await held(listening, performance.now() + 5)
    const follower = reader.read(listening, performance.now() + 5)
    expect([await hasty, await follower]).toEqual([none('deadline'), none('deadline')])
    expect(heard).toEqual([])
    release()
    await until('the late reply is heard', () => heard.length > 0)
    expect(heard).toEqual([own('own-1')])
  })

  test('share nothing where other tables are asked for', async () => {
    const waiting = await held(row())
    const again: ActiveTable = { ...itemcf }
    waiting.push(
      reader.read(row({ own: popular, control: null }), inTime()),
      reader.read(row({ own: null }), inTime()),
      reader.read(row({ control: null }), inTime()),
      reader.read(row({ rowKey: 'three' }), inTime()),
      // The same one after a change of the catalog: an erasure may lie between.
      reader.read(row({ own: again }), inTime()),
    )
    release()
    expect((await Promise.all(waiting)).map(shown)).toEqual([
      own('own-1'),
      own('control-1'),
      control('control-1', 'no-table'),
      own('own-1'),
      control('control-3', 'unknown-row'),
      own('own-1'),
    ])
  })

  test('do not wait for one that Redis may have forgotten', async () => {
    const before = readsHandedOn()
    const deadlineAt = inTime()
    const waiting = await held(row(), deadlineAt)
    // Another turn, so that the two would travel apart.
    await new Promise((resolve) => setImmediate(resolve))
    waiting.push(reader.read(row(), deadlineAt + limits.sharedReadMsMax + 1))
    release()
    expect((await Promise.all(waiting)).map(shown)).toEqual([own('own-1'), own('own-1')])
    expect(readsHandedOn() - before).toBe(3)
  })

  test('all fail when the connection does, and the next one asks again', async () => {
    const waiting = await held(row())
    waiting.push(reader.read(row(), inTime()))
    await new Promise((resolve) => setImmediate(resolve))
    reads.disconnect(true)
    expect(await Promise.all(waiting)).toEqual([none('store'), none('store')])
    release()
    await redisReady(reads, 10_000)
    expect(shown(await reader.read(row(), inTime()))).toEqual(own('own-1'))
  })
})
