import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../../src/commands/local-redis.ts'
import { until } from '../../support/until.ts'

/** `recgate serve` in a process of its own, on ports that stay its own over restarts. */

const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))
const probe = fileURLToPath(new URL('gateway-probe.ts', import.meta.url))
const compileCache = join(tmpdir(), 'recgate-tests-compile-cache')

interface GatewayUse {
  readonly rss: number
  /** After a collection. */
  readonly heapUsed: number
  /** Of all its threads, since its start. */
  readonly cpuMicroseconds: number
}

export interface GatewayProcess {
  readonly dataPort: number
  readonly pid: () => number
  readonly isRunning: () => boolean
  /** Standard error so far: the log. */
  readonly log: () => string
  /** Memory and CPU time. */
  use(): Promise<GatewayUse>
  /** Its clock, and no timer of it. */
  moveClock(byMs: number): Promise<void>
  /** The body of a path of the ops plane, with its status. */
  ops(path: string): Promise<{ readonly status: number; readonly text: string }>
  /** SIGTERM; answers its exit code. */
  terminate(): Promise<number | null>
  /** After `terminate`: the next process, once it is ready. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function startGatewayProcess(env: Readonly<Record<string, string>>): Promise<GatewayProcess> {
  const [dataPort, opsPort] = [await freePort(), await freePort()]
  const ops = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${opsPort}${path}`, {
      signal: AbortSignal.timeout(10_000),
    })
    return { status: response.status, text: await response.text() }
  }
  let log = ''
  let child: ChildProcess | null = null
  const kill = () => child?.kill('SIGKILL')
  process.once('exit', kill)
  child = await launch()

  async function launch(): Promise<ChildProcess> {
    const flags = ['--expose-gc', '--import', probe]
    const started = spawn(process.execPath, [...flags, cli, 'serve', '--planes', 'data,ops'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_COMPILE_CACHE: compileCache,
        RECGATE_DATA_HOST: '127.0.0.1',
        RECGATE_DATA_PORT: String(dataPort),
        RECGATE_OPS_HOST: '127.0.0.1',
        RECGATE_OPS_PORT: String(opsPort),
        RECGATE_LOG_LEVEL: 'warn',
        ...env,
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    started.stderr!.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    await until('the gateway is ready', async () => {
      if (hasEnded(started)) throw new Error(`the gateway ended:\n${log}`)
      return ops('/readyz').then(
        ({ status }) => status === 200,
        () => false,
      )
    })
    return started
  }

  async function ask(message: object): Promise<GatewayUse> {
    const asked = child!
    asked.send(message)
    const [use] = (await once(asked, 'message')) as [GatewayUse]
    return use
  }

  return {
    dataPort,
    pid: () => child!.pid!,
    isRunning: () => !hasEnded(child!),
    log: () => log,
    use: () => ask({}),
    moveClock: async (byMs) => void (await ask({ moveClockMs: byMs })),
    ops,
    async terminate() {
      const exited = once(child!, 'exit')
      child!.kill('SIGTERM')
      const [code] = (await exited) as [number | null]
      return code
    },
    async restart() {
      child = await launch()
    },
    async stop() {
      process.off('exit', kill)
      if (child === null || hasEnded(child)) return
      const exited = once(child, 'exit')
      child.kill('SIGCONT')
      child.kill('SIGKILL')
      await exited
    },
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}
