import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** What a fetcher gave, as program/fetching.cpp tells it. */
interface Fetched {
  readonly source: string
  readonly version: string
  readonly reason: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly record: unknown
}

/** One fetcher in a process of its own, that lives until it is closed. */
export interface FetchingProcess {
  /** @param values of the row key's parameters in order; an empty one is left out of what the fetcher is given */
  recommend(...values: readonly string[]): Promise<Fetched>
  /** What the fetcher said each time when it asked for a token: whether it wants another one. */
  readonly refreshes: boolean[]
  /** @throws {Error} with what it wrote, where it ended badly */
  close(): Promise<void>
}

/** @param tokenFor what the game gives when it is asked; `-`: no token; `never`: no answer */
export function startFetching(
  program: string,
  args: readonly string[],
  tokenFor: (refresh: boolean) => string,
): FetchingProcess {
  // libcurl heeds proxies of the environment, and none is meant for loopback.
  const child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, no_proxy: '*' } })
  const refreshes: boolean[] = []
  const waiting: ((fetched: Fetched) => void)[] = []
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  // A program that ended breaks the pipe; how it ended says more.
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) => {
    const told = JSON.parse(line) as Fetched | { readonly refresh: boolean }
    if ('source' in told) return waiting.shift()?.(told)
    refreshes.push(told.refresh)
    child.stdin.write(`${tokenFor(told.refresh)}\n`)
  })
  const ended = endOf(child, () => stderr)
  // Whoever waits hears of it; where nobody does, `close` says it.
  ended.catch(() => undefined)
  return {
    refreshes,
    recommend(...values) {
      const fetched = new Promise<Fetched>((resolve) => waiting.push(resolve))
      child.stdin.write(`${values.map((value) => (value === '' ? '-' : value)).join('\t')}\n`)
      return Promise.race([fetched, ended.then(() => Promise.reject(new Error('it ended too early')))])
    },
    async close() {
      child.stdin.end()
      await ended
    },
  }
}

function endOf(child: ChildProcess, stderr: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(`ended with ${signal ?? code}: ${stderr()}`))
    })
  })
}
