import { type ChildProcess, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CommandProxy, startCommandProxy } from './command-proxy.ts'

/** A process that talks to Redis through a proxy, so that something can befall it after any of its commands. */

const compileCache = join(tmpdir(), 'recgate-tests-compile-cache')

export interface DyingProcess {
  readonly child: ChildProcess
  readonly proxy: CommandProxy
  /** Once it has ended: its exit code or signal, and what it said. */
  readonly ended: Promise<{ code: number | null; signal: string | null; said: string }>
}

/**
 * `node FILE PROXY_URL ARGUMENTS…`
 *
 * @param at after which of its commands `what` is done, from 1; 0: never
 */
export async function startDying(
  redisUrl: string,
  file: string,
  args: readonly string[],
  at: number,
  what: (child: ChildProcess) => void,
): Promise<DyingProcess> {
  const running: { child?: ChildProcess } = {}
  const proxy = await startCommandProxy(redisUrl, (count) => {
    if (count === at) what(running.child!)
    return count === at
  })
  const child = spawn(process.execPath, [file, proxy.url, ...args], {
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: compileCache },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.child = child
  let said = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  const ended = new Promise<{ code: number | null; signal: string | null; said: string }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, said }))
  })
  return { child, proxy, ended }
}
