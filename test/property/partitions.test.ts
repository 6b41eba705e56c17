import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BitWriter } from '../../src/domain/codec/bits.ts'
import { bucketCount, bucketOf } from '../../src/domain/row-key.ts'
import { createPartitions, type Partitions } from '../../src/tables/partitions.ts'

/** Rows in whatever order, parted however finely, in memory or in files, come out in the buckets of the domain's rule. */

interface Row {
  readonly rowKey: string
  readonly record: Uint8Array
}

const row = fc.record({
  rowKey: fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => text.isWellFormed()),
    // Few, so that some stand twice.
    fc.integer({ min: 0, max: 300 }).map(String),
    fc.constant('x'.repeat(255)),
  ),
  record: fc.uint8Array({ minLength: 1, maxLength: 60 }),
})
const rows = fc.array(row, { maxLength: 400, size: 'max' })
const shape = fc.record({
  rowsExpected: fc.constantFrom(0, 1, 400_000, 5_000_000),
  bytesInMemoryMax: fc.constantFrom(0, 1e9),
})

async function add(partitions: Partitions, added: readonly Row[]): Promise<void> {
  const writer = new BitWriter(8)
  for (const [ordinal, { rowKey, record }] of added.entries()) {
    const key = Buffer.from(rowKey)
    writer.writeBytes(record)
    partitions.add(ordinal, key, key.length, writer)
    if (ordinal % 50 === 0) await partitions.relieve()
  }
  await partitions.relieve()
}

async function bucketsOf(partitions: Partitions, total: number): Promise<string[][]> {
  const buckets: string[][] = []
  for await (const trip of partitions.buckets(total))
    for (const { number, rows: found } of trip) {
      expect(number).toBe(buckets.length)
      buckets.push(
        found.map(({ data, keyStart, keyEnd, recordEnd }) =>
          JSON.stringify([data.toString('utf8', keyStart, keyEnd), data.toString('hex', keyEnd, recordEnd)]),
        ),
      )
    }
  return buckets
}

function firstOfEach(added: readonly Row[]): Map<string, Row> {
  const first = new Map<string, Row>()
  for (const each of added) if (!first.has(each.rowKey)) first.set(each.rowKey, each)
  return first
}

test('every row stands once, in its bucket; later ones with its key are told with their place', async () => {
  await fc.assert(
    fc.asyncProperty(rows, shape, async (added, { rowsExpected, bytesInMemoryMax }) => {
      const partitions = createPartitions(rowsExpected, bytesInMemoryMax)
      try {
        await add(partitions, added)
        const duplicates = await partitions.removeDuplicates()
        const left = firstOfEach(added)
        expect(duplicates).toEqual(
          added.flatMap((each, ordinal) =>
            left.get(each.rowKey) === each
              ? []
              : [
                  {
                    rowKey: each.rowKey,
                    ordinal,
                    firstOrdinal: added.findIndex(({ rowKey }) => rowKey === each.rowKey),
                  },
                ],
          ),
        )
        expect(partitions.rows).toBe(left.size)
        const sizes = [...left.values()].map((each) => Buffer.byteLength(each.rowKey) + each.record.length)
        expect(partitions.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
        const total = bucketCount(Math.max(1, left.size)) * 7
        const expected: string[][] = Array.from({ length: total }, () => [])
        for (const { rowKey, record } of left.values())
          expected[bucketOf(rowKey, total)]!.push(
            JSON.stringify([rowKey, Buffer.from(record).toString('hex')]),
          )
        const found = await bucketsOf(partitions, total)
        expect(found.map((bucket) => bucket.sort())).toEqual(expected.map((bucket) => bucket.sort()))
      } finally {
        await partitions.close()
      }
    }),
    { numRuns: 60 },
  )
})

test('rows that are taken out later are as if they had never been there', async () => {
  await fc.assert(
    fc.asyncProperty(rows, shape, fc.integer({ min: 1, max: 9 }), async (added, how, nth) => {
      const isOut = (data: Uint8Array, start: number, end: number) => (data[start]! + end - start) % nth === 0
      const isRowOut = ({ rowKey }: Row) => {
        const key = Buffer.from(rowKey)
        return isOut(key, 0, key.length)
      }
      const [all, fewer] = [createPartitions(how.rowsExpected, how.bytesInMemoryMax), createPartitions(0)]
      try {
        await add(all, added)
        await all.removeDuplicates()
        const expected = [...firstOfEach(added).keys()].filter((rowKey) =>
          isRowOut({ rowKey, record: new Uint8Array() }),
        )
        expect([...(await all.removeRows(isOut))].sort()).toEqual(expected.sort())
        expect(await all.removeRows(isOut)).toEqual([])
        await add(
          fewer,
          added.filter((each) => !isRowOut(each)),
        )
        await fewer.removeDuplicates()
        const figures = ({ rows: count, bytes, contentHash }: Partitions) => [count, bytes, contentHash()]
        expect(figures(all)).toEqual(figures(fewer))
        const sorted = async (partitions: Partitions) =>
          (await bucketsOf(partitions, 20)).map((bucket) => bucket.sort())
        expect(await sorted(all)).toEqual(await sorted(fewer))
      } finally {
        await all.close()
        await fewer.close()
      }
    }),
    { numRuns: 40 },
  )
})

test('the content hash knows rows, not their order, and sees every difference', async () => {
  const hashOf = async (added: readonly Row[], expected: number) => {
    const partitions = createPartitions(expected)
    await add(partitions, added)
    await partitions.removeDuplicates()
    return partitions.contentHash()
  }
  await fc.assert(
    fc.asyncProperty(rows, fc.nat(), async (added, seed) => {
      const distinct = [...firstOfEach(added).values()]
      const shuffled = [...distinct].sort((a, b) => ((a.record[0]! * seed) % 7) - ((b.record[0]! * seed) % 7))
      const hash = await hashOf(distinct, 0)
      expect(await hashOf(shuffled, 1_000_000)).toBe(hash)
      expect(await hashOf([...distinct, ...distinct], 0)).toBe(hash)
      if (distinct.length === 0) return
      expect(await hashOf(distinct.slice(1), 0)).not.toBe(hash)
      const [first, ...rest] = distinct as [Row, ...Row[]]
      const changed = { ...first, record: Uint8Array.of(...first.record, 1) }
      expect(await hashOf([changed, ...rest], 0)).not.toBe(hash)
    }),
    { numRuns: 40 },
  )
})
