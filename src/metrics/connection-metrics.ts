import type { Server } from 'node:net'
import { promisify } from 'node:util'
import { Counter, Gauge, type Registry } from 'prom-client'
import { metricNames } from './names.ts'

/** What a listener holds, and what its bound turned away. */
export function registerConnectionMetrics(registry: Registry, server: Server): void {
  const { connectionsOpen, connectionsDropped } = metricNames
  const countOpen = promisify(server.getConnections.bind(server))
  new Gauge({
    name: connectionsOpen.name,
    help: connectionsOpen.help,
    registers: [registry],
    async collect() {
      this.set(await countOpen())
    },
  })
  const dropped = new Counter({
    name: connectionsDropped.name,
    help: connectionsDropped.help,
    registers: [registry],
  })
  server.on('drop', () => dropped.inc())
}

/** Counts a queue of connections that was reset. */
export function createFlushCounter(registry: Registry): () => void {
  const { acceptQueueFlushed } = metricNames
  const flushed = new Counter({
    name: acceptQueueFlushed.name,
    help: acceptQueueFlushed.help,
    registers: [registry],
  })
  return () => flushed.inc()
}
