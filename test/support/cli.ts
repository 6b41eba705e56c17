import { type ChildProcess, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'

/** The command line as a user has it: `src/cli.ts` in a process of its own, with an environment of its own. */

// A process needs half a second of a core before it does anything, and tests start up to twenty, one after the other:
// where four workers share two cores with others, such a test takes longer than the 30 s that are enough elsewhere.
vi.setConfig({ testTimeout: 180_000 })

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** Starting takes a third less time with it, and tests start a hundred processes. */
const compileCache = join(tmpdir(), 'recgate-tests-compile-cache')

export interface CliOptions {
  /** RECGATE_… and whatever else; nothing but PATH comes from the tests' own environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
  readonly cwd?: string
}

export interface CliResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  /** Standard output's lines, each read as JSON. */
  json<T = unknown>(): T[]
}

/** Runs to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const running = startCli(args, options)
  return running.exited
}

export interface RunningCli {
  /** Standard output and standard error so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  /** Resolves when what was written matches; rejects with all that was written when the process ends before. */
  written(pattern: RegExp): Promise<RegExpExecArray>
  /** As `| head` does, which reads no further. */
  closeStdout(): void
  signal(name: 'SIGINT' | 'SIGTERM'): void
  readonly exited: Promise<CliResult>
  /** Ends it where it still runs. */
  stop(): Promise<void>
}

/** Starts a command that runs until it's told to end. */
export function startCli(args: readonly string[], { env = {}, stdin, cwd }: CliOptions = {}): RunningCli {
  const child = spawn(process.execPath, [cli, ...args], {
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: compileCache, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdio: 'pipe',
  })
  // A command may end without having read its input.
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin)
  let [stdout, stderr] = ['', '']
  let onWritten: () => void = () => undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    onWritten()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    onWritten()
  })
  const exited = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr, json: () => jsonLines(stdout) }))
  })
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    async written(pattern) {
      const found = () => pattern.exec(stdout) ?? pattern.exec(stderr)
      const early = new Promise<null>((resolve) => {
        onWritten = () => {
          if (found() !== null) resolve(null)
        }
        onWritten()
      })
      await Promise.race([early, exited])
      const match = found()
      if (match === null)
        throw new Error(`recgate ${args[0]} ended without ${pattern}:\n${stdout}\n${stderr}`)
      return match
    },
    closeStdout: () => void child.stdout.destroy(),
    signal: (name) => void child.kill(name),
    exited,
    stop: () => stop(child, exited),
  }
}

async function stop(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL')
  await exited.catch(() => undefined)
}

function jsonLines<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
