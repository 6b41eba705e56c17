/** What became of each request, exactly: 13 bytes a request, so that half an hour at full load can be kept. */

/** Of the requests that were due in a stretch of time. */
export interface Stretch {
  /** Requests by what became of them, as `200 split`, `503 default` or `error timeout`. */
  readonly outcomes: Readonly<Record<string, number>>
  /** From when the request was due, whatever became of it, to when that was known. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface Tally {
  /** Times in Unix milliseconds with their fraction. */
  add(dueAt: number, doneAt: number, outcome: string): void
  /** `of`: a regular expression; only the latencies of outcomes that it fits. */
  stretch(from: number, to: number, of?: string): Stretch
  /** The requests due in each `bucketMs`, by outcome. */
  timeline(from: number, to: number, bucketMs: number): Readonly<Record<string, number>>[]
}

export function createTally(): Tally {
  let room = 65_536
  let due = new Float64Array(room)
  let latency = new Float32Array(room)
  let kind = new Uint8Array(room)
  let count = 0
  const outcomes: string[] = []
  const numberOf = new Map<string, number>()

  function grow(): void {
    room *= 2
    const [oldDue, oldLatency, oldKind] = [due, latency, kind]
    due = new Float64Array(room)
    latency = new Float32Array(room)
    kind = new Uint8Array(room)
    due.set(oldDue)
    latency.set(oldLatency)
    kind.set(oldKind)
  }

  function intern(outcome: string): number {
    const known = numberOf.get(outcome)
    if (known !== undefined) return known
    if (outcomes.length === 255) throw new Error(`more than 255 outcomes; the last is ${outcome}`)
    numberOf.set(outcome, outcomes.length)
    return outcomes.push(outcome) - 1
  }

  function named(counts: Uint32Array): Record<string, number> {
    return Object.fromEntries(
      outcomes.flatMap((outcome, number) => (counts[number]! > 0 ? [[outcome, counts[number]!]] : [])),
    )
  }

  return {
    add(dueAt, doneAt, outcome) {
      if (count === room) grow()
      due[count] = dueAt
      latency[count] = doneAt - dueAt
      kind[count] = intern(outcome)
      count++
    },
    stretch(from, to, of = '') {
      const counts = new Uint32Array(256)
      const isTimed = outcomes.map((outcome) => new RegExp(of).test(outcome))
      const within: number[] = []
      for (let at = 0; at < count; at++) {
        if (due[at]! < from || due[at]! >= to) continue
        counts[kind[at]!]!++
        if (isTimed[kind[at]!]) within.push(at)
      }
      const sorted = Float32Array.from(within, (at) => latency[at]!).sort()
      const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
      return {
        outcomes: named(counts),
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        maxMs: at(1),
      }
    },
    timeline(from, to, bucketMs) {
      const buckets = Array.from({ length: Math.ceil((to - from) / bucketMs) }, () => new Uint32Array(256))
      for (let at = 0; at < count; at++) {
        const bucket = buckets[Math.floor((due[at]! - from) / bucketMs)]
        if (bucket !== undefined) bucket[kind[at]!]!++
      }
      return buckets.map(named)
    },
  }
}
