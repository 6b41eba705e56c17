import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BitWriter } from '../domain/codec/bits.ts'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { murmur3Range } from '../domain/murmur3.ts'
import { bucketOfHash } from '../domain/row-key.ts'
import { createContentHash } from './content-hash.ts'
import type { Bucket, BucketRow } from './ports.ts'

/**
 * Packed rows on their way into buckets. How many buckets there are follows from how many rows there are, so that all
 * of them are packed before the first is written. Rows are parted by ranges of their row key's hash, as buckets are:
 * sorted by hash, partition after partition, the rows of each bucket and equal row keys stand together. What outgrows
 * `limits.partitionBytesInMemoryMax` lies in temporary files, so that memory doesn't follow the table's size.
 *
 *     entry    u32 hash · u32 ordinal · u16 key bytes, u16 record bytes · row key · record · zeros to the next 4 bytes
 *     chunk    whole entries, up to 256 KiB
 *     address  of an entry within its partition: chunk × 256 KiB + byte
 */

const chunkBytes = 262_144
const chunkWords = chunkBytes / 4
const headerBytes = 12

/** A sorting key holds the hash's 32 bits and as many for the place in the partition as a double has left. */
const placesMax = 2 ** 21

interface Chunk {
  readonly bytes: Buffer
  /** The same memory. */
  readonly words: Uint32Array
  used: number
}

interface Partition {
  rows: number
  /** The last one is being filled. */
  chunks: Chunk[]
  /** Bytes used of each chunk that lies in the file. */
  spilled: number[]
  file: FileHandle | null
  /** Kept where all of the partition is in memory. */
  order: Order | null
}

/** Two rows with the same row key, by their ordinals. */
export interface Duplicate {
  readonly rowKey: string
  readonly ordinal: number
  readonly firstOrdinal: number
}

export interface Partitions {
  /** Adds the `ordinal`th row, from 0; `key` holds the row key's `keyBytes` bytes of UTF-8, `record` is emptied. */
  add(ordinal: number, key: Uint8Array, keyBytes: number, record: BitWriter): void
  /** To be awaited now and then between rows: spills what is too much. */
  relieve(): Promise<void>
  /** After the last row: leaves out all but the first of the rows with one row key, and tells of them in their order. */
  removeDuplicates(): Promise<readonly Duplicate[]>
  /** Leaves out further rows, told by their keys' UTF-8 in `data` from `start` to `end`; answers their row keys. */
  removeRows(isOut: (data: Uint8Array, start: number, end: number) => boolean): Promise<readonly string[]>
  /** Of the rows that are left. */
  readonly rows: number
  /** Row keys and records. */
  readonly bytes: number
  /** The same for the same rows in whatever order: 64 bits of hash and the number of rows. */
  contentHash(): string
  /** All buckets of a table with so many, in order, some at a time; they are good until the next are asked for. */
  buckets(bucketsTotal: number): AsyncGenerator<readonly Bucket[]>
  close(): Promise<void>
}

/**
 * @param rowsExpected decides how finely rows are parted; a wrong guess only costs memory or files.
 * @param bytesInMemoryMax what is more is spilled
 */
export function createPartitions(
  rowsExpected: number,
  bytesInMemoryMax: number = limits.partitionBytesInMemoryMax,
): Partitions {
  const bits = Math.min(
    limits.partitionBitsMax,
    Math.max(0, Math.ceil(Math.log2(rowsExpected / limits.rowsPerPartition))),
  )
  const partitions: Partition[] = Array.from({ length: 2 ** bits }, () => ({
    rows: 0,
    chunks: [],
    spilled: [],
    file: null,
    order: null,
  }))
  const free: Chunk[] = []
  const removed = new Set<number>()
  const content = createContentHash()
  let chunksInMemory = 0
  let directory: string | null = null

  function newChunk(): Chunk {
    chunksInMemory++
    const known = free.pop()
    if (known !== undefined) return known
    const buffer = new ArrayBuffer(chunkBytes)
    return { bytes: Buffer.from(buffer), words: new Uint32Array(buffer), used: 0 }
  }

  function release(chunk: Chunk): void {
    chunksInMemory--
    chunk.used = 0
    free.push(chunk)
  }

  function chunkFor(partition: Partition, size: number): Chunk {
    const last = partition.chunks.at(-1)
    if (last !== undefined && last.used + size <= chunkBytes) return last
    const chunk = newChunk()
    partition.chunks.push(chunk)
    return chunk
  }

  async function fileOf(partition: Partition): Promise<FileHandle> {
    if (directory === null) {
      directory = join(tmpdir(), `recgate-publish-${randomUUID()}`)
      await mkdir(directory, { mode: 0o700 })
    }
    partition.file ??= await open(join(directory, String(partitions.indexOf(partition))), 'wx+', 0o600)
    return partition.file
  }

  async function spill(partition: Partition, chunk: Chunk): Promise<void> {
    const file = await fileOf(partition)
    await file.write(chunk.bytes, 0, chunkBytes, partition.spilled.length * chunkBytes)
    partition.spilled.push(chunk.used)
    release(chunk)
  }

  /** All chunks of a partition, those from its file first: they were filled first. */
  async function load(partition: Partition): Promise<readonly Chunk[]> {
    const loaded: Chunk[] = []
    for (const [index, used] of partition.spilled.entries()) {
      const chunk = newChunk()
      await partition.file?.read(chunk.bytes, 0, chunkBytes, index * chunkBytes)
      chunk.used = used
      loaded.push(chunk)
    }
    return [...loaded, ...partition.chunks]
  }

  function unload(partition: Partition, chunks: readonly Chunk[]): void {
    for (const chunk of chunks.slice(0, partition.spilled.length)) release(chunk)
  }

  return {
    add(ordinal, key, keyBytes, record) {
      const hash = murmur3Range(key, 0, keyBytes, 0)
      const partition = partitions[bits === 0 ? 0 : hash >>> (32 - bits)]!
      const recordBytes = record.bytesWritten
      const end = headerBytes + keyBytes + recordBytes
      const size = (end + 3) & ~3
      const chunk = chunkFor(partition, size)
      const start = chunk.used
      const { bytes: data, words } = chunk
      words[start >>> 2] = hash
      words[(start >>> 2) + 1] = ordinal
      words[(start >>> 2) + 2] = (keyBytes << 16) | recordBytes
      for (let index = 0; index < keyBytes; index++) data[start + headerBytes + index] = key[index]!
      record.moveTo(data, start + headerBytes + keyBytes)
      chunk.used = start + size
      partition.rows++
      content.add(data, start + headerBytes, start + end)
    },

    async relieve() {
      if (chunksInMemory * chunkBytes <= bytesInMemoryMax) return
      for (const partition of partitions)
        while (partition.chunks.length > 1) await spill(partition, partition.chunks.shift()!)
    },

    async removeDuplicates() {
      const duplicates: Duplicate[] = []
      for (const partition of partitions) {
        const chunks = await load(partition)
        const order = orderOf(chunks, partition.rows)
        forEachEqual(chunks, order, (firstAddress, address) => {
          const { chunk, at, keyEnd, end } = entryAt(chunks, address)
          const ordinal = ordinalOf(chunk, at)
          removed.add(ordinal)
          content.remove(chunk.bytes, at + headerBytes, end)
          const rowKey = chunk.bytes.toString('utf8', at + headerBytes, keyEnd)
          const first = entryAt(chunks, firstAddress)
          duplicates.push({ rowKey, ordinal, firstOrdinal: ordinalOf(first.chunk, first.at) })
        })
        if (partition.spilled.length === 0) partition.order = order
        unload(partition, chunks)
      }
      return duplicates.sort((a, b) => a.ordinal - b.ordinal)
    },

    async removeRows(isOut) {
      const rowKeys: string[] = []
      for (const partition of partitions) {
        const chunks = await load(partition)
        for (const [index, { used }] of chunks.entries()) {
          for (let start = 0; start < used; ) {
            const { chunk, at, keyEnd, end } = entryAt(chunks, index * chunkBytes + start)
            start = (end + 3) & ~3
            if (removed.has(ordinalOf(chunk, at)) || !isOut(chunk.bytes, at + headerBytes, keyEnd)) continue
            removed.add(ordinalOf(chunk, at))
            content.remove(chunk.bytes, at + headerBytes, end)
            rowKeys.push(chunk.bytes.toString('utf8', at + headerBytes, keyEnd))
          }
        }
        unload(partition, chunks)
      }
      return rowKeys
    },

    get rows() {
      return content.rows
    },
    get bytes() {
      return content.bytes
    },

    contentHash: () => content.digest(),

    async *buckets(bucketsTotal) {
      const reused = createReusedRows()
      let bucketRows: BucketRow[] = []
      let trip: Bucket[] = []
      let number = 0
      for (const partition of partitions) {
        const chunks = await load(partition)
        const { addresses, hashes } = partition.order ?? orderOf(chunks, partition.rows)
        for (let index = 0; index < addresses.length; index++) {
          const { chunk, at, keyEnd, end } = entryAt(chunks, addresses[index]!)
          if (removed.size > 0 && removed.has(ordinalOf(chunk, at))) continue
          const bucket = bucketOfHash(hashes[index]!, bucketsTotal)
          for (; number < bucket; number++) {
            trip.push({ number, rows: bucketRows })
            bucketRows = []
            if (trip.length < limits.bucketsPerTrip) continue
            yield trip
            trip = []
            reused.takeBack()
          }
          bucketRows.push(reused.take(chunk.bytes, at + headerBytes, keyEnd, end))
        }
        if (partition === partitions.at(-1)) continue
        if (trip.length > 0) yield trip
        trip = []
        // The bucket may go on in the next partition, which takes over chunks of this one.
        bucketRows = bucketRows.map(copyOfRow)
        reused.takeBack()
        unload(partition, chunks)
      }
      for (; number < bucketsTotal; number++) {
        trip.push({ number, rows: bucketRows })
        bucketRows = []
      }
      if (trip.length > 0) yield trip
    },

    async close() {
      for (const { file } of partitions) await file?.close()
      if (directory !== null) await rm(directory, { recursive: true, force: true })
    },
  }
}

interface Entry {
  readonly chunk: Chunk
  /** Where its header begins. */
  readonly at: number
  readonly keyEnd: number
  readonly end: number
}

function entryAt(chunks: readonly Chunk[], address: number): Entry {
  const chunk = chunks[Math.floor(address / chunkBytes)]!
  const at = address % chunkBytes
  const lengths = chunk.words[(at >>> 2) + 2]!
  const keyEnd = at + headerBytes + (lengths >>> 16)
  return { chunk, at, keyEnd, end: keyEnd + (lengths & 0xffff) }
}

function ordinalOf(chunk: Chunk, at: number): number {
  return chunk.words[(at >>> 2) + 1]!
}

/** The entries of a partition by hash, those of one hash in the order in which they were added. */
interface Order {
  readonly addresses: Uint32Array
  readonly hashes: Uint32Array
}

function orderOf(chunks: readonly Chunk[], rows: number): Order {
  if (rows > placesMax)
    throw new OperationError('there are too many rows for one table; split the model by its row keys')
  const added = new Uint32Array(rows)
  // Doubles sort without a comparison in JavaScript: 250,000 in some 20 ms.
  const keys = new Float64Array(rows)
  let place = 0
  for (const [index, { words, used }] of chunks.entries()) {
    for (let word = 0; word < used >>> 2; place++) {
      added[place] = (index * chunkWords + word) * 4
      keys[place] = words[word]! * placesMax + place
      const lengths = words[word + 2]!
      word += (headerBytes + (lengths >>> 16) + (lengths & 0xffff) + 3) >>> 2
    }
  }
  keys.sort()
  const [addresses, hashes] = [new Uint32Array(rows), new Uint32Array(rows)]
  for (let index = 0; index < rows; index++) {
    const key = keys[index]!
    const hash = Math.floor(key / placesMax)
    hashes[index] = hash
    addresses[index] = added[key - hash * placesMax]!
  }
  return { addresses, hashes }
}

/** Calls back for every entry whose row key an earlier one has, with the address of the first such. */
function forEachEqual(
  chunks: readonly Chunk[],
  { addresses, hashes }: Order,
  onEqual: (firstAddress: number, address: number) => void,
): void {
  const firsts: number[] = []
  for (let index = 1; index < hashes.length; index++) {
    if (hashes[index] !== hashes[index - 1]) {
      firsts.length = 0
      continue
    }
    if (firsts.length === 0) firsts.push(addresses[index - 1]!)
    const address = addresses[index]!
    const first = firsts.find((other) => haveOneKey(entryAt(chunks, other), entryAt(chunks, address)))
    if (first === undefined) firsts.push(address)
    else onEqual(first, address)
  }
}

function haveOneKey(a: Entry, b: Entry): boolean {
  const start = (entry: Entry) => entry.at + headerBytes
  return a.chunk.bytes.compare(b.chunk.bytes, start(b), b.keyEnd, start(a), a.keyEnd) === 0
}

/**
 * Rows of the trip under way, their objects filled anew for each trip: one object a row was half of the memory that
 * writing 10 M rows took.
 */
function createReusedRows() {
  const rows: { -readonly [Name in keyof BucketRow]: BucketRow[Name] }[] = []
  let taken = 0
  return {
    take(data: Buffer, keyStart: number, keyEnd: number, recordEnd: number): BucketRow {
      const known = rows[taken]
      taken++
      if (known === undefined) {
        const row = { data, keyStart, keyEnd, recordEnd }
        rows.push(row)
        return row
      }
      known.data = data
      known.keyStart = keyStart
      known.keyEnd = keyEnd
      known.recordEnd = recordEnd
      return known
    },
    takeBack() {
      taken = 0
    },
  }
}

function copyOfRow({ data, keyStart, keyEnd, recordEnd }: BucketRow): BucketRow {
  const copy = Buffer.from(data.subarray(keyStart, recordEnd))
  return { data: copy, keyStart: 0, keyEnd: keyEnd - keyStart, recordEnd: copy.length }
}
