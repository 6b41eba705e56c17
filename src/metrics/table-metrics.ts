import { Gauge, type Registry } from 'prom-client'
import type { WatchedSnapshots } from '../catalog/snapshots.ts'
import { refusals, statesInRedis } from '../domain/publish-facts.ts'
import type { CompiledVersion } from '../domain/snapshot.ts'
import { described, metricNames } from './names.ts'

type Current = WatchedSnapshots['current']

/** The versions' tables and how publishing them goes on, as the served snapshot has it; read when somebody scrapes. */
export function registerTableMetrics(registry: Registry, current: Current): void {
  const { tableRows, tableBytes, tableAge, tableAgeMax, publishLastSuccess } = metricNames
  const ofVersions = (
    metric:
      | typeof tableRows
      | typeof tableBytes
      | typeof tableAge
      | typeof tableAgeMax
      | typeof publishLastSuccess,
    figureOf: (version: CompiledVersion) => number | null,
  ) =>
    new Gauge({
      ...described(metric),
      registers: [registry],
      collect() {
        this.reset()
        for (const { labels, version } of versionsOf(current)) {
          const value = figureOf(version)
          if (value !== null) this.set(labels, value)
        }
      },
    })
  ofVersions(tableRows, ({ table }) => table?.rows ?? null)
  ofVersions(tableBytes, ({ published }) => published?.bytes ?? null)
  // A publisher's clock may be ahead of this one.
  ofVersions(tableAge, ({ published }) =>
    published === null ? null : Math.max(0, (Date.now() - published.at.getTime()) / 1000),
  )
  ofVersions(tableAgeMax, ({ tableAgeSecondsMax }) => tableAgeSecondsMax)
  ofVersions(publishLastSuccess, ({ publishes: { lastSuccessAt } }) =>
    lastSuccessAt === null ? null : lastSuccessAt.getTime() / 1000,
  )
  registerPublishMetrics(registry, current)
}

function registerPublishMetrics(registry: Registry, current: Current): void {
  const { publishRefused, publishGenerations } = metricNames
  new Gauge({
    ...described(publishRefused),
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, version } of versionsOf(current))
        for (const by of refusals) this.set({ ...labels, by }, version.publishes.refused === by ? 1 : 0)
    },
  })
  new Gauge({
    ...described(publishGenerations),
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, version } of versionsOf(current))
        for (const state of statesInRedis)
          this.set({ ...labels, state }, version.publishes.generations[state])
    },
  })
}

function* versionsOf(current: Current) {
  for (const tenant of current()?.tenants.values() ?? [])
    for (const model of tenant.models.values())
      for (const version of model.versions.values())
        yield { labels: { tenant: tenant.id, model: model.id, version: version.id }, version }
}
