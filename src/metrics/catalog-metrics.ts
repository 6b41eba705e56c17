import { Counter, Gauge, type Registry } from 'prom-client'
import type { WatchedSnapshots } from '../catalog/snapshots.ts'
import { problems } from '../catalog/troubles.ts'
import type { CompiledVersion } from '../domain/snapshot.ts'
import { metricNames } from './names.ts'

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
