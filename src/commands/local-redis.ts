import { type ChildProcess, spawn } from 'node:child_process'
import { access, constants, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { OperationError } from '../domain/errors.ts'

/** A Redis that was started for a while: for `demo` and for tests. */
export interface LocalRedis {
  readonly url: string
  /** What it is, for people. */
  readonly engine: string
  stop(): Promise<void>
}

/** A server from PATH, or else the in-process engine, which needs nothing. */
export async function startLocalRedis(): Promise<LocalRedis> {
  const binary = await findRedisServer()
  return binary === null ? startInProcessRedis() : startRedisServer(binary)
}

/** `redis-server` or `valkey-server` on PATH; null where there is neither. */
export async function findRedisServer(): Promise<string | null> {
  for (const name of ['redis-server', 'valkey-server'])
    for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
      const candidate = join(directory, name)
      const isThere = await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (isThere) return candidate
    }
  return null
}

/** Runs until `stop`, on a free port of loopback; keeps nothing on disk. */
export async function startRedisServer(
  binary: string,
  moreSettings: readonly string[] = [],
): Promise<LocalRedis> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'recgate-redis-'))
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = spawn(binary, [...settings, '--dir', directory, ...moreSettings], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await accepting(child, binary)
  return {
    url: `redis://127.0.0.1:${port}`,
    engine: `${binary} (started for this, nothing is kept)`,
    async stop() {
      process.off('exit', kill)
      child.kill('SIGTERM')
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function accepting(child: ChildProcess, binary: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (/ready to accept connections/i.test(output)) {
        resolve()
        output = ''
      }
    })
    child.once('error', (error) => reject(new OperationError(`${binary} can't be started: ${error.message}`)))
    child.once('exit', () => reject(new OperationError(`${binary} ended at once:\n${output.trim()}`)))
  })
}

/** In TypeScript, inside this process: slower than Redis and only for trying things. */
export async function startInProcessRedis(): Promise<LocalRedis> {
  // Put together by hand: the package's own servers bind every interface.
  const { createRedisCommandExecutor, RedisServerState, Resp2Server } = await import('js-redis-server/core')
  const engine = new Resp2Server({ server: new RedisServerState(), executor: createRedisCommandExecutor() })
  const sockets = new Set<Socket>()
  engine.server.on('connection', (socket) => {
    // It waits for acknowledgements otherwise, 45 ms a pipeline.
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => engine.server.listen(0, '127.0.0.1', resolve))
  return {
    url: `redis://127.0.0.1:${engine.getPort()}`,
    engine: 'js-redis-server (in process, for trying things only)',
    stop() {
      for (const socket of sockets) socket.destroy()
      return engine.close()
    },
  }
}

/** Free when asked for; whoever binds it next has it. */
export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('a TCP listener has a port')
  return address.port
}
