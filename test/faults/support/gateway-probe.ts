/**
 * Loaded into a gateway's process before the gateway: answers what its memory is after a collection, and moves its
 * clock. Nothing of the gateway knows of it.
 */
interface Message {
  readonly moveClockMs?: number
}

const systemNow = Date.now
let aheadMs = 0
Date.now = () => systemNow() + aheadMs

process.on('message', ({ moveClockMs = 0 }: Message) => {
  aheadMs += moveClockMs
  // Twice: what finalizers let go of is collected by the second.
  globalThis.gc?.()
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  process.send?.({ rss, heapUsed })
})
// The gateway ends when it has ended, whoever still listens.
process.channel?.unref()
