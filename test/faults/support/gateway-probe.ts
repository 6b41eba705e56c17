/**
 * Loaded into a gateway's process before the gateway: answers what it uses of memory, after a collection, and of CPU, and moves its
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
  const { user, system } = process.cpuUsage()
  process.send?.({ rss, heapUsed, cpuMicroseconds: user + system })
})
// The gateway ends when it has ended, whoever still listens.
process.channel?.unref()
