import { Counter, Histogram, type HistogramConfiguration, type Registry } from 'prom-client'
import { type Cause, causes, type Format, formats, type Reason, reasons } from '../domain/reasons.ts'
import type { CompiledVersion } from '../domain/snapshot.ts'
import type { CountedAnswer, ServingMetrics } from '../serving/ports.ts'
import { durationBuckets, metricNames } from './names.ts'

/**
 * Requests are counted in plain integers, since prom-client hashes its labels at every count; what they add up to is
 * handed over when somebody scrapes. Labels come from the catalog only, so their number is bounded by it.
 */

/** One cell for every reason × cause (or none) × format × status class 2xx or 3xx. */
const answerCells = reasons.length * (causes.length + 1) * formats.length * 2

const reasonIndex = indexOf(reasons)
const causeIndex = indexOf(causes)
const formatIndex = indexOf(formats)

function indexOf<T extends string>(values: readonly T[]): Readonly<Record<T, number>> {
  return Object.fromEntries(values.map((value, index) => [value, index])) as Record<T, number>
}

interface VersionCounts {
  readonly labels: { readonly tenant: string; readonly model: string; readonly version: string }
  readonly answers: Float64Array
  readonly durations: DurationCounts
}

interface DurationCounts {
  readonly labels: { readonly tenant: string; readonly model: string }
  /** One a bucket, not cumulative, and one for what is slower than all. */
  readonly buckets: Float64Array
  sumMs: number
}

export function createServingMetrics(registry: Registry): ServingMetrics {
  const versions = new Map<string, VersionCounts>()
  const durations = new Map<string, DurationCounts>()
  const refusals = new Map<string, { tenant: string; code: string; status: string; count: number }>()
  /** Finds the counts of a compiled version without building a text. */
  const byVersion = new WeakMap<CompiledVersion, VersionCounts>()

  function durationsOf(tenant: string, model: string): DurationCounts {
    return getOrCreate(durations, `${tenant}/${model}`, () => ({
      labels: { tenant, model },
      buckets: new Float64Array(durationBuckets.length + 1),
      sumMs: 0,
    }))
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
  registerDurations(registry, durations)

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

function cellOf({ reason, cause, format, status }: CountedAnswer): number {
  const causeCell = cause === null ? 0 : causeIndex[cause] + 1
  const cell = (reasonIndex[reason] * (causes.length + 1) + causeCell) * formats.length + formatIndex[format]
  return cell * 2 + (status < 300 ? 0 : 1)
}

function labelsOfCell(cell: number): { reason: Reason; cause: Cause | ''; format: Format; status: string } {
  const status = cell % 2 === 0 ? '2xx' : '3xx'
  const rest = Math.floor(cell / 2)
  const format = formats[rest % formats.length]!
  const ladder = Math.floor(rest / formats.length)
  const cause = causes[(ladder % (causes.length + 1)) - 1] ?? ''
  return { reason: reasons[Math.floor(ladder / (causes.length + 1))]!, cause, format, status }
}

function observe(counts: DurationCounts, durationMs: number): void {
  const seconds = durationMs / 1000
  let bucket = 0
  while (bucket < durationBuckets.length && seconds > durationBuckets[bucket]!) bucket++
  counts.buckets[bucket]!++
  counts.sumMs += durationMs
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

function registerDurations(registry: Registry, durations: ReadonlyMap<string, DurationCounts>): void {
  const { name, help, labels } = metricNames.duration
  new CollectedHistogram(
    { name, help, labelNames: labels, buckets: [...durationBuckets], registers: [registry] },
    () => [...durations.values()].flatMap((counts) => durationValues(name, counts)),
  )
}

type HistogramValues = Awaited<ReturnType<Histogram['get']>>

/** prom-client observes one value at a time; this one hands over what was counted elsewhere. */
class CollectedHistogram extends Histogram {
  private readonly values: () => HistogramValues['values']

  constructor(configuration: HistogramConfiguration<string>, values: () => HistogramValues['values']) {
    super(configuration)
    this.values = values
  }

  override async get(): Promise<HistogramValues> {
    const { name, help } = metricNames.duration
    // The types declare an enum that the package doesn't have; its code uses this text.
    const values = this.values()
    return { name, help, type: 'histogram', aggregator: 'sum', values } as unknown as HistogramValues
  }

  /** What the registry asks for when it writes text. */
  getForPromString(): Promise<HistogramValues> {
    return this.get()
  }
}

function durationValues(name: string, { labels, buckets, sumMs }: DurationCounts): HistogramValues['values'] {
  let cumulated = 0
  const cumulative = [...durationBuckets, '+Inf'].map((le, index) => {
    cumulated += buckets[index] ?? 0
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulated }
  })
  return [
    ...cumulative,
    { metricName: `${name}_sum`, labels, value: sumMs / 1000 },
    { metricName: `${name}_count`, labels, value: cumulated },
  ]
}
