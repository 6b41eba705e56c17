import { Gauge, type Registry } from 'prom-client'
import type { CompiledVersion, Snapshot } from '../domain/snapshot.ts'
import { metricNames } from './names.ts'

/** What is configured and published, as the served snapshot has it; read when somebody scrapes. */
export function registerCatalogMetrics(
  registry: Registry,
  current: () => Snapshot | null,
  brokenTenants: () => number,
): void {
  const { catalogRevision, catalogBroken } = metricNames
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
  const ofVersions = (
    metric: (typeof metricNames)['tableRows' | 'tableBytes' | 'tableAge' | 'tableAgeMax'],
    figureOf: (version: CompiledVersion) => number | null,
  ) =>
    new Gauge({
      ...described(metric),
      registers: [registry],
      collect() {
        this.reset()
        for (const tenant of current()?.tenants.values() ?? [])
          for (const model of tenant.models.values())
            for (const version of model.versions.values()) {
              const value = figureOf(version)
              if (value !== null) this.set({ tenant: tenant.id, model: model.id, version: version.id }, value)
            }
      },
    })
  ofVersions(metricNames.tableRows, ({ table }) => table?.rows ?? null)
  ofVersions(metricNames.tableBytes, ({ published }) => published?.bytes ?? null)
  // A publisher's clock may be ahead of this one.
  ofVersions(metricNames.tableAge, ({ published }) =>
    published === null ? null : Math.max(0, (Date.now() - published.at.getTime()) / 1000),
  )
  ofVersions(metricNames.tableAgeMax, ({ tableAgeSecondsMax }) => tableAgeSecondsMax)
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
