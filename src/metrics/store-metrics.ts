import { Counter, Gauge, type Registry } from 'prom-client'
import { described, metricNames } from './names.ts'

/** What is known of the Redis that reads go to; read when somebody scrapes. */
interface CountedBreakers {
  nodes(): readonly { readonly node: string; readonly isOpen: boolean }[]
  opened(): number
}

export function registerStoreMetrics(registry: Registry, breakers: CountedBreakers): void {
  new Gauge({
    ...described(metricNames.storeBreakerOpen),
    registers: [registry],
    collect() {
      this.reset()
      for (const { node, isOpen } of breakers.nodes()) this.set({ node }, isOpen ? 1 : 0)
    },
  })
  new Counter({
    ...described(metricNames.storeBreakerOpened),
    registers: [registry],
    collect() {
      this.reset()
      this.inc(breakers.opened())
    },
  })
}
