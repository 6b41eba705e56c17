import { type Cause, causes, type Format, formats, type Reason, reasons } from '../domain/reasons.ts'

/**
 * What was answered, as one cell of an array for every reason × cause (or none) × format × status class 2xx or 3xx:
 * counting then costs one addition.
 */
export interface CountedCell {
  readonly reason: Reason
  readonly cause: Cause | null
  readonly format: Format
  /** 200 or 304. */
  readonly status: number
}

export const answerCells = reasons.length * (causes.length + 1) * formats.length * 2

const reasonIndex = indexOf(reasons)
const causeIndex = indexOf(causes)
const formatIndex = indexOf(formats)

function indexOf<T extends string>(values: readonly T[]): Readonly<Record<T, number>> {
  return Object.fromEntries(values.map((value, index) => [value, index])) as Record<T, number>
}

export function cellOf({ reason, cause, format, status }: CountedCell): number {
  const causeCell = cause === null ? 0 : causeIndex[cause] + 1
  const cell = (reasonIndex[reason] * (causes.length + 1) + causeCell) * formats.length + formatIndex[format]
  return cell * 2 + (status < 300 ? 0 : 1)
}

export function labelsOfCell(cell: number): {
  reason: Reason
  cause: Cause | ''
  format: Format
  status: string
} {
  const status = cell % 2 === 0 ? '2xx' : '3xx'
  const rest = Math.floor(cell / 2)
  const format = formats[rest % formats.length]!
  const ladder = Math.floor(rest / formats.length)
  const cause = causes[(ladder % (causes.length + 1)) - 1] ?? ''
  return { reason: reasons[Math.floor(ladder / (causes.length + 1))]!, cause, format, status }
}
