import type { RecordRead, RecordReadResult } from '../serving/ports.ts'

/** A read between its call and its answer. */
export interface WaitingRead {
  readonly read: RecordRead
  readonly deadlineAt: number
  /** What Redis is given; later than `deadlineAt` where a client asked for less. */
  readonly modelDeadlineAt: number
  /** Null once it is answered: a reply that comes later has nobody to go to. */
  settle: ((result: RecordReadResult) => void) | null
}

/** Answers a read, unless it was answered before. */
export type Settle = (waitingRead: WaitingRead, result: RecordReadResult) => void

export interface ReadSender {
  /** Whether any of them can be sent; else they are answered at once. */
  canSend(): boolean
  /** Sends the reads of one turn of the event loop; each is settled when its reply is there. */
  send(reads: readonly WaitingRead[]): void
}
