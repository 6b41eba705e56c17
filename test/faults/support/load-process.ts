import { type LoadOptions, type OpenLoop, startOpenLoop } from './open-loop.ts'
import type { Stretch } from './tally.ts'

/** The generator in a process of its own: takes one call after the other over IPC, and ends with who started it. */

export interface LoadCalls {
  start(options: LoadOptions): void
  setRate: OpenLoop['setRate']
  setEditions: OpenLoop['setEditions']
  setGroups: OpenLoop['setGroups']
  counts: OpenLoop['counts']
  stretch(from: number, to: number, of?: string): Stretch
  timeline(from: number, to: number, bucketMs: number): Readonly<Record<string, number>>[]
  /** Tries begun in each second from one to the other. */
  tries(from: number, to: number): number[]
  drain(): Promise<void>
}

export interface Call {
  readonly id: number
  readonly name: keyof LoadCalls
  readonly parameters: readonly unknown[]
}

let loop: OpenLoop | null = null
const running = (): OpenLoop => {
  if (loop === null) throw new Error('the load has not been started')
  return loop
}

const calls: LoadCalls = {
  start(options) {
    loop = startOpenLoop(options)
  },
  setRate: (rate) => running().setRate(rate),
  setEditions: (editions) => running().setEditions(editions),
  setGroups: (groups) => running().setGroups(groups),
  counts: () => running().counts(),
  stretch: (from, to, of) => running().tally.stretch(from, to, of),
  timeline: (from, to, bucketMs) => running().tally.timeline(from, to, bucketMs),
  tries(from, to) {
    const [first, last] = [Math.floor(from / 1000), Math.floor(to / 1000)]
    const seconds = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index)
    return seconds.map((second) => running().tries.get(second) ?? 0)
  },
  drain: () => running().drain(),
}

process.on('message', async ({ id, name, parameters }: Call) => {
  const method = calls[name] as (...values: readonly unknown[]) => unknown
  process.send?.({ id, result: (await method(...parameters)) ?? null })
})
process.on('disconnect', () => process.exit(0))
