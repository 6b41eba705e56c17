import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { limits } from '../../src/domain/limits.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { createHashSource } from '../../src/redis/hash-source.ts'
import type { HashPage, HashSource } from '../../src/tables/ports.ts'
import { engines } from '../support/redis.ts'
import { readyClient, serversOf } from '../support/redis-clients.ts'

/** What a Redis holds under a pattern comes out whole, by SCAN and HGETALL alone. */

for (const engine of engines) {
  describe.skipIf(engine.skip)(`hashes on the ${engine.name}`, () => {
    let redis: LocalRedis
    let client: RedisClient
    let source: HashSource

    beforeAll(async () => {
      redis = await engine.start()
      client = await readyClient('tables', redis.url)
      source = createHashSource(client)
    })
    beforeEach(async () => {
      for (const server of serversOf(client)) await server.flushdb()
    })
    afterAll(async () => {
      // The shared database stays marked as the tests' own.
      await client.set('recgate-tests', '1')
      client.disconnect()
      await redis.stop()
    })

    async function read(pattern: string) {
      const pages: HashPage[] = []
      for await (const page of source.pages(pattern)) pages.push(page)
      return {
        pages: pages.length,
        hashes: new Map(
          pages.flatMap(({ hashes }) => hashes.map(({ key, fields }) => [key, fields] as const)),
        ),
        otherKeys: pages.flatMap(({ otherKeys }) => otherKeys).sort(),
      }
    }

    const failure = (pattern: string) =>
      read(pattern).then(
        () => 'nothing failed',
        (error: Error) => `${error.name}: ${error.message}`,
      )

    test('more than one trip takes, and no other keys', async () => {
      const count = limits.hashesPerTrip * 3 + 7
      const written: Promise<number>[] = []
      for (let index = 0; index < count; index++) {
        written.push(client.hset(`player:${index}`, { game_1: String(index), score: '0.5' }))
        written.push(client.hset(`other:${index}`, { game_1: 'x' }))
      }
      await Promise.all(written)
      const { hashes, otherKeys, pages } = await read('player:*')
      expect(hashes.size).toBe(count)
      expect(hashes.get('player:1234')).toEqual([
        ['game_1', '1234'],
        ['score', '0.5'],
      ])
      expect([...hashes.keys()].every((key) => key.startsWith('player:'))).toBe(true)
      expect(otherKeys).toEqual([])
      expect(pages).toBeGreaterThan(2)
    })

    test('text of every kind, and fields in the order in which Redis has them', async () => {
      await client.hset('player:プ', 'z', '', 'a', 'a\nb\0"', '__proto__', '😀')
      expect((await read('player:*')).hashes).toEqual(
        new Map([
          [
            'player:プ',
            [
              ['z', ''],
              ['a', 'a\nb\0"'],
              ['__proto__', '😀'],
            ],
          ],
        ]),
      )
    })

    test('keys of other types are told apart', async () => {
      await client.hset('player:1', 'n', '1')
      await client.set('player:text', 'x')
      await client.rpush('player:list', 'x')
      await client.sadd('player:set', 'x')
      const { hashes, otherKeys } = await read('player:*')
      expect([...hashes.keys()]).toEqual(['player:1'])
      expect(otherKeys).toEqual(['player:list', 'player:set', 'player:text'])
    })

    test('nothing where nothing matches', async () => {
      await client.hset('other:1', 'n', '1')
      const { hashes, otherKeys } = await read('player:*')
      expect([hashes.size, otherKeys]).toEqual([0, []])
    })

    test('what is not UTF-8 is refused by its name', async () => {
      const bytes = Buffer.from([0x61, 0xff])
      await client.hset('player:1', 'model', bytes)
      expect(await failure('player:*')).toBe(
        'OperationError: the field "model" of the hash player:1 is not UTF-8; rows are text, as spark-redis writes them with its model "hash"',
      )
      await client.del('player:1')
      await client.hset('player:2', bytes, 'x')
      expect(await failure('player:*')).toMatch(
        /^OperationError: a field's name in the hash player:2 is not UTF-8/,
      )
      await client.del('player:2')
      await client.hset(Buffer.concat([Buffer.from('player:'), bytes]), 'n', '1')
      expect(await failure('player:*')).toMatch(/^OperationError: the key "player:a\uFFFD" is not UTF-8/)
    })

    test('a connection that ends is a fault', async () => {
      const short = await readyClient('tables', redis.url)
      const pages = createHashSource(short).pages('player:*')[Symbol.asyncIterator]()
      short.disconnect()
      await expect(pages.next()).rejects.toThrow(/Connection is closed|isn't writeable|no server/)
    })
  })
}
