import { Histogram, type HistogramConfiguration, type Registry } from 'prom-client'
import { durationBuckets } from './names.ts'

/** How long requests took, counted in plain integers; prom-client gets them when somebody scrapes. */
export interface DurationCounts {
  readonly labels: { readonly tenant: string; readonly model: string }
  /** One a bucket, not cumulative, and one for what is slower than all. */
  readonly buckets: Float64Array
  sumMs: number
}

export function createDurationCounts(tenant: string, model: string): DurationCounts {
  return { labels: { tenant, model }, buckets: new Float64Array(durationBuckets.length + 1), sumMs: 0 }
}

export function observe(counts: DurationCounts, durationMs: number): void {
  const seconds = durationMs / 1000
  let bucket = 0
  while (bucket < durationBuckets.length && seconds > durationBuckets[bucket]!) bucket++
  counts.buckets[bucket]!++
  counts.sumMs += durationMs
}

interface DurationMetric {
  readonly name: string
  readonly help: string
  readonly labels: readonly ('tenant' | 'model')[]
}

export function registerDurations(
  registry: Registry,
  { name, help, labels }: DurationMetric,
  durations: ReadonlyMap<string, DurationCounts>,
): void {
  new CollectedHistogram(
    { name, help, labelNames: labels, buckets: [...durationBuckets], registers: [registry] },
    () => [...durations.values()].flatMap((counts) => durationValues(name, counts)),
  )
}

type HistogramValues = Awaited<ReturnType<Histogram['get']>>

/** prom-client observes one value at a time; this one hands over what was counted elsewhere. */
class CollectedHistogram extends Histogram {
  private readonly described: { readonly name: string; readonly help: string }
  private readonly values: () => HistogramValues['values']

  constructor(configuration: HistogramConfiguration<string>, values: () => HistogramValues['values']) {
    super(configuration)
    this.described = { name: configuration.name, help: configuration.help }
    this.values = values
  }

  override async get(): Promise<HistogramValues> {
    // The types declare an enum that the package doesn't have; its code uses this text.
    const values = this.values()
    return { ...this.described, type: 'histogram', aggregator: 'sum', values } as unknown as HistogramValues
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
