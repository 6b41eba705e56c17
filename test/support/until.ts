import { setTimeout as pause } from 'node:timers/promises'

/** Far beyond what any machine needs: only a condition that never comes true meets it. */
const waitMsMax = 15_000

/** Waits for what something else brings about. Throws when it never happens, naming `what` was awaited. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + waitMsMax
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${waitMsMax / 1000} s in vain until ${what}`)
    await pause(2)
  }
}
