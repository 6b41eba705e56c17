import { catalogBroken } from './rows/catalog-broken.ts'
import { keyServer } from './rows/key-server.ts'
import { noisyTenant } from './rows/noisy-tenant.ts'
import { overload } from './rows/overload.ts'
import { redisFailover } from './rows/redis-failover.ts'
import { redisKilled } from './rows/redis-killed.ts'
import { redisMemory } from './rows/redis-memory.ts'
import { redisSlow } from './rows/redis-slow.ts'
import { redisStopped } from './rows/redis-stopped.ts'
import { retryStorm } from './rows/retry-storm.ts'
import { sigterm } from './rows/sigterm.ts'
import { slowloris } from './rows/slowloris.ts'
import { soak } from './rows/soak.ts'
import type { Scenario } from './scenario.ts'

/** The table's rows, in its order. */
export const scenarios: readonly Scenario[] = [
  redisKilled,
  redisStopped,
  redisSlow,
  redisFailover,
  redisMemory,
  catalogBroken,
  keyServer,
  overload,
  retryStorm,
  noisyTenant,
  slowloris,
  sigterm,
  soak,
]
