import { Counter, Gauge, type Registry } from 'prom-client'
import type { WatchedSnapshots } from '../catalog/snapshots.ts'
import { problems } from '../catalog/troubles.ts'
import { described, metricNames } from './names.ts'
import { registerTableMetrics } from './table-metrics.ts'

/** What is configured and published, as the served snapshot has it; read when somebody scrapes. */
export function registerCatalogMetrics(
  registry: Registry,
  { current, status }: Pick<WatchedSnapshots, 'current' | 'status'>,
): void {
  const { catalogRevision, catalogBroken, catalogTenants, catalogReadAge } = metricNames
  new Gauge({
    ...described(catalogRevision),
    registers: [registry],
    collect() {
      this.reset()
      for (const tenant of current()?.tenants.values() ?? []) this.set({ tenant: tenant.id }, tenant.revision)
    },
  })
  new Gauge({
    ...described(catalogBroken),
    registers: [registry],
    collect() {
      const standing = Object.values(status().problems)
      for (const problem of problems) this.set({ problem }, standing.filter((one) => one === problem).length)
    },
  })
  new Gauge({
    ...described(catalogTenants),
    registers: [registry],
    collect() {
      const { tenants, fromDisk } = status()
      this.set({ source: 'catalog' }, tenants - fromDisk.tenants)
      this.set({ source: 'disk' }, fromDisk.tenants)
    },
  })
  new Gauge({
    ...described(catalogReadAge),
    registers: [registry],
    collect() {
      this.set(status().readAgeSeconds)
    },
  })
  registerTableMetrics(registry, current)
}

/** What is kept on disk for the next start. */
export function registerStateMetrics(
  registry: Registry,
  writes: () => { readonly done: number; readonly failed: number },
): void {
  new Counter({
    ...described(metricNames.stateWrites),
    registers: [registry],
    collect() {
      const { done, failed } = writes()
      this.reset()
      this.inc({ outcome: 'done' }, done)
      this.inc({ outcome: 'failed' }, failed)
    },
  })
}
