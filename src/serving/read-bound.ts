import { limits } from '../domain/limits.ts'

/** A read that the store owes an answer. */
export interface OwedRead {
  /** It was let in while the bound was as large as it was then. */
  readonly round: number
  /** Milliseconds on one clock for all reads; infinite where it isn't sent yet. */
  sentAt: number
  /** What its model gives the store, from then on; `limits.nodePatienceMsMin` at least. */
  givenMs: number
  isJudged: boolean
}

/**
 * How many reads the store may owe an answer at one time: each is counted from when it is let in until the store
 * has answered it, also where nobody waits for it any more. A read beyond is shed: it would wait for longer than it has,
 * and make the others late, too.
 */
export interface ReadBound {
  /** Null: the read is to be shed. One that was let in must be `answered` or `failed`, unless `isOwed` says no. */
  enter(): OwedRead | null
  sent(read: OwedRead, now: number, modelDeadlineAt: number): void
  answered(read: OwedRead, now: number): void
  /** Says nothing about the store's pace: a fault may come at once. */
  failed(read: OwedRead): void
  /** To be asked now and then: a read is slow before it is answered. False: the store has forgotten it, and it counts no more. */
  isOwed(read: OwedRead, now: number): boolean
  /** How many are owed. */
  inFlight(): number
  /** How many may be at present. */
  size(): number
}

/** Of what a model gives, so much counts as the store's own pace at most. */
const ownShareMax = 0.8
/** Of what the store answers in the time that a model gives, so many are let in at least: what is left is for uneven replies. */
const fittingShare = 0.8

/**
 * Follows the store: half as many where most reads of a window were slow, a sixteenth more where they weren't, up to
 * `max` (additive increase would take minutes, and nothing is lost by being wrong: reads beyond what the store can do
 * are slow at once). A window is as many reads as may be in flight, about one trip's worth, so that there is no timer.
 * Halving ends at four fifths of what the store answers in the time that a model gives: so many are in time on average
 * (Little's law), also where near reads make steady far ones look slow. Where two windows in a row were slow, it is
 * that at once, or a sixteenth more than before where that is larger.
 *
 * Slow is what waits: a read has half of the time that is left when the store's own pace is taken off what its model gives.
 * That pace is the quickest read since the bound last shrank. A store that is far away takes as long for half as
 * many reads at one time, and is let be; one that is busy takes about half as long, and the bound goes on
 * shrinking until what its model gives is enough.
 *
 * Measured in docs/decisions/0014-shed-by-measured-latency.md.
 */
export function createReadBound(max: number): ReadBound {
  const min = Math.min(limits.readsInFlightMin, max)
  let size = max
  let inFlight = 0
  /** Times that the bound has shrunk: reads that were let in before say nothing about the smaller one. */
  let round = 0
  let ownMs = Number.POSITIVE_INFINITY
  let quick = 0
  let slow = 0
  let wasSlow = false
  const answers = countAnswers()

  function grown(): number {
    return Math.min(max, size + Math.max(1, size >> 4))
  }

  function judge(read: OwedRead, isSlow: boolean): void {
    read.isJudged = true
    if (isSlow) slow++
    else quick++
    if (quick + slow < Math.min(size, limits.readsJudgedMax)) return
    if (slow > quick) {
      const fitting = Math.min(grown(), Math.ceil(answers.perMs() * read.givenMs * fittingShare))
      size = Math.max(min, wasSlow ? 0 : size >> 1, fitting)
      round++
      ownMs = Number.POSITIVE_INFINITY
    } else size = grown()
    wasSlow = slow > quick
    quick = 0
    slow = 0
  }

  function slowFromMs({ givenMs }: OwedRead): number {
    return (Math.min(ownMs, givenMs * ownShareMax) + givenMs) / 2
  }

  return {
    enter() {
      if (inFlight >= size) return null
      inFlight++
      return { round, sentAt: Number.POSITIVE_INFINITY, givenMs: 0, isJudged: false }
    },
    sent(read, now, modelDeadlineAt) {
      read.sentAt = now
      // A model that allows little must not have the others' reads shed.
      read.givenMs = Math.max(limits.nodePatienceMsMin, modelDeadlineAt - now)
    },
    answered(read, now) {
      inFlight--
      answers.add(now)
      if (read.round !== round) return
      const tookMs = now - read.sentAt
      ownMs = Math.min(ownMs, tookMs)
      if (!read.isJudged) judge(read, tookMs > slowFromMs(read))
    },
    failed() {
      inFlight--
    },
    isOwed(read, now) {
      const waitsMs = now - read.sentAt
      if (waitsMs > Math.max(read.givenMs, limits.sharedReadMsMax)) {
        inFlight--
        return false
      }
      if (!read.isJudged && read.round === round && waitsMs > slowFromMs(read)) judge(read, true)
      return true
    },
    inFlight: () => inFlight,
    size: () => size,
  }
}

/** Counted for so long at a time: shorter spans are as uneven as replies that arrive together. */
const spanMs = 50
const keptOfSpan = 0.9

/** The most that the store has answered lately: an eighth of it is left after a second in which it was less. */
function countAnswers(): { add(now: number): void; perMs(): number } {
  let beganAt = Number.NEGATIVE_INFINITY
  let answers = 0
  let most = 0
  return {
    add(now) {
      answers++
      if (now - beganAt < spanMs) return
      most = Math.max(most * keptOfSpan, answers / (now - beganAt))
      beganAt = now
      answers = 0
    },
    perMs: () => most,
  }
}
