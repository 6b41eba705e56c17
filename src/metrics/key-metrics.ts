import { Counter, Gauge, type Registry } from 'prom-client'
import { limits } from '../domain/limits.ts'
import { metricNames } from './names.ts'

/** What is known of the key sets that are fetched; read when somebody scrapes. */
interface CountedKeySets {
  ages(): readonly { readonly tenantId: string; readonly issuer: string; readonly ageMs: number }[]
  /** By tenant, since the process began. */
  fetches(): ReadonlyMap<string, { readonly ok: number; readonly failed: number }>
}

export function registerKeyMetrics(registry: Registry, keySets: CountedKeySets): void {
  const { jwksAge, jwksStale, jwksFetches } = metricNames
  new Gauge({
    name: jwksAge.name,
    help: jwksAge.help,
    labelNames: jwksAge.labels,
    registers: [registry],
    collect() {
      this.reset()
      for (const { tenantId: tenant, issuer, ageMs } of keySets.ages())
        this.set({ tenant, issuer }, ageMs / 1000)
    },
  })
  new Gauge({
    name: jwksStale.name,
    help: jwksStale.help,
    registers: [registry],
    collect() {
      this.set(keySets.ages().filter(({ ageMs }) => ageMs > limits.keySetStaleMs).length)
    },
  })
  new Counter({
    name: jwksFetches.name,
    help: jwksFetches.help,
    labelNames: jwksFetches.labels,
    registers: [registry],
    collect() {
      this.reset()
      for (const [tenant, { ok, failed }] of keySets.fetches()) {
        this.inc({ tenant, outcome: 'ok' }, ok)
        this.inc({ tenant, outcome: 'failed' }, failed)
      }
    },
  })
}
