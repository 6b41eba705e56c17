import { limits } from '../domain/limits.ts'
import type { Cause } from '../domain/reasons.ts'
import type { CompiledModel } from '../domain/snapshot.ts'
import { attributeDeadline, type RequestDeadline } from './deadline.ts'
import type { RecordRead, RecordReader, RecordReadResult } from './ports.ts'
import type { ReadBound, ReadPace } from './read-bound.ts'

/** Step 4 within a bound: a read beyond it answers at once with the cause `shed`. Never rejects. */
export type BoundedRead = (
  read: RecordRead,
  model: CompiledModel,
  deadline: RequestDeadline,
) => Promise<RecordReadResult>

const shed: Promise<RecordReadResult> = Promise.resolve({ from: 'none', cause: 'shed' })

/** `clock` gives milliseconds that never run backwards. */
export function createBoundedRead(
  reader: RecordReader,
  bound: ReadBound,
  clock: () => number = () => performance.now(),
): BoundedRead {
  return (read, model, deadline) => {
    if (!bound.enter()) return shed
    const startedAt = clock()
    // No function of its own to wait in: this is passed by every request.
    return reader.read(read, deadline.at, deadline.modelAt).then((result) => {
      const found = attributeDeadline(result, deadline)
      bound.leave(paceOf(found, clock() - startedAt, model))
      return found
    })
  }
}

/** By the model's deadline, never by the client's: who has no patience must not have others shed. */
function paceOf(found: RecordReadResult, tookMs: number, { deadlineMs }: CompiledModel): ReadPace {
  // A fault may come at once, and no table needs no read; where the client gave up it is not known.
  if (found.from === 'none' && saysNothing.has(found.cause)) return 'neutral'
  // A model that allows little must not have the others' reads shed.
  if (tookMs > Math.max(deadlineMs, limits.nodePatienceMsMin) / 2) return 'slow'
  // Most of the time was gone before it began.
  return found.from === 'none' && found.cause === 'deadline' ? 'neutral' : 'quick'
}

const saysNothing: ReadonlySet<Cause> = new Set(['store', 'no-table', 'client-deadline', 'shed'])
