import { userInfo } from 'node:os'
import Table from 'cli-table3'
import { type DestinationStream, type Logger, pino } from 'pino'

/** Results go to standard output; everything about how it goes, to standard error. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Of the environment, as `loadSettings` finds it. */
export function noteWarning(variable: string, problem: string): void {
  note(`warning: ${variable} ${problem}`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value))
}

export function countedRows(count: number): string {
  return count === 1 ? '1 row' : `${count} rows`
}

/** A plain table, without lines, so that it can be read and cut. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: Object.fromEntries(borders.map((name) => [name, ''])),
  })
  table.push(...rows.map((row) => [...row]))
  print(table.toString().replace(/ +$/gm, ''))
}

const borders = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
  'left',
  'left-mid',
  'mid',
  'mid-mid',
  'right',
  'right-mid',
  'middle',
] as const

/** Who a change is put down to, where nobody said. */
export function currentUser(): string {
  try {
    return userInfo().username
  } catch {
    // Containers may run under a number without a name.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

/** Commands end in one message that says what failed; every try to connect is only for whoever debugs. */
export function createCommandLog(level: string): Logger {
  return createLog(level === 'debug' ? level : 'error')
}

export function createLog(level: string): Logger {
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }) as DestinationStream)
}
