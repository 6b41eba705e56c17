import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { findRedisServer, startRedisServer } from '../../../src/commands/local-redis.ts'
import { publishWith } from '../../../src/commands/publish.ts'
import type { Tools } from '../../../src/compose.ts'
import { describeEngine } from '../../../src/redis/server-state.ts'
import type { PublishReport } from '../../../src/tables/publish-report.ts'
import { testTools } from '../../support/studio.ts'
import { applyTenant, model, tenant, version } from './bench-studio.ts'

/** A real Redis for one run, and what works on it. */
export interface BenchSite {
  readonly url: string
  readonly engine: string
  readonly directory: string
  readonly tools: Tools
  readonly hands: Redis
  /** An empty Redis with the tenant applied. */
  reset(): Promise<void>
  publishFile(file: string): Promise<PublishReport>
  /** Redis' own account. */
  usedMemory(): Promise<number>
  close(): Promise<void>
}

export async function openBenchSite(): Promise<BenchSite> {
  const binary = await findRedisServer()
  if (binary === null) throw new Error('benchmarks need a real Redis: install redis-server')
  const redis = await startRedisServer(binary)
  const directory = await mkdtemp(join(tmpdir(), 'recgate-bench-'))
  const tools = await testTools(redis.url)
  const hands = new Redis(redis.url)
  return {
    url: redis.url,
    engine: await describeEngine(hands),
    directory,
    tools,
    hands,
    async reset() {
      await hands.flushall('SYNC')
      await applyTenant(tools)
    },
    async publishFile(file) {
      const options = { tenant, model, version, sql: undefined, maxBadRows: 0, who: 'bench', why: 'bench' }
      const report = await publishWith(tools, [file], options)
      if (report.outcome !== 'activated') throw new Error(`the publish was ${report.outcome}`)
      if (Math.round(report.bytes / report.rows) > 60)
        throw new Error('rows are larger than this bench expects')
      return report
    },
    usedMemory: async () => Number(/^used_memory:(\d+)/m.exec(await hands.info('memory'))?.[1]),
    async close() {
      hands.disconnect()
      tools.close()
      await redis.stop()
      await rm(directory, { recursive: true })
    },
  }
}
