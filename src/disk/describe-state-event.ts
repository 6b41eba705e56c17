import { type LogLine, logLine } from '../domain/log-line.ts'
import type { StateDirectoryEvent } from './state-directory.ts'

/** What operators read of the state directory. */
export function describeStateEvent(event: StateDirectoryEvent): LogLine {
  switch (event.event) {
    case 'passed-over':
      return logLine('error', { file: event.file, reason: event.reason }, 'state file is passed over')
    case 'write-failed':
      return logLine(
        'error',
        { file: event.file, reason: event.reason },
        'state can not be written; the next start may find an older one. Trying on',
      )
    case 'write-resumed':
      return logLine('info', {}, 'state can be written again')
  }
}
