import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { limits } from '../../src/domain/limits.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { tableKeys } from '../../src/redis/keys.ts'
import { createTableStore } from '../../src/redis/table-store.ts'
import type { Manifest } from '../../src/tables/manifest.ts'
import type { Bucket, GenerationAddress, PackedRow, TableStore } from '../../src/tables/ports.ts'
import { removeTable } from '../../src/tables/remove-table.ts'
import { bucketRows } from '../support/buckets.ts'
import { engines } from '../support/redis.ts'
import { keysOf, readyClient, serversOf } from '../support/redis-clients.ts'

const token = 'token-of-it'
const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)

let generations = 0
/** Each test has a generation of its own. */
function newAddress(): GenerationAddress {
  return { tenantId: 'studio', modelId: 'games', generation: ++generations }
}

function bucketOf(number: number, ...rows: readonly (readonly [string, ...number[]])[]): Bucket {
  const packed = rows.map(([rowKey, ...bytes]) => ({ rowKey, packed: Uint8Array.from(bytes) }))
  return { number, rows: bucketRows(packed) }
}

const manifest: Manifest = {
  version: 'itemcf',
  state: 'loading',
  token: 'token-of-it',
  contentHash: 'content-of-it',
  rows: 2,
  bytes: 40,
  memoryBytes: 200,
  buckets: 1,
  recordRevision: 1,
  by: 'tester',
  source: ['data/プレイヤー.parquet', 'a "b"\\.csv'],
  statistics: { means: { score: 0.1 + 0.2 }, shares: { segment: [['__proto__', 0.5]] } },
  startedAt: '2026-08-01T12:00:00.000Z',
  heartbeatAt: '2026-08-01T12:00:00.000Z',
  problem: null,
}

for (const engine of engines) {
  describe.skipIf(engine.skip)(`tables on the ${engine.name}`, () => {
    let redis: LocalRedis
    let client: RedisClient
    let store: TableStore

    beforeAll(async () => {
      redis = await engine.start()
      client = await readyClient('tables', redis.url)
      store = createTableStore(client)
    })

    afterAll(async () => {
      client.disconnect()
      await redis.stop()
    })

    function keyOf({ tenantId, modelId, generation }: GenerationAddress, bucket: number): string {
      return tableKeys.bucketPrefix(tenantId, modelId, generation) + bucket
    }

    async function keysAt({ tenantId, modelId, generation }: GenerationAddress): Promise<string[]> {
      return keysOf(client, `${tableKeys.bucketPrefix(tenantId, modelId, generation)}*`)
    }

    describe('buckets', () => {
      test('every one holds the token, an empty one too', async () => {
        const address = newAddress()
        await store.writeBuckets(address, token, [
          bucketOf(0, ['a', 1]),
          bucketOf(1),
          bucketOf(2, ['b', 2], ['c', 3]),
        ])
        for (const bucket of [0, 1, 2]) expect(await client.hget(keyOf(address, bucket), '')).toBe(token)
        expect(await client.hgetall(keyOf(address, 1))).toEqual({ '': token })
        expect(await keysAt(address)).toHaveLength(3)
      })

      test('rowCounts counts rows without the token, and tells what is damaged from what is empty', async () => {
        const address = newAddress()
        await store.writeBuckets(address, token, [
          bucketOf(0, ['a', 1]),
          bucketOf(1),
          bucketOf(2, ['b', 2], ['c', 3]),
        ])
        await store.writeBuckets(address, 'another-token', [bucketOf(4, ['d', 4])])
        await client.hset(keyOf(address, 5), 'no token', '1')
        expect(await store.rowCounts(address, token, 0, 6)).toEqual([1, 0, 2, -1, -1, -1])
        expect(await store.rowCounts(address, token, 1, 2)).toEqual([0, 2])
        expect(await store.rowCounts(address, 'another-token', 4, 1)).toEqual([1])
      })

      test('rows are added to buckets that bear the token, and to no others', async () => {
        const address = newAddress()
        await store.writeBuckets(address, token, [bucketOf(0), bucketOf(1, ['a', 1])])
        await store.writeBuckets(address, 'another', [bucketOf(2)])
        const added = [bucketOf(0, ['b', ...allBytes]), bucketOf(1, ['a', 2], ['__proto__', 3])]
        expect(await store.addRows(address, token, added)).toBe(true)
        expect(await store.addRows(address, token, [])).toBe(true)
        expect(await store.rowCounts(address, token, 0, 2)).toEqual([1, 2])
        const rows = ['b', 'a', '__proto__'].map((rowKey) => ({ bucket: rowKey === 'b' ? 0 : 1, rowKey }))
        expect((await store.readRows(address, rows)).map((bytes) => [...bytes!])).toEqual([
          [...allBytes],
          [2],
          [3],
        ])
        // One of another token, one that was taken away: the others get theirs.
        for (const number of [2, 3]) {
          const trip = [bucketOf(number, ['c', 1]), bucketOf(0, [`beside-${number}`, 1])]
          expect(await store.addRows(address, token, trip), `${number}`).toBe(false)
        }
        expect(await store.rowCounts(address, token, 0, 1)).toEqual([3])
        expect(await client.hgetall(keyOf(address, 2))).toEqual({ '': 'another' })
        expect(await client.exists(keyOf(address, 3))).toBe(0)
      })

      test('a seal keeps rows, lets nobody add any more, and can be put twice', async () => {
        const address = newAddress()
        await store.writeBuckets(address, token, [bucketOf(0, ['a', 1]), bucketOf(1), bucketOf(2)])
        const tokens = { from: token, to: 'sealed' }
        expect(await store.sealBuckets(address, tokens, 0, 2)).toBe(true)
        expect(await store.sealBuckets(address, tokens, 0, 3)).toBe(true)
        expect(await store.rowCounts(address, 'sealed', 0, 3)).toEqual([1, 0, 0])
        expect(await store.addRows(address, token, [bucketOf(0, ['b', 1])])).toBe(false)
        expect(await store.rowCounts(address, 'sealed', 0, 1)).toEqual([1])
        await store.writeBuckets(address, 'another', [bucketOf(4)])
        for (const first of [3, 4]) expect(await store.sealBuckets(address, tokens, first, 1)).toBe(false)
        expect(await client.exists(keyOf(address, 3))).toBe(0)
        expect(await client.hget(keyOf(address, 4), '')).toBe('another')
      })

      test('removeBuckets takes away one generation, whole, and no other', async () => {
        const buckets = limits.bucketsPerTrip * 2 + 50
        const removed = { tenantId: 'studio', modelId: 'games', generation: 9_001 }
        const kept = [
          { ...removed, generation: 90_011 },
          { ...removed, generation: 900 },
          { ...removed, modelId: 'games-2' },
          { ...removed, tenantId: 'studio-2' },
        ]
        for (const address of [removed, ...kept])
          await store.writeBuckets(
            address,
            token,
            Array.from({ length: buckets }, (_, number) => bucketOf(number, [`row-${number}`, 1])),
          )
        expect(await store.exists(removed)).toBe(true)
        await removeTable(store, removed, buckets)
        expect(await keysAt(removed)).toEqual([])
        expect(await store.exists(removed)).toBe(false)
        for (const address of kept) expect(await keysAt(address)).toHaveLength(buckets)
        // Once more, and of nothing: both are what a collector does after it died half way.
        await removeTable(store, removed, buckets)
        await store.removeBuckets(newAddress(), 0, 3)
        for (const address of kept) await removeTable(store, address, buckets)
      })

      test('a fault of Redis rejects, without the arguments of the command', async () => {
        const address = newAddress()
        await client.set(keyOf(address, 0), 'a key of the wrong type')
        const write = store.writeBuckets(address, token, [bucketOf(0, ['secret-row', 1])])
        const error = await write.then(
          () => null,
          (reason: Error) => reason,
        )
        expect(error?.message).toMatch(/WRONGTYPE/)
        expect(JSON.stringify({ ...error, message: error?.message })).not.toContain('secret-row')
        await expect(store.rowCounts(address, token, 0, 1)).rejects.toThrow(/WRONGTYPE/)
        await expect(store.readRows(address, [{ bucket: 0, rowKey: 'a' }])).rejects.toThrow(/WRONGTYPE/)
      })
    })

    describe('rows', () => {
      test('come back byte for byte, whatever the bytes', async () => {
        const address = newAddress()
        const records: readonly Uint8Array[] = [
          allBytes,
          ...Array.from(allBytes, (byte) => Uint8Array.of(byte)),
          Uint8Array.of(0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80),
          // A view into the middle of a larger buffer, as the codec may give it.
          new Uint8Array(allBytes.buffer, 100, 20),
          new Uint8Array(randomBytes(16_384)),
        ]
        const rows: PackedRow[] = records.map((packed, index) => ({ rowKey: `row-${index}`, packed }))
        await store.writeBuckets(address, token, [{ number: 0, rows: bucketRows(rows) }])
        const found = await store.readRows(
          address,
          rows.map(({ rowKey }) => ({ bucket: 0, rowKey })),
        )
        for (const [index, packed] of records.entries())
          expect(Buffer.compare(found[index]!, packed), `record ${index}`).toBe(0)
        expect(await store.rowCounts(address, token, 0, 1)).toEqual([records.length])
      })

      test('are found by the whole row key, whatever its characters', async () => {
        const address = newAddress()
        const rowKeys = [
          'a\0bc',
          'ab\0c',
          'abc',
          'a',
          '\u00e9',
          'e\u0301',
          'プレイヤー42',
          '😀',
          '42',
          '042',
          ' 42',
          '"\'\\\r\n',
          'x'.repeat(limits.rowKeyBytesMax),
        ]
        const rows = rowKeys.map((rowKey, index) => ({ rowKey, packed: Uint8Array.of(index) }))
        await store.writeBuckets(address, token, [{ number: 0, rows: bucketRows(rows) }])
        const asked = ['unknown', ...rowKeys, 'a\0b'].map((rowKey) => ({ bucket: 0, rowKey }))
        const found = await store.readRows(address, asked)
        expect(found.map((packed) => packed?.[0] ?? null)).toEqual([null, ...rowKeys.keys(), null])
      })

      test('are read in the order they are asked for, across buckets', async () => {
        const address = newAddress()
        await store.writeBuckets(address, token, [bucketOf(0, ['a', 1], ['b', 2]), bucketOf(1, ['c', 3])])
        const found = await store.readRows(address, [
          { bucket: 1, rowKey: 'c' },
          { bucket: 0, rowKey: 'b' },
          { bucket: 1, rowKey: 'a' },
          { bucket: 7, rowKey: 'a' },
          { bucket: 0, rowKey: 'a' },
        ])
        expect(found.map((packed) => packed?.[0] ?? null)).toEqual([3, 2, null, null, 1])
        expect(await store.readRows(address, [])).toEqual([])
      })

      test('are read by whole buckets, with null for those that lack the token', async () => {
        const address = newAddress()
        await store.writeBuckets(address, token, [
          bucketOf(0, ['__proto__', 1], ['プレイヤー', 0, 255]),
          bucketOf(1),
        ])
        await store.writeBuckets(address, 'another-token', [bucketOf(2, ['a', 1])])
        await client.hset(tableKeys.bucketPrefix('studio', 'games', address.generation) + 3, 'stray', 'x')
        const [first, ...others] = await store.readBuckets(address, token, [0, 1, 2, 3, 4])
        const rows = first!.map(({ rowKey, packed }) => [rowKey, [...packed]])
        expect(new Map(rows as [string, number[]][])).toEqual(
          new Map([
            ['__proto__', [1]],
            ['プレイヤー', [0, 255]],
          ]),
        )
        expect(others).toEqual([[], null, null, null])
      })
    })

    describe('what the server tells', () => {
      test('of its memory and replicas, or null where it tells nothing', async () => {
        const memory = await store.serverMemory()
        const address = newAddress()
        await store.writeBuckets(address, token, [bucketOf(0, ['a', 1])])
        const buckets = await store.bucketMemory(address, [0, 1])
        if (engine.isReal) {
          const server = {
            usedBytes: expect.any(Number),
            maxBytes: null,
            evictionPolicy: expect.stringMatching(/^[a-z-]+$/),
          }
          expect(memory).toEqual(serversOf(client).map(() => server))
          expect(buckets).toEqual([expect.any(Number), 0])
          expect(buckets![0]).toBeGreaterThan(50)
        } else expect([memory, buckets]).toEqual([null, null])
        expect(await store.replicated(100)).toEqual({ replicas: 0, missing: 0 })
      })
    })

    describe('manifests', () => {
      test('are kept by generation, each model for itself, until they are removed', async () => {
        const [first, second] = [newAddress(), newAddress()]
        const other = { ...first, modelId: 'offers' }
        const manifests = () => store.manifests('studio', 'games')
        expect(await manifests()).toEqual(new Map())
        await store.putManifest(first, manifest)
        await store.putManifest(second, { ...manifest, version: 'popular' })
        await store.putManifest(other, { ...manifest, rows: 7 })
        await store.putManifest(first, { ...manifest, rows: 3 })
        expect(await manifests()).toEqual(
          new Map([
            [first.generation, { ...manifest, rows: 3 }],
            [second.generation, { ...manifest, version: 'popular' }],
          ]),
        )
        await store.removeManifest(first)
        await store.removeManifest(first)
        expect([...(await manifests()).keys()]).toEqual([second.generation])
        expect([...(await store.manifests('studio', 'offers')).keys()]).toEqual([other.generation])
      })

      test('are replaced only where exactly what is expected stands', async () => {
        const address = newAddress()
        const [first, second] = [manifest, { ...manifest, heartbeatAt: '2026-08-01T12:00:05.000Z' }]
        expect(await store.replaceManifest(address, first, second)).toBe(false)
        expect((await store.manifests('studio', 'games')).has(address.generation)).toBe(false)
        await store.putManifest(address, first)
        expect(await store.replaceManifest(address, second, first)).toBe(false)
        expect(await store.replaceManifest(address, first, second)).toBe(true)
        expect(await store.replaceManifest(address, first, second)).toBe(false)
        // As a collector reads it, and takes it.
        const read = (await store.manifests('studio', 'games')).get(address.generation)!
        expect(read).toEqual(second)
        expect(await store.replaceManifest(address, read, { ...read, state: 'collecting' })).toBe(true)
        await store.removeManifest(address)
      })

      test('that are none are told with their place', async () => {
        const address = { ...newAddress(), modelId: 'broken' }
        await client.hset(tableKeys.manifests('studio', 'broken'), '7', '{"version": 5}')
        await expect(store.manifests('studio', 'broken')).rejects.toThrow(
          /manifest of generation 7 \(rg:m:studio:broken\): \d+ faults\n {2}version: must be text/,
        )
        await client.hset(tableKeys.manifests('studio', 'broken'), '7', '{')
        await expect(store.manifests('studio', address.modelId)).rejects.toThrow(/is not JSON/)
      })
    })

    // The in-process engine knows no encodings.
    describe.skipIf(!engine.isReal)('the memory they take', () => {
      const rowsOf = (count: number, bytes: number): PackedRow[] =>
        Array.from({ length: count }, (_, index) => ({
          rowKey: `player-${index}`,
          packed: new Uint8Array(randomBytes(bytes)),
        }))

      async function encodingOf(rows: readonly PackedRow[]): Promise<unknown> {
        const address = newAddress()
        await store.writeBuckets(address, token, [{ number: 0, rows: bucketRows(rows) }])
        return client.object('ENCODING', keyOf(address, 0))
      }

      test('a full bucket stays a listpack, and one well above the mean too', async () => {
        expect(await encodingOf(rowsOf(limits.rowsPerBucket, 24))).toBe('listpack')
        expect(await encodingOf(rowsOf(120, 24))).toBe('listpack')
      })

      test('one value over the limit, row key or record, makes a bucket a hash table', async () => {
        const { listpackValueBytesMax: bytesMax, rowsPerBucket } = limits
        expect(await encodingOf(rowsOf(rowsPerBucket, bytesMax))).toBe('listpack')
        expect(await encodingOf([...rowsOf(rowsPerBucket, 24), ...rowsOf(1, bytesMax + 1)])).toBe('hashtable')
        const rowKey = 'x'.repeat(bytesMax)
        expect(await encodingOf([{ rowKey, packed: allBytes.subarray(0, 24) }])).toBe('listpack')
        expect(await encodingOf([{ rowKey: `${rowKey}x`, packed: allBytes.subarray(0, 24) }])).toBe(
          'hashtable',
        )
      })
    })
  })
}
