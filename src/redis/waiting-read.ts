import type { RecordRead, RecordReadResult } from '../serving/ports.ts'
import type { OwedRead } from '../serving/read-bound.ts'

/** A read between its call and its answer. */
export interface WaitingRead {
  readonly read: RecordRead
  readonly deadlineAt: number
  /** What Redis is given; later than `deadlineAt` where a client asked for less. */
  readonly modelDeadlineAt: number
  /** Null once it is answered: a reply that comes later has nobody to go to. */
  settle: ((result: RecordReadResult) => void) | null
  /** Of the same row: they came while this one was under way, and get what Redis answers to it. Null: none came. */
  followers: WaitingRead[] | null
  /** Redis has answered it, or failed; or it is never sent. */
  isOver: boolean
  /** Its place among those that Redis owes an answer; null where it follows another, or Redis has forgotten it. */
  owed: OwedRead | null
}

/** Whether anybody still waits for what Redis answers. */
export function isAwaited({ settle, followers }: WaitingRead): boolean {
  return settle !== null || (followers?.some((follower) => follower.settle !== null) ?? false)
}

/** Says what Redis answered to a read, or that it failed, and when; whoever was answered before hears nothing more. */
export type Settle = (waitingRead: WaitingRead, result: RecordReadResult, now: number) => void

export interface ReadSender {
  /** Whether any of them can be sent; else they are answered at once. */
  canSend(): boolean
  /** Sends the reads of one turn of the event loop; each is settled when its reply is there. */
  send(reads: readonly WaitingRead[]): void
}
