/**
 * Milliseconds in which this process turned. A process that is busy, or held to a part of a core, reads replies late: that
 * time is nobody else's fault, and doesn't run here. It shows by a timer that fires late.
 */
export interface TurningClock {
  /** For durations only. */
  now(): number
  /** The next timer is due then. */
  expect(dueAt: number): void
  /** The timer has fired; what it was late stays out for good. */
  fired(): void
}

/** Timers of a process that turns are no later, also on a busy machine. */
const usuallyLateMs = 5

/** `clock` gives milliseconds that never run backwards. */
export function createTurningClock(clock: () => number): TurningClock {
  let dueAt = Number.POSITIVE_INFINITY
  let stoodMs = 0
  const lateMs = () => Math.max(0, clock() - dueAt - usuallyLateMs)
  return {
    now: () => clock() - stoodMs - lateMs(),
    expect: (at) => {
      dueAt = at
    },
    fired: () => {
      stoodMs += lateMs()
      dueAt = Number.POSITIVE_INFINITY
    },
  }
}
