import { redisKilled } from './rows/redis-killed.ts'
import type { Scenario } from './scenario.ts'

/** The table's rows, in its order. */
export const scenarios: readonly Scenario[] = [redisKilled]
