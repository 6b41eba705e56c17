import { limits } from '../domain/limits.ts'

/**
 * Who may check a signature now. Anybody can send tokens that claim an issuer, each costing a check in libuv's pool,
 * which also looks up names and reads files: so only so many run at one time, those that wait stand in one line for each
 * claimed issuer, and the lines take turns. Junk that claims one issuer makes that issuer's newcomers wait, and another
 * issuer's for no more than one check a turn.
 */

export interface VerificationBounds {
  readonly atOnceMax: number
  readonly waitingPerIssuerMax: number
  readonly waitingMax: number
}

export const usualBounds: VerificationBounds = {
  atOnceMax: limits.verificationsAtOnceMax,
  waitingPerIssuerMax: limits.verificationsWaitingPerIssuerMax,
  waitingMax: limits.verificationsWaitingMax,
}

export interface VerificationQueue {
  /** Runs the check when it's this issuer's turn; null where too many wait. */
  run<T>(issuer: string, check: () => Promise<T>): Promise<T | null>
}

/** Told true when its turn has come, false when it must make room. */
type Waiting = (turn: boolean) => void

export function createVerificationQueue(bounds: VerificationBounds = usualBounds): VerificationQueue {
  /** By issuer, the one whose turn is next first; none is empty. */
  const lines = new Map<string, Waiting[]>()
  let running = 0
  let waiting = 0

  function mayWait(issuer: string): boolean {
    const length = lines.get(issuer)?.length ?? 0
    if (length >= bounds.waitingPerIssuerMax) return false
    return waiting < bounds.waitingMax || makeRoom(length)
  }

  /** The last of the longest line leaves, unless this line would become as long: many claimed issuers shut none out. */
  function makeRoom(length: number): boolean {
    let longest: Waiting[] = []
    for (const line of lines.values()) if (line.length > longest.length) longest = line
    if (longest.length <= length + 1) return false
    waiting--
    longest.pop()?.(false)
    return true
  }

  function turnOf(issuer: string): Promise<boolean> {
    return new Promise((resolve) => {
      const line = lines.get(issuer) ?? []
      lines.set(issuer, line)
      line.push(resolve)
      waiting++
    })
  }

  /** Hands the place of a check that is over to the next line, which goes to the end of the turn. */
  function passOn(): void {
    const [next] = lines
    if (next === undefined) {
      running--
      return
    }
    const [issuer, line] = next
    lines.delete(issuer)
    const first = line.shift()
    if (line.length > 0) lines.set(issuer, line)
    waiting--
    first?.(true)
  }

  return {
    async run(issuer, check) {
      if (running < bounds.atOnceMax) running++
      else if (!mayWait(issuer) || !(await turnOf(issuer))) return null
      try {
        return await check()
      } finally {
        passOn()
      }
    },
  }
}
