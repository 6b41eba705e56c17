import {
  ConstantBackoff,
  circuitBreaker,
  ExponentialBackoff,
  halfJitterGenerator,
  handleWhenResult,
} from 'cockatiel'
import { limits } from '../domain/limits.ts'
import type { BreakerEvent } from './breaker-event.ts'
import { createOutcomeWindow } from './outcome-window.ts'

/** What was sent together: null where the node answered it all, or else why it didn't; never rejects. */
export type Outcome = Promise<string | null>

/** Keeps reads from a node that doesn't answer them, and finds out when it does again. */
export interface NodeBreaker {
  /** Nothing may be sent to the node. */
  readonly isOpen: boolean
  /**
   * Counts what is sent together now as answered, or as failed: also where the answer comes after `modelDeadlineAt`, the
   * latest of the reads', and took longer than `limits.nodePatienceMsMin`.
   */
  observe(outcome: Outcome, modelDeadlineAt: number): void
  /** The node can be reached, again: an open breaker asks it now. */
  reached(): void
  /** For good: the node is no longer asked. */
  stop(): void
}

/** What all nodes' breakers have in common. */
export interface BreakerSurroundings {
  /** The reads' clock. */
  readonly clock: () => number
  /** For durations: one on which this process' own delays are nobody's. */
  readonly turningMs: () => number
  readonly report: (event: BreakerEvent) => void
}

/**
 * `node` is its name for log and metrics. `probe` sends a command as reads need it; null where there is no connection to
 * send it over.
 */
export type CreateBreaker = (node: string, probe: () => Outcome | null) => NodeBreaker

/**
 * Opens when more than half of what was sent to the node within a second failed, and that was at least five times:
 * a hiccup of 100 ms is a tenth of that second. While it is open a probe is sent after 50 to 100 ms, then after twice
 * that, up to a second; the first that is answered as quickly as reads need it closes it. What counts, why and the
 * measurements: docs/decisions/0013.
 */
export function createNodeBreaker(
  node: string,
  probe: () => Outcome | null,
  { clock, turningMs, report }: BreakerSurroundings,
): NodeBreaker {
  const policy = circuitBreaker(
    handleWhenResult((failure) => failure !== null),
    {
      breaker: createOutcomeWindow(clock),
      // Probes have a timer. cockatiel would look at the wall clock, and wait for as long as that was set back.
      halfOpenAfter: new ConstantBackoff(Number.NEGATIVE_INFINITY),
    },
  )
  const delays = new ExponentialBackoff({
    initialDelay: limits.breakerProbeMsMin,
    maxDelay: limits.breakerProbeMsMax,
    generator: halfJitterGenerator,
  })
  let delay = delays.next()
  let timer: NodeJS.Timeout | undefined
  let isOpen = false
  let isProbing = false
  let isStopped = false
  let openedAt = 0
  /** The longest that reads waited in vain since the node was last well: a probe may take as long. */
  let patienceMs: number = limits.nodePatienceMsMin

  /** The moment of the call counts as the one of sending. */
  async function judge(outcome: Outcome, withinMs: number): Promise<string | null> {
    const sentAt = turningMs()
    const failure = await outcome
    const tookMs = turningMs() - sentAt
    if (failure === null && tookMs <= withinMs) return null
    patienceMs = Math.max(patienceMs, withinMs)
    return failure ?? `answers take ${Math.ceil(tookMs)} ms`
  }

  function probeLater(): void {
    if (isStopped) return
    timer = setTimeout(sendProbe, delay.duration)
    timer.unref()
  }

  async function sendProbe(): Promise<void> {
    const outcome = probe()
    // What connects has jitter and delays of its own, and costs no read anything.
    if (outcome === null) return probeLater()
    delay = delay.next(undefined)
    isProbing = true
    await policy.execute(() => judge(outcome, patienceMs))
    isProbing = false
    if (isOpen) probeLater()
  }

  policy.onBreak((broken) => {
    if (isOpen || isStopped) return
    isOpen = true
    openedAt = turningMs()
    delay = delays.next()
    report({ event: 'opened', node, reason: 'value' in broken ? String(broken.value) : 'unknown' })
    probeLater()
  })
  policy.onReset(() => {
    if (isStopped) return
    isOpen = false
    patienceMs = limits.nodePatienceMsMin
    report({ event: 'closed', node, openMs: Math.round(turningMs() - openedAt) })
  })

  return {
    get isOpen() {
      return isOpen
    },
    observe(outcome, modelDeadlineAt) {
      // Only a probe closes it again.
      if (isOpen) return
      const withinMs = Math.max(limits.nodePatienceMsMin, modelDeadlineAt - clock())
      void policy.execute(() => judge(outcome, withinMs))
    },
    reached() {
      if (!isOpen || isProbing || isStopped) return
      clearTimeout(timer)
      delay = delays.next()
      void sendProbe()
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
