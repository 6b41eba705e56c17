import { limits } from './limits.ts'
import { type LogLine, logLine } from './log-line.ts'

/**
 * An error that nothing caught. Where it came from and what it says, and none of its other fields: clients keep whole
 * commands in them, passwords included.
 */
export function describeUncaught(error: unknown): LogLine {
  const text = error instanceof Error ? (error.stack ?? error.message) : `thrown: ${typeof error}`
  const stack = text.slice(0, limits.errorStackCharactersMax)
  return logLine('error', { stack }, 'nothing caught this error: the process ends')
}
