import { type LogLine, logLine } from '../domain/log-line.ts'
import type { CollectorEvent } from './collector.ts'

/** What operators read of the collector. */
export function describeCollectorEvent(event: CollectorEvent): LogLine {
  switch (event.event) {
    case 'collected': {
      const { collected, forgotten } = event.collection
      const tables = collected.map(({ modelId, generation, why }) => ({ model: modelId, generation, why }))
      return logLine('info', { tenant: event.tenantId, tables, forgotten }, 'tables collected')
    }
    case 'forbidden':
      return logLine(
        'info',
        { reason: event.error.message },
        'this user may not collect tables; `recgate tables collect` does, under one that may',
      )
    case 'failed':
      return logLine('warn', { reason: event.error.message }, 'tables can not be collected; trying again')
  }
}
