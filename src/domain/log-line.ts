/** One line of the log as data: the words stand beside the events that they describe, and `compose.ts` writes them. */
export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

export function logLine(level: LogLine['level'], fields: LogLine['fields'], message: string): LogLine {
  return { level, fields, message }
}
