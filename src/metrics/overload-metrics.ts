import { Gauge, type Registry } from 'prom-client'
import { described, metricNames } from './names.ts'

/** What a process has to do at present; read when somebody scrapes. */
interface Burden {
  requests(): number
  reads(): number
  readsMax(): number
  processes(): number
}

export function registerOverloadMetrics(registry: Registry, burden: Burden): void {
  const { inFlight, readsInFlight, readsInFlightMax, processesLive } = metricNames
  const gauges = [
    [inFlight, burden.requests],
    [readsInFlight, burden.reads],
    [readsInFlightMax, burden.readsMax],
    [processesLive, burden.processes],
  ] as const
  for (const [metric, value] of gauges)
    new Gauge({
      ...described(metric),
      registers: [registry],
      collect() {
        this.set(value())
      },
    })
}
