/** What a bucket gives over time: `perSecond` tokens, at most `burst` of them saved up. */
export interface BucketShape {
  readonly perSecond: number
  /** At least 1, or nothing could ever be taken. */
  readonly burst: number
}

/** Tokens that come back with time. No timer: what has come back is worked out when somebody asks. */
export class TokenBucket {
  private shape: BucketShape
  private level: number
  private filledAtMs: number

  /** Full at first. `nowMs` is on a clock that never runs backwards. */
  constructor(shape: BucketShape, nowMs: number) {
    this.shape = shape
    this.level = shape.burst
    this.filledAtMs = nowMs
  }

  /** Whether there were so many to take; none are where there were fewer. */
  take(nowMs: number, count = 1): boolean {
    this.fill(nowMs)
    if (this.level < count) return false
    this.level -= count
    return true
  }

  /** The most that can ever be taken at once. */
  get burst(): number {
    return this.shape.burst
  }

  /** A bucket that was half full is half full again, so that no change gives away what was spent, or takes what was saved. */
  reshape(shape: BucketShape, nowMs: number): void {
    this.fill(nowMs)
    this.level *= shape.burst / this.shape.burst
    this.shape = shape
  }

  private fill(nowMs: number): void {
    const { perSecond, burst } = this.shape
    this.level = Math.min(burst, this.level + ((nowMs - this.filledAtMs) / 1_000) * perSecond)
    this.filledAtMs = nowMs
  }
}
