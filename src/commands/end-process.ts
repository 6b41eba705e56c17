import { constants } from 'node:os'
import type { Gateway } from '../compose.ts'

const signals = ['SIGTERM', 'SIGINT'] as const

/**
 * Ends the process in order: at a signal with 0, and with 1 at an error that nothing caught, after which nobody knows
 * what state the process is in. A signal while it is ending ends it at once, with 128 and the signal's number, as
 * shells have it of processes that a signal ended.
 *
 * @returns whether the end has begun
 */
export function endInOrder(gateway: Gateway, stopped: () => void | Promise<void>): () => boolean {
  let isEnding = false

  function end(exitCode: number): void {
    isEnding = true
    gateway
      .stop()
      .then(stopped)
      .then(
        () => process.exit(exitCode),
        (error: Error) => {
          process.stderr.write(`${error.stack}\n`)
          process.exit(1)
        },
      )
  }

  for (const signal of signals)
    process.on(signal, () => {
      if (isEnding) process.exit(128 + constants.signals[signal])
      end(0)
    })
  // Node sends rejections here, too, that nothing handled.
  process.on('uncaughtException', (error: unknown) => {
    gateway.noteUncaught(error)
    // What fails while the end is under way is noted, and changes nothing.
    if (!isEnding) end(1)
  })
  return () => isEnding
}
