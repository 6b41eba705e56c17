import { describe, expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import { createReadBound, type OwedRead, type ReadBound } from '../../../src/serving/read-bound.ts'

const givenMs = 50

/** Sent at this time; one that was shed is a fault of the test. */
function send(bound: ReadBound, at: number, given = givenMs): OwedRead {
  const read = bound.enter()
  if (read === null) throw new Error('a read alone was shed')
  bound.sent(read, at, at + given)
  return read
}

/** One after another, each answered after so long. */
function reads(bound: ReadBound, count: number, tookMs: number, given = givenMs): void {
  for (let index = 0; index < count; index++) {
    const at = index * 1_000
    bound.answered(send(bound, at, given), at + tookMs)
  }
}

/** As many as can be owed at one time; they stay there. */
function fill(bound: ReadBound, at = 0): OwedRead[] {
  const owed: OwedRead[] = []
  for (let read = bound.enter(); read !== null; read = bound.enter()) {
    bound.sent(read, at, at + givenMs)
    owed.push(read)
  }
  return owed
}

describe('what is counted', () => {
  test('as many are let in as it says, and one more for each that is answered', () => {
    const bound = createReadBound(100)
    const owed = fill(bound)
    expect([bound.size(), owed.length, bound.inFlight()]).toEqual([100, 100, 100])
    bound.answered(owed[0]!, 1)
    expect(bound.inFlight()).toBe(99)
    expect([bound.enter() === null, bound.enter() === null]).toEqual([false, true])
  })

  test('a read is owed beyond its deadline, until it is answered or forgotten', () => {
    const bound = createReadBound(2)
    const [late, lost] = fill(bound) as [OwedRead, OwedRead]
    for (const now of [givenMs + 1, limits.sharedReadMsMax])
      expect([bound.isOwed(late, now), bound.isOwed(lost, now), bound.enter()]).toEqual([true, true, null])
    bound.answered(late, limits.sharedReadMsMax)
    expect(bound.inFlight()).toBe(1)
    expect(bound.isOwed(lost, limits.sharedReadMsMax + 1)).toBe(false)
    expect(bound.inFlight()).toBe(0)
  })

  test('a model that gives longer than that is waited for', () => {
    const bound = createReadBound(1)
    const read = send(bound, 0, 5_000)
    expect([bound.isOwed(read, 5_000), bound.isOwed(read, 5_001)]).toEqual([true, false])
  })

  test('one that is not sent yet is owed, and not slow', () => {
    const bound = createReadBound(1)
    const read = bound.enter()!
    for (let look = 0; look < 10; look++) expect(bound.isOwed(read, 1_000_000)).toBe(true)
    expect([bound.inFlight(), bound.size()]).toEqual([1, 1])
  })
})

describe('its size', () => {
  test('goes down to the least where reads are slow, never further, and back where they are quick', () => {
    const bound = createReadBound(4_096)
    reads(bound, 10_000, 60)
    expect(bound.size()).toBe(limits.readsInFlightMin)
    reads(bound, 100_000, 1)
    expect(bound.size()).toBe(4_096)
  })

  test('is halved once for all reads that were owed', () => {
    const bound = createReadBound(4_096)
    const owed = fill(bound)
    for (const read of owed) bound.isOwed(read, 60)
    expect(bound.size()).toBe(2_048)
    for (const read of owed) bound.answered(read, 70)
    expect([bound.size(), bound.inFlight()]).toEqual([2_048, 0])
  })

  test('is halved before slow reads are answered', () => {
    const bound = createReadBound(64)
    const owed = fill(bound)
    // By two thirds of what is given it isn't said whether that is the store's own pace.
    for (const read of owed) bound.isOwed(read, 44)
    expect(bound.size()).toBe(64)
    for (const read of owed) bound.isOwed(read, 46)
    expect(bound.size()).toBe(32)
  })

  test('is at the second time four fifths of what the store answers in the time that is given', () => {
    const bound = createReadBound(4_096)
    const owed: OwedRead[] = []
    const sizes = new Set<number>()
    // One a millisecond, each answered after a hundred.
    for (let now = 0; sizes.size < 2; now++) {
      owed.push(send(bound, now))
      const answered = owed[now - 100]
      if (answered !== undefined) bound.answered(answered, now)
      if (bound.size() < 4_096) sizes.add(bound.size())
    }
    const [halved, fitting] = sizes
    expect(halved).toBe(2_048)
    expect(fitting).toBeGreaterThanOrEqual(0.8 * givenMs - 2)
    expect(fitting).toBeLessThanOrEqual(0.8 * givenMs + 2)
  })

  test.each([
    ['a few slow reads among quick ones', 5, 4, 1_000],
    ['most of them slow', 4, 5, limits.readsInFlightMin],
  ])('%s', (_, quick, slow, size) => {
    const bound = createReadBound(1_000)
    for (let round = 0; round < 1_000; round++) {
      reads(bound, quick, 1)
      reads(bound, slow, 60)
    }
    expect(bound.size()).toBe(size)
  })

  test('isn’t changed by reads that failed', () => {
    const bound = createReadBound(1_000)
    for (let index = 0; index < 10_000; index++) bound.failed(send(bound, index))
    expect([bound.size(), bound.inFlight()]).toEqual([1_000, 0])
  })

  test('isn’t changed by a model that gives little where others’ reads are quick', () => {
    const bound = createReadBound(1_000)
    reads(bound, 10_000, 24, 5)
    expect(bound.size()).toBe(1_000)
  })

  test('stays as it is where it is smaller than the least', () => {
    const bound = createReadBound(1)
    reads(bound, 100, 60)
    expect(bound.size()).toBe(1)
    reads(bound, 100, 1)
    expect(bound.size()).toBe(1)
  })
})

describe('against a store', () => {
  interface Store {
    /** How far away it is, at a time; by the dice, where some of it is near and some far. */
    readonly delayMs: (at: number, chance: () => number) => number
    /** What it answers at most, one after the other. */
    readonly perSecond: number
  }

  interface Load {
    readonly perSecond: number
    /** Instead, from the third second on. */
    readonly after2s?: number
    /** What its model gives the store. */
    readonly givenMs?: number
    readonly processes?: number
    /** The processes stand still for so long in each so many milliseconds; what came meanwhile is all sent then. */
    readonly stall?: readonly [forMs: number, inMs: number]
  }

  /** Mulberry32: the same every time. */
  function dice(seed: number): () => number {
    let state = seed
    return () => {
      state = (state + 0x6d2b79f5) | 0
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
    }
  }

  /** Of the reads that came in the last of so many seconds: the share that was answered in time, and how many they are. */
  function answeredInTime(store: Store, load: Load, seconds = 4): { share: number; perSecond: number } {
    const isCounted = (at: number) => Math.floor(at / 1_000) === seconds - 1
    const chance = dice(7)
    const { processes = 1, stall: [standsMs, everyMs] = [0, 1_000], givenMs: given = givenMs } = load
    const rateAt = (at: number) => (at < 2_000 ? load.perSecond : (load.after2s ?? load.perSecond))
    const parts = Array.from({ length: processes }, () => ({
      bound: createReadBound(4_096),
      owed: [] as { read: OwedRead; sentAt: number; dueAt: number; isForgotten: boolean }[],
    }))
    const turns = (at: number) => at % everyMs >= standsMs
    let [comesAt, freeAt, offered, inTime] = [0, 0, 0, 0]
    for (let now = 1; now < seconds * 1_000 + 2 * given; now++) {
      if (!turns(now)) continue
      for (const { bound, owed } of parts)
        for (const each of owed.splice(0)) {
          if (each.dueAt <= now) {
            if (!each.isForgotten) bound.answered(each.read, now)
            if (isCounted(each.sentAt) && now - each.sentAt <= given) inTime++
          } else {
            // Deadlines are looked at every five milliseconds.
            if (now % 5 === 0 && !each.isForgotten) each.isForgotten = !bound.isOwed(each.read, now)
            owed.push(each)
          }
        }
      for (; comesAt < now; comesAt += (-Math.log(1 - chance()) * 1_000) / rateAt(now)) {
        const { bound, owed } = parts[Math.floor(chance() * processes)]!
        if (isCounted(now)) offered++
        const read = bound.enter()
        if (read === null) continue
        bound.sent(read, now, now + given)
        freeAt = Math.max(freeAt, now) + (1_000 / store.perSecond) * (0.5 + chance())
        owed.push({
          read,
          sentAt: now,
          dueAt: freeAt + store.delayMs(now, chance) + 3 * chance(),
          isForgotten: false,
        })
      }
    }
    return { share: inTime / offered, perSecond: inTime }
  }

  const near = () => 0
  const mixed = (share: number, nearMs: number, farMs: number) => (_at: number, chance: () => number) =>
    chance() < share ? nearMs : farMs
  const after2s = (delayMs: number) => (at: number) => (at < 2_000 ? 0 : delayMs)

  test.each<[string, Store, Load]>([
    ['near and quick', { delayMs: near, perSecond: 100_000 }, { perSecond: 15_000 }],
    [
      'quick, behind a process that often stands still',
      { delayMs: near, perSecond: 100_000 },
      { perSecond: 15_000, stall: [30, 60] },
    ],
    ['30 ms away', { delayMs: () => 30, perSecond: 100_000 }, { perSecond: 5_000 }],
    ['30 ms away all at once', { delayMs: after2s(30), perSecond: 100_000 }, { perSecond: 5_000 }],
    ['40 ms away all at once', { delayMs: after2s(40), perSecond: 100_000 }, { perSecond: 5_000 }],
    [
      'near and far in turns',
      { delayMs: (at) => (at % 1_000 < 500 ? 30 : 0), perSecond: 100_000 },
      { perSecond: 5_000 },
    ],
    [
      'near for a third of the reads, and 30 ms away for the others',
      { delayMs: mixed(1 / 3, 1, 30), perSecond: 100_000 },
      { perSecond: 5_000 },
    ],
    [
      'the same, behind four processes',
      { delayMs: mixed(1 / 3, 1, 30), perSecond: 100_000 },
      { perSecond: 5_000, processes: 4 },
    ],
    [
      'near for 45 % of the reads, and 30 ms away for the others',
      { delayMs: mixed(0.45, 1, 30), perSecond: 100_000 },
      { perSecond: 5_000 },
    ],
    [
      'a Cluster 20 ms away, 60 % of whose reads take a second trip',
      { delayMs: mixed(0.4, 20, 40), perSecond: 100_000 },
      { perSecond: 5_000 },
    ],
    [
      'near for a third of the reads that have 200 ms, and 120 ms away for the others',
      { delayMs: mixed(1 / 3, 1, 120), perSecond: 100_000 },
      { perSecond: 5_000, givenMs: 200 },
    ],
  ])('that is %s hardly a read is lost', (_, store, load) => {
    expect(answeredInTime(store, load).share).toBeGreaterThan(0.98)
  })

  test.each<[string, Store, Load]>([
    ['asked for twice as much', { delayMs: near, perSecond: 3_000 }, { perSecond: 6_000 }],
    ['asked for five times as much', { delayMs: near, perSecond: 3_000 }, { perSecond: 15_000 }],
    [
      'asked for five times as much by four processes',
      { delayMs: near, perSecond: 3_000 },
      { perSecond: 15_000, processes: 4 },
    ],
    ['20 ms away, too', { delayMs: () => 20, perSecond: 3_000 }, { perSecond: 15_000 }],
    ['30 ms away, too', { delayMs: () => 30, perSecond: 3_000 }, { perSecond: 15_000 }],
  ])('that answers 3,000 a second, %s: most of them in time', (_, store, load) => {
    expect(answeredInTime(store, load).perSecond).toBeGreaterThan(0.8 * store.perSecond)
  })

  test('that is near and far, asked for ten times as much all at once: the bound follows', () => {
    const store = { delayMs: mixed(1 / 3, 1, 30), perSecond: 100_000 }
    expect(answeredInTime(store, { perSecond: 500, after2s: 5_000 }, 6).share).toBeGreaterThan(0.98)
  })

  test('that answers 3,000 a second, near for some of the reads: most of what it can', () => {
    const store = { delayMs: mixed(1 / 3, 1, 30), perSecond: 3_000 }
    expect(answeredInTime(store, { perSecond: 15_000 }, 6).perSecond).toBeGreaterThan(0.7 * 3_000)
  })

  test('that answers 3,000 a second, asked for five times as much: most of them in time within a second', () => {
    const found = answeredInTime({ delayMs: near, perSecond: 3_000 }, { perSecond: 15_000 }, 2)
    expect(found.perSecond).toBeGreaterThan(0.8 * 3_000)
  })
})
