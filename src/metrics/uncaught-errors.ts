import { Counter, type Registry } from 'prom-client'
import { described, metricNames } from './names.ts'

/** Counts errors that nothing caught. They are seen while the process drains, if at all. */
export function createUncaughtCounter(registry: Registry): () => void {
  const counter = new Counter({ ...described(metricNames.uncaughtErrors), registers: [registry] })
  return () => counter.inc()
}
