import { isUtf8 } from 'node:buffer'
import type { Redis } from 'ioredis'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { HashPage, HashSource, KeyedHash } from '../tables/ports.ts'
import { mastersOf, type RedisClient } from './client.ts'

/**
 * Hashes of one server, by SCAN, so that it never stops for long, and HGETALL: it needs no other command. Each trip
 * reads what the SCAN before it found, and scans on. Of a Cluster each master is scanned; a slot that moves meanwhile is
 * an error, which says so.
 */
export function createHashSource(client: RedisClient): HashSource {
  return {
    async *pages(pattern) {
      const servers = mastersOf(client)
      // Nothing found must not look like nothing there.
      if (servers.length === 0)
        throw new OperationError('no server of the Cluster can be asked for its hashes')
      for (const server of servers) yield* pagesOf(server, pattern)
    },
  }
}

async function* pagesOf(client: Redis, pattern: string): AsyncGenerator<HashPage> {
  let cursor = '0'
  let keys: readonly Buffer[] = []
  do {
    // A key that holds something else answers with an error of its own.
    const pipeline = client.pipeline()
    pipeline.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', limits.hashesPerTrip)
    // In capitals, ioredis gives what Redis sends: it would make an object of it, and text of its fields.
    for (const key of keys) pipeline.callBuffer('HGETALL', key)
    const [scanned, ...replies] = (await pipeline.exec()) ?? []
    if (keys.length > 0) yield pageOf(keys, replies)
    const [nextCursor, nextKeys] = replyOf('SCAN', scanned) as [Buffer, Buffer[]]
    cursor = nextCursor.toString()
    keys = nextKeys
  } while (cursor !== '0')
  for (let first = 0; first < keys.length; first += limits.hashesPerTrip) {
    const last = keys.slice(first, first + limits.hashesPerTrip)
    const pipeline = client.pipeline()
    for (const key of last) pipeline.callBuffer('HGETALL', key)
    yield pageOf(last, (await pipeline.exec()) ?? [])
  }
}

type Reply = readonly [error: Error | null, reply: unknown]

function pageOf(keys: readonly Buffer[], replies: readonly Reply[]) {
  const hashes: KeyedHash[] = []
  const otherKeys: string[] = []
  for (const [index, bytes] of keys.entries()) {
    const key = textOf(bytes, () => `the key "${bytes.toString()}"`)
    const reply = replies[index]
    if (reply?.[0]?.message.startsWith('WRONGTYPE')) {
      otherKeys.push(key)
      continue
    }
    const values = replyOf(key, reply) as readonly Buffer[]
    // It was deleted, or has expired, since it was found.
    if (values.length > 0) hashes.push({ key, fields: fieldsOf(key, values) })
  }
  return { hashes, otherKeys }
}

function fieldsOf(key: string, values: readonly Buffer[]): [string, string][] {
  return Array.from({ length: values.length / 2 }, (_, index) => {
    const name = textOf(values[index * 2]!, () => `a field's name in the hash ${key}`)
    return [name, textOf(values[index * 2 + 1]!, () => `the field "${name}" of the hash ${key}`)]
  })
}

function textOf(bytes: Buffer, what: () => string): string {
  if (isUtf8(bytes)) return bytes.toString()
  throw new OperationError(
    `${what()} is not UTF-8; rows are text, as spark-redis writes them with its model "hash"`,
  )
}

/** ioredis' errors carry the command's arguments: only their words go on. */
function replyOf(what: string, reply: Reply | undefined): unknown {
  if (reply === undefined) throw new OperationError(`${what}: Redis gave no answer`)
  if (reply[0] !== null) throw new OperationError(`${what}: ${reply[0].message}`)
  return reply[1]
}
