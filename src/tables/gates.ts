import type { RecordField } from '../domain/codec/record-field.ts'
import type { RecordSchema } from '../domain/codec/record-schema.ts'
import type { GateFinding, GateName, Gates } from '../domain/gates.ts'
import { limits } from '../domain/limits.ts'
import type { TableStatistics } from '../domain/table-statistics.ts'
import type { RetainedKeys } from './retained-keys.ts'

/** What the gates look at. */
export interface MeasuredGeneration {
  readonly record: RecordSchema
  readonly rows: number
  readonly bytes: number
  readonly rowsRead: number
  readonly badRows: number
  readonly statistics: TableStatistics
  /** The version's active generation; null: there is none to compare with. */
  readonly previous: {
    readonly rows: number
    readonly statistics: TableStatistics
    /** Null: its rows can't be read. */
    readonly retainedKeys: RetainedKeys | null
  } | null
}

/** The gates that a generation doesn't pass; none: it may become active. */
export function failedGates(gates: Gates, measured: MeasuredGeneration): readonly GateFinding[] {
  const { rows, bytes, rowsRead, badRows, previous } = measured
  const findings: GateFinding[] = []
  const atLeast = (gate: GateName, found: number, allowed: number) => {
    if (found < allowed) findings.push({ gate, field: null, found, allowed })
  }
  const atMost = (gate: GateName, found: number, allowed: number | null, field: string | null = null) => {
    if (allowed !== null && found > allowed) findings.push({ gate, field, found, allowed })
  }
  atLeast('minRows', rows, gates.minRows)
  atMost('maxBytes', bytes, gates.maxBytes)
  if (rowsRead > 0) atMost('maxBadRowShare', badRows / rowsRead, gates.maxBadRowShare)
  if (previous === null || previous.rows < limits.gateComparedRowsMin) return findings
  if (previous.retainedKeys !== null) {
    const { kept, sampled } = previous.retainedKeys
    atLeast('minRetainedKeys', kept / sampled, gates.minRetainedKeys)
  }
  for (const [field, change] of meanChanges(measured, previous.statistics))
    atMost('maxMeanChange', change, gates.maxMeanChange, field)
  for (const [field, change] of shareChanges(measured.statistics, previous.statistics))
    atMost('maxEnumShareChange', change, gates.maxEnumShareChange, field)
  return findings.slice(0, limits.gateFindingsMax)
}

/** Of the fields that both have, as shares of the fields' ranges. */
function meanChanges(
  { record, statistics }: MeasuredGeneration,
  before: TableStatistics,
): [string, number][] {
  const means = new Map(Object.entries(before.means))
  return Object.entries(statistics.means).flatMap(([name, mean]) => {
    const [field, old] = [record[name], means.get(name)]
    const range = field === undefined ? 0 : rangeOf(field)
    return old === undefined || range === 0 ? [] : [[name, Math.abs(mean - old) / range]]
  })
}

function rangeOf(field: RecordField): number {
  switch (field.type) {
    case 'uint':
      return field.max
    case 'int':
    case 'fixed':
      return field.max - field.min
    case 'list':
      return rangeOf(field.items)
    default:
      return 0
  }
}

/** The value of each field whose share changed most. */
function shareChanges(after: TableStatistics, before: TableStatistics): [string, number][] {
  const earlier = new Map(Object.entries(before.shares))
  return Object.entries(after.shares).flatMap(([name, shares]) => {
    const old = new Map(earlier.get(name))
    if (old.size === 0) return []
    const now = new Map(shares)
    const changes = [...new Set([...now.keys(), ...old.keys()])].map(
      (value) => [value, Math.abs((now.get(value) ?? 0) - (old.get(value) ?? 0))] as const,
    )
    const [value, change] = changes.reduce((a, b) => (b[1] > a[1] ? b : a))
    return [[`${name}=${value}`, change]]
  })
}

/** For people: which gate, by how much, and what it wants. */
export function describeFinding({ gate, field, found, allowed }: GateFinding): string {
  const percent = (share: number) => `${Number((share * 100).toFixed(2))} %`
  switch (gate) {
    case 'minRows':
      return `minRows: ${found} rows; at least ${allowed} are wanted`
    case 'maxBytes':
      return `maxBytes: ${found} bytes of row keys and records; at most ${allowed} are allowed`
    case 'maxBadRowShare':
      return `maxBadRowShare: ${percent(found)} of the rows didn't fit; at most ${percent(allowed)} may`
    case 'minRetainedKeys':
      return `minRetainedKeys: ${percent(found)} of the active generation's row keys are still there; at least ${percent(allowed)} are wanted`
    case 'maxMeanChange':
      return `maxMeanChange: the mean of ${field} moves by ${percent(found)} of its range; at most ${percent(allowed)} are allowed`
    case 'maxEnumShareChange':
      return `maxEnumShareChange: the share of ${field} changes by ${percent(found)}; at most ${percent(allowed)} are allowed`
  }
}
