import { Counter, type Registry } from 'prom-client'
import type { CompiledVersion } from '../domain/snapshot.ts'
import type { ServingMetrics } from '../serving/ports.ts'
import { answerCells, cellOf, labelsOfCell } from './answer-cells.ts'
import { createDurationCounts, type DurationCounts, observe, registerDurations } from './durations.ts'
import { described, metricNames } from './names.ts'

/**
 * Requests are counted in plain integers, since prom-client hashes its labels at every count; what they add up to is
 * handed over when somebody scrapes. Labels come from the catalog only, so their number is bounded by it.
 */

interface VersionCounts {
  readonly labels: { readonly tenant: string; readonly model: string; readonly version: string }
  readonly answers: Float64Array
  /** The same of units in batches. */
  readonly batchAnswers: Float64Array
  readonly durations: DurationCounts
}

interface RefusalCounts {
  readonly tenant: string
  readonly code: string
  readonly status: string
  requests: number
  batches: number
}

/** What has no more than these labels. */
interface LabelledCount<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>
  count: number
}

type Batches = Map<string, LabelledCount<'tenant' | 'model' | 'status'>>
type RefusedUnits = Map<string, LabelledCount<'tenant' | 'model' | 'format' | 'status'>>

export function createServingMetrics(registry: Registry): ServingMetrics {
  const versions = new Map<string, VersionCounts>()
  const durations = new Map<string, DurationCounts>()
  const batchDurations = new Map<string, DurationCounts>()
  const refusals = new Map<string, RefusalCounts>()
  const batches: Batches = new Map()
  const refusedUnits: RefusedUnits = new Map()
  /** Finds the counts of a compiled version without building a text. */
  const byVersion = new WeakMap<CompiledVersion, VersionCounts>()

  function countsOf(version: CompiledVersion): VersionCounts {
    const known = byVersion.get(version)
    if (known !== undefined) return known
    const { tenantId: tenant, modelId: model, id } = version
    // Counts outlive the compiled version: a reload starts no counter anew.
    const counts = getOrCreate(versions, `${tenant}/${model}/${id}`, () => ({
      labels: { tenant, model, version: id },
      answers: new Float64Array(answerCells),
      batchAnswers: new Float64Array(answerCells),
      durations: durationsOf(durations, tenant, model),
    }))
    byVersion.set(version, counts)
    return counts
  }

  function refusalsOf(tenant: string, code: string, status: string): RefusalCounts {
    const create = () => ({ tenant, code, status, requests: 0, batches: 0 })
    return getOrCreate(refusals, `${tenant}/${code}`, create)
  }

  registerRequests(registry, versions, refusals)
  registerRefusals(registry, refusals)
  registerBatches(registry, batches)
  registerBatchUnits(registry, versions, refusedUnits)
  registerDurations(registry, metricNames.duration, durations)
  registerDurations(registry, metricNames.batchDuration, batchDurations)

  return {
    answered(answer) {
      const counts = countsOf(answer.version)
      counts.answers[cellOf(answer)]!++
      observe(counts.durations, answer.durationMs)
    },
    refused({ code, status, tenantId, durationMs }) {
      const tenant = tenantId ?? ''
      refusalsOf(tenant, code, classOf(status)).requests++
      observe(durationsOf(durations, tenant, ''), durationMs)
    },
    batchAnswered({ model: { id: model, tenantId: tenant }, format, units, durationMs }) {
      countLabelled(batches, { tenant, model, status: '2xx' })
      observe(durationsOf(batchDurations, tenant, model), durationMs)
      for (const unit of units)
        if ('version' in unit) {
          const { reason, cause } = unit
          countsOf(unit.version).batchAnswers[cellOf({ reason, cause, format, status: 200 })]!++
        } else countLabelled(refusedUnits, { tenant, model, format, status: classOf(unit.status) })
    },
    batchRefused({ code, status, tenantId, durationMs }) {
      const tenant = tenantId ?? ''
      refusalsOf(tenant, code, classOf(status)).batches++
      countLabelled(batches, { tenant, model: '', status: classOf(status) })
      observe(durationsOf(batchDurations, tenant, ''), durationMs)
    },
  }
}

function classOf(status: number): string {
  return `${Math.floor(status / 100)}xx`
}

function durationsOf(durations: Map<string, DurationCounts>, tenant: string, model: string): DurationCounts {
  return getOrCreate(durations, `${tenant}/${model}`, () => createDurationCounts(tenant, model))
}

function countLabelled<Label extends string>(
  counts: Map<string, LabelledCount<Label>>,
  labels: Readonly<Record<Label, string>>,
): void {
  getOrCreate(counts, Object.values(labels).join('/'), () => ({ labels, count: 0 })).count++
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
  refusals: ReadonlyMap<string, RefusalCounts>,
): void {
  new Counter({
    ...described(metricNames.requests),
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, answers } of versions.values())
        for (const [cell, count] of answers.entries())
          if (count > 0) this.inc({ ...labels, ...labelsOfCell(cell) }, count)
      const unknown = { model: '', version: '', reason: '', cause: '', format: '' }
      for (const { tenant, status, requests } of refusals.values())
        if (requests > 0) this.inc({ tenant, status, ...unknown }, requests)
    },
  })
}

function registerRefusals(registry: Registry, refusals: ReadonlyMap<string, RefusalCounts>): void {
  new Counter({
    ...described(metricNames.refusals),
    registers: [registry],
    collect() {
      this.reset()
      for (const { tenant, code, requests, batches } of refusals.values())
        this.inc({ tenant, code }, requests + batches)
    },
  })
}

function registerBatches(registry: Registry, batches: Batches): void {
  new Counter({
    ...described(metricNames.batches),
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, count } of batches.values()) this.inc(labels, count)
    },
  })
}

function registerBatchUnits(
  registry: Registry,
  versions: ReadonlyMap<string, VersionCounts>,
  refusedUnits: RefusedUnits,
): void {
  new Counter({
    ...described(metricNames.batchUnits),
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, batchAnswers } of versions.values())
        for (const [cell, count] of batchAnswers.entries())
          if (count > 0) this.inc({ ...labels, ...labelsOfCell(cell) }, count)
      const unknown = { version: '', reason: '', cause: '' }
      for (const { labels, count } of refusedUnits.values()) this.inc({ ...labels, ...unknown }, count)
    },
  })
}
