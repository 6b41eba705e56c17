import { type Logger, pino } from 'pino'

/** A log of every level that a test can read: what a gateway wrote, and what it must never write. */
export interface MemoryLog {
  readonly log: Logger
  /** One JSON text a line, without the line's end. */
  readonly lines: readonly string[]
}

export function createMemoryLog(): MemoryLog {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line.trimEnd())
  return { log: pino({ level: 'trace', base: null }, { write }), lines }
}
