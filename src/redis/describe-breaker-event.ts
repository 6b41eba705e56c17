import { type LogLine, logLine } from '../domain/log-line.ts'
import type { BreakerEvent } from './breaker-event.ts'

/** What operators read of a Redis that fails reads: a line when that begins, and one when it is over. */
export function describeBreakerEvent(event: BreakerEvent): LogLine {
  const { node } = event
  switch (event.event) {
    case 'opened':
      return logLine(
        'warn',
        { node, reason: event.reason },
        'Redis fails reads: they are answered without it, until it answers probes in time',
      )
    case 'closed':
      return logLine('info', { node, afterMs: event.openMs }, 'Redis is read again')
    case 'gone':
      return logLine('info', { node }, 'Redis has no slots any more, and is read no longer')
  }
}
