import { Gauge, type Registry } from 'prom-client'
import type { Snapshot } from '../domain/snapshot.ts'
import { metricNames } from './names.ts'

/** What is configured and published, as the served snapshot has it; read when somebody scrapes. */
export function registerCatalogMetrics(
  registry: Registry,
  current: () => Snapshot | null,
  brokenTenants: () => number,
): void {
  const { catalogRevision, catalogBroken, tableRows } = metricNames
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
      this.set(brokenTenants())
    },
  })
  new Gauge({
    ...described(tableRows),
    registers: [registry],
    collect() {
      this.reset()
      for (const tenant of current()?.tenants.values() ?? [])
        for (const model of tenant.models.values())
          for (const { id, table } of model.versions.values())
            if (table !== null) this.set({ tenant: tenant.id, model: model.id, version: id }, table.rows)
    },
  })
}

function described<L extends string>({
  name,
  help,
  labels,
}: {
  name: string
  help: string
  labels: readonly L[]
}) {
  return { name, help, labelNames: labels }
}
