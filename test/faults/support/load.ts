import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Call, LoadCalls } from './load-process.ts'
import type { LoadOptions } from './open-loop.ts'

/** The load generator from outside: every function of `LoadCalls`, answered by its process. */
export type Load = {
  [Name in Exclude<keyof LoadCalls, 'start'>]: (
    ...parameters: Parameters<LoadCalls[Name]>
  ) => Promise<Awaited<ReturnType<LoadCalls[Name]>>>
} & { stop(): Promise<void> }

const program = fileURLToPath(new URL('load-process.ts', import.meta.url))

export async function startLoad(options: LoadOptions): Promise<Load> {
  const child = fork(program, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const call = createCaller(child)
  await call('start', [options])
  return {
    setRate: (...parameters) => call('setRate', parameters) as Promise<void>,
    setEditions: (...parameters) => call('setEditions', parameters) as Promise<void>,
    setGroups: (...parameters) => call('setGroups', parameters) as Promise<void>,
    counts: () => call('counts', []) as Promise<ReturnType<LoadCalls['counts']>>,
    stretch: (...parameters) => call('stretch', parameters) as Promise<ReturnType<LoadCalls['stretch']>>,
    timeline: (...parameters) => call('timeline', parameters) as Promise<ReturnType<LoadCalls['timeline']>>,
    tries: (...parameters) => call('tries', parameters) as Promise<number[]>,
    drain: () => call('drain', []) as Promise<void>,
    async stop() {
      process.off('exit', kill)
      const exited = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await exited
    },
  }
}

function createCaller(child: ChildProcess) {
  const open = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  let calls = 0
  child.on('message', ({ id, result }: { id: number; result: unknown }) => {
    open.get(id)?.resolve(result)
    open.delete(id)
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of open.values())
      reject(new Error(`the load generator ended: ${code ?? signal}; standard error says why`))
  })
  return (name: Call['name'], parameters: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++calls
      open.set(id, { resolve, reject })
      child.send({ id, name, parameters } satisfies Call, (error) => error !== null && reject(error))
    })
}
