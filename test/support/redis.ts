import { Redis } from 'ioredis'
import { inject } from 'vitest'
import { type LocalRedis, startInProcessRedis } from '../../src/commands/local-redis.ts'

/** Marks a database as the tests' own: only such a one, or an empty one, is ever flushed. */
const marker = 'recgate-tests'

/**
 * An empty Redis for one test file: the shared real one, in this worker's database, or else the in-process engine.
 */
export async function testRedis(): Promise<LocalRedis> {
  return (await realRedis()) ?? startInProcessRedis()
}

/** The engines that contract suites run on; a missing real one is a suite that says why it is skipped. */
export const engines = [
  { name: 'real Redis', skip: inject('sharedRedis') === null, start: async () => (await realRedis())! },
  { name: 'in-process engine', skip: false, start: startInProcessRedis },
] as const

/** Null where there is none; suites that need one say so when they skip. */
async function realRedis(): Promise<LocalRedis | null> {
  const shared = inject('sharedRedis')
  if (shared === null) return null
  const url = `${shared.url}/${Number(process.env['VITEST_POOL_ID'] ?? 1)}`
  const client = new Redis(url)
  try {
    if ((await client.dbsize()) > 0 && (await client.exists(marker)) === 0)
      throw new Error(`database ${url} holds data that isn't the tests'; give them an empty Redis`)
    await client.flushdb()
    await client.set(marker, '1')
  } finally {
    client.disconnect()
  }
  return { url, engine: shared.engine, stop: async () => undefined }
}
