import { type Refusal, refuse } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { CompiledModel } from '../domain/snapshot.ts'
import type { RecordReadResult } from './ports.ts'

/** Absolute, over everything from the request's receipt on. */
export interface RequestDeadline {
  /** On `performance.now()`'s clock. */
  readonly at: number
  /** The model's own; later than `at` where the client asked for less, whose running out says nothing about the gateway. */
  readonly modelAt: number
}

/** The model's deadline, or the earlier one that the header `Recgate-Deadline-Ms` asks for. */
export function requestDeadline(
  model: CompiledModel,
  header: string | undefined,
  receivedAt: number,
): RequestDeadline | Refusal {
  const modelAt = receivedAt + model.deadlineMs
  if (header === undefined) return { at: modelAt, modelAt }
  const asked = Number(header)
  if (!/^[0-9]{1,9}$/.test(header) || asked < limits.deadlineMsMin || asked > limits.deadlineMsAskedMax)
    return refuse(
      'header-invalid',
      `the header "Recgate-Deadline-Ms" must be a whole number of milliseconds from ${limits.deadlineMsMin} to ${limits.deadlineMsAskedMax}`,
    )
  return { at: Math.min(receivedAt + asked, modelAt), modelAt }
}

/** Tells apart who set the deadline that a read ran into. */
export function attributeDeadline(found: RecordReadResult, deadline: RequestDeadline): RecordReadResult {
  if (found.from !== 'none' || found.cause !== 'deadline' || deadline.at === deadline.modelAt) return found
  return { from: 'none', cause: 'client-deadline' }
}
