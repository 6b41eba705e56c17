import { Gauge, Registry } from 'prom-client'
import type { PublishReport } from '../tables/publish-report.ts'
import { described, publishMetricNames as names } from './names.ts'

/** Which table a publish was for. */
export interface PublishedVersion {
  readonly tenant: string
  readonly model: string
  readonly version: string
}

/** A publish that is over. */
export interface FinishedPublish {
  /** Null: it failed. */
  readonly report: PublishReport | null
  readonly durationSeconds: number
  readonly at: Date
}

type Outcome = PublishReport['outcome'] | 'failed'

/** An outcome that is missing here doesn't compile. */
const outcomes = Object.keys({
  activated: true,
  unchanged: true,
  refused: true,
  failed: true,
} satisfies Record<Outcome, true>)

/** What a publish tells of itself. Of one that failed nothing is known but that, when, and how long it took. */
export function publishMetrics(
  { tenant, model, version }: PublishedVersion,
  { report, durationSeconds, at }: FinishedPublish,
): Registry {
  const registry = new Registry()
  const labels = { tenant, model, version }
  const outcome = report?.outcome ?? 'failed'
  const outcomeGauge = new Gauge({ ...described(names.outcome), registers: [registry] })
  for (const one of outcomes) outcomeGauge.set({ ...labels, outcome: one }, one === outcome ? 1 : 0)
  const figures = [
    [names.timestamp, at.getTime() / 1000],
    [names.duration, durationSeconds],
    [names.rows, report?.rows],
    [names.badRows, report?.badRows],
    [names.bytes, report?.bytes],
    [names.memory, report?.memoryBytes],
  ] as const
  for (const [metric, value] of figures)
    if (value !== undefined) new Gauge({ ...described(metric), registers: [registry] }).set(labels, value)
  return registry
}
