import { Counter, Gauge, type Registry } from 'prom-client'
import type { NearCache } from '../serving/near-cache.ts'
import { metricNames } from './names.ts'

/** What the near cache holds and has done; read when somebody scrapes. */
export function registerNearCacheMetrics(registry: Registry, { counts }: Pick<NearCache, 'counts'>): void {
  const { nearCacheEntries, nearCacheBytes, nearCacheAnswers, nearCacheEvictions } = metricNames
  for (const [metric, figure] of [
    [nearCacheEntries, 'entries'],
    [nearCacheBytes, 'bytes'],
  ] as const)
    new Gauge({
      name: metric.name,
      help: metric.help,
      labelNames: metric.labels,
      registers: [registry],
      collect() {
        this.reset()
        for (const [tenant, counted] of counts()) this.set({ tenant }, counted[figure])
      },
    })
  new Counter({
    name: nearCacheAnswers.name,
    help: nearCacheAnswers.help,
    labelNames: nearCacheAnswers.labels,
    registers: [registry],
    collect() {
      this.reset()
      for (const [tenant, { fresh, stale }] of counts()) {
        this.inc({ tenant, kind: 'fresh' }, fresh)
        this.inc({ tenant, kind: 'stale' }, stale)
      }
    },
  })
  new Counter({
    name: nearCacheEvictions.name,
    help: nearCacheEvictions.help,
    labelNames: nearCacheEvictions.labels,
    registers: [registry],
    collect() {
      this.reset()
      for (const [tenant, { evicted }] of counts()) this.inc({ tenant }, evicted)
    },
  })
}
