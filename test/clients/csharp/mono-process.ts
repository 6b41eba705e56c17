import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/**
 * A program on mono that was compiled with programs/ending.cs. Mono 6.8 now and then hangs at its end (3 of 49 programs
 * that had used HttpClient on a busy machine, all their threads asleep), so that a program says when it is over, and is
 * ended then.
 */
export interface MonoProcess {
  write(line: string): void
  endInput(): void
  /** @throws {Error} with what it wrote to standard error, where it ended badly */
  readonly ended: Promise<void>
}

const endMark = '<the program is over>'

export interface MonoOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
}

export function startMono(
  program: string,
  args: readonly string[],
  { env = {}, onLine }: MonoOptions,
): MonoProcess {
  const child = spawn('mono', [program, ...args], { env: { ...process.env, ...env }, stdio: 'pipe' })
  let stderr = ''
  let isOver = false
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  // A program that ended breaks the pipe; how it ended says more.
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line !== endMark) return onLine(line)
    isOver = true
    child.kill('SIGKILL')
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    if (!isOver) throw new Error(`ended with ${signal ?? code}: ${stderr}`)
  })
  // Whoever waits hears of it.
  ended.catch(() => undefined)
  return {
    write: (line) => void child.stdin.write(`${line}\n`),
    endInput: () => void child.stdin.end(),
    ended,
  }
}

/** Runs to its end; what it printed. */
export async function runMono(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  let printed = ''
  const onLine = (line: string) => {
    printed += `${line}\n`
  }
  const running = startMono(program, args, { env, onLine })
  running.endInput()
  await running.ended
  return printed
}
