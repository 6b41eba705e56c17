/**
 * Lets only so many tasks run at one time; those that wait stand in lines, and the lines take turns. Whoever sends much
 * under one name makes that name's next ones wait, and those of another name for no more than one task a turn.
 */

export interface QueueBounds {
  readonly atOnceMax: number
  readonly waitingPerLineMax: number
  readonly waitingMax: number
}

export interface FairQueue {
  /** Runs the task when it's this line's turn; null where too many wait. */
  run<T>(line: string, task: () => Promise<T>): Promise<T | null>
}

/** Told true when its turn has come, false when it must make room. */
type Waiting = (turn: boolean) => void

export function createFairQueue(bounds: QueueBounds): FairQueue {
  /** By name, the one whose turn is next first; none is empty. */
  const lines = new Map<string, Waiting[]>()
  let running = 0
  let waiting = 0

  function mayWait(name: string): boolean {
    const length = lines.get(name)?.length ?? 0
    if (length >= bounds.waitingPerLineMax) return false
    return waiting < bounds.waitingMax || makeRoom(length)
  }

  /** The last of the longest line leaves, unless this line would become as long: many full lines shut no other out. */
  function makeRoom(length: number): boolean {
    let longest: Waiting[] = []
    for (const line of lines.values()) if (line.length > longest.length) longest = line
    if (longest.length <= length + 1) return false
    waiting--
    longest.pop()?.(false)
    return true
  }

  function turnOf(name: string): Promise<boolean> {
    return new Promise((resolve) => {
      const line = lines.get(name) ?? []
      lines.set(name, line)
      line.push(resolve)
      waiting++
    })
  }

  /** Hands the place of a task that is over to the next line, which then stands last. */
  function passOn(): void {
    const [next] = lines
    if (next === undefined) {
      running--
      return
    }
    const [name, line] = next
    lines.delete(name)
    const first = line.shift()
    if (line.length > 0) lines.set(name, line)
    waiting--
    first?.(true)
  }

  return {
    async run(name, task) {
      if (running < bounds.atOnceMax) running++
      else if (!mayWait(name) || !(await turnOf(name))) return null
      try {
        return await task()
      } finally {
        passOn()
      }
    },
  }
}
