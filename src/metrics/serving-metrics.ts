import { Counter, type Registry } from 'prom-client'
import type { CompiledVersion } from '../domain/snapshot.ts'
import type { ServingMetrics } from '../serving/ports.ts'
import { answerCells, cellOf, labelsOfCell } from './answer-cells.ts'
import { createDurationCounts, type DurationCounts, observe, registerDurations } from './durations.ts'
import { metricNames } from './names.ts'

/**
 * Requests are counted in plain integers, since prom-client hashes its labels at every count; what they add up to is
 * handed over when somebody scrapes. Labels come from the catalog only, so their number is bounded by it.
 */

interface VersionCounts {
  readonly labels: { readonly tenant: string; readonly model: string; readonly version: string }
  readonly answers: Float64Array
  readonly durations: DurationCounts
}

export function createServingMetrics(registry: Registry): ServingMetrics {
  const versions = new Map<string, VersionCounts>()
  const durations = new Map<string, DurationCounts>()
  const refusals = new Map<string, { tenant: string; code: string; status: string; count: number }>()
  /** Finds the counts of a compiled version without building a text. */
  const byVersion = new WeakMap<CompiledVersion, VersionCounts>()

  function durationsOf(tenant: string, model: string): DurationCounts {
    return getOrCreate(durations, `${tenant}/${model}`, () => createDurationCounts(tenant, model))
  }

  function countsOf(version: CompiledVersion): VersionCounts {
    const known = byVersion.get(version)
    if (known !== undefined) return known
    const { tenantId: tenant, modelId: model, id } = version
    // Counts outlive the compiled version: a reload starts no counter anew.
    const counts = getOrCreate(versions, `${tenant}/${model}/${id}`, () => ({
      labels: { tenant, model, version: id },
      answers: new Float64Array(answerCells),
      durations: durationsOf(tenant, model),
    }))
    byVersion.set(version, counts)
    return counts
  }

  registerRequests(registry, versions, refusals)
  registerDurations(registry, metricNames.duration, durations)

  return {
    answered(answer) {
      const counts = countsOf(answer.version)
      counts.answers[cellOf(answer)]!++
      observe(counts.durations, answer.durationMs)
    },
    refused({ code, status, tenantId, durationMs }) {
      const tenant = tenantId ?? ''
      const create = () => ({ tenant, code, status: `${Math.floor(status / 100)}xx`, count: 0 })
      getOrCreate(refusals, `${tenant}/${code}`, create).count++
      observe(durationsOf(tenant, ''), durationMs)
    },
  }
}

function getOrCreate<T>(map: Map<string, T>, key: string, create: () => T): T {
  const known = map.get(key)
  if (known !== undefined) return known
  const created = create()
  map.set(key, created)
  return created
}

function registerRequests(
  registry: Registry,
  versions: ReadonlyMap<string, VersionCounts>,
  refusals: ReadonlyMap<string, { tenant: string; code: string; status: string; count: number }>,
): void {
  const { requests, refusals: refused } = metricNames
  new Counter({
    name: requests.name,
    help: requests.help,
    labelNames: requests.labels,
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, answers } of versions.values())
        for (const [cell, count] of answers.entries())
          if (count > 0) this.inc({ ...labels, ...labelsOfCell(cell) }, count)
      const unknown = { model: '', version: '', reason: '', cause: '', format: '' }
      for (const { tenant, status, count } of refusals.values())
        this.inc({ tenant, status, ...unknown }, count)
    },
  })
  new Counter({
    name: refused.name,
    help: refused.help,
    labelNames: refused.labels,
    registers: [registry],
    collect() {
      this.reset()
      for (const { tenant, code, count } of refusals.values()) this.inc({ tenant, code }, count)
    },
  })
}
