import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { access, constants, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { findRedisServer } from '../../src/commands/local-redis.ts'
import type { Authority } from './certificates.ts'
import { until } from './until.ts'

/** Sentinel, Cluster and TLS from the redis-server on PATH, on loopback; every process is ended by the one who started it. */

/** What is missing for them, in words; null where nothing is. */
export async function missingForTopologies(): Promise<string | null> {
  if ((await findRedisServer())?.endsWith('redis-server') !== true) return 'redis-server'
  for (const directory of (process.env['PATH'] ?? '').split(delimiter))
    if (
      await access(join(directory, 'redis-cli'), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return null
  return 'redis-cli'
}

/** For `describe.skipIf`; says so where it skips. */
export async function cannotRun(suite: string): Promise<boolean> {
  const missing = await missingForTopologies()
  if (missing !== null) process.stderr.write(`tests: ${suite} is skipped; install ${missing}\n`)
  return missing !== null
}

export interface Server {
  readonly port: number
  readonly process: ChildProcess
  /** For the test's own hands; closed by `stop`. */
  readonly client: Redis
  /** SIGKILL, as a machine dies. */
  kill(): Promise<void>
  stop(): Promise<void>
}

export interface Security {
  /** Asked of every client. */
  readonly password?: string
  /** Servers show a certificate of it, and ask for one. */
  readonly authority?: Authority
}

/** Ports that were free when they were asked for, all different. */
async function freePorts(count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer())
  await Promise.all(
    probes.map((probe) => new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))),
  )
  const ports = probes.map((probe) => (probe.address() as { port: number }).port)
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))))
  return ports
}

async function tlsOptions(authority: Authority | undefined) {
  if (authority === undefined) return null
  const { certificate, key } = await authority.issue('redis')
  return { certificate, key, ca: authority.pem, caFile: authority.file }
}

type Tls = Awaited<ReturnType<typeof tlsOptions>>

function listening(port: number, tls: Tls): string[] {
  const files =
    tls === null
      ? ['--port', `${port}`]
      : ['--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', 'yes', '--tls-replication', 'yes']
  if (tls !== null)
    files.push(
      ...['--tls-cert-file', tls.certificate, '--tls-key-file', tls.key, '--tls-ca-cert-file', tls.caFile],
    )
  return [...files, '--bind', '127.0.0.1']
}

async function startServer(
  port: number,
  settings: readonly string[],
  { password, tls }: { password: string | undefined; tls: Tls },
): Promise<Server> {
  const child = spawn((await findRedisServer())!, settings, { stdio: ['ignore', 'ignore', 'inherit'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const client = new Redis({
    port,
    ...(password === undefined ? {} : { password }),
    ...(tls === null ? {} : { tls: { ca: tls.ca, ...(await readPair(tls)) } }),
    retryStrategy: () => 50,
  })
  client.on('error', () => undefined)
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    process.off('exit', kill)
    client.disconnect()
    child.kill('SIGCONT')
    child.kill(signal)
    await exited
  }
  await until(
    `redis-server answers on port ${port}`,
    async () => (await client.ping().catch(() => '')) === 'PONG',
  )
  return { port, process: child, client, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') }
}

async function readPair({ certificate, key }: NonNullable<Tls>): Promise<{ cert: string; key: string }> {
  return { cert: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') }
}

/** What every topology gives back: where it is, and how to end it. */
interface Topology {
  readonly url: string
  stop(): Promise<void>
}

const notKept = ['--save', '', '--appendonly', 'no']
const passwordOf = (password: string | undefined) =>
  password === undefined ? [] : ['--requirepass', password, '--masterauth', password]

function login(password: string | undefined): string {
  return password === undefined ? '' : `default:${encodeURIComponent(password)}@`
}

export interface Standalone extends Topology {
  /** The one that runs, or ran last. */
  readonly server: Server
  /** After a kill: a new process on the same port, with what was saved by hand. */
  restart(): Promise<void>
}

export async function startStandalone({ password, authority }: Security = {}): Promise<Standalone> {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-standalone-'))
  const [port = 0] = await freePorts(1)
  const tls = await tlsOptions(authority)
  const settings = [...listening(port, tls), ...notKept, ...passwordOf(password), '--dir', directory]
  let server = await startServer(port, settings, { password, tls })
  return {
    url: `redis${tls === null ? '' : 's'}://${login(password)}127.0.0.1:${port}`,
    get server() {
      return server
    },
    async restart() {
      server = await startServer(port, settings, { password, tls })
    },
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export interface Sentinels extends Topology {
  /** The first was the master at the start. */
  readonly servers: readonly Server[]
  readonly sentinels: readonly Server[]
  /** The port of the master that the Sentinels agree on. */
  masterPort(): Promise<number>
}

const masterName = 'main'

/** One master, two replicas, three Sentinels. */
export async function startSentinels({
  password,
  authority,
  sentinelPassword,
}: Security & { readonly sentinelPassword?: string } = {}): Promise<Sentinels> {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-sentinel-'))
  const ports = await freePorts(6)
  const [serverPorts, sentinelPorts] = [ports.slice(0, 3), ports.slice(3)]
  const tls = await tlsOptions(authority)
  const servers: Server[] = []
  for (const [index, port] of serverPorts.entries()) {
    const replica = index === 0 ? [] : ['--replicaof', '127.0.0.1', `${serverPorts[0]}`]
    const own = ['--dir', directory, '--dbfilename', `${port}.rdb`, '--repl-diskless-sync-delay', '0']
    const settings = [...listening(port, tls), ...notKept, ...passwordOf(password), ...replica, ...own]
    servers.push(await startServer(port, settings, { password, tls }))
  }
  const sentinels: Server[] = []
  for (const port of sentinelPorts) {
    const file = join(directory, `${port}.conf`)
    const lines = [
      `sentinel monitor ${masterName} 127.0.0.1 ${serverPorts[0]} 2`,
      `sentinel down-after-milliseconds ${masterName} 1000`,
      `sentinel failover-timeout ${masterName} 3000`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${masterName} ${password}`]),
      ...(sentinelPassword === undefined
        ? []
        : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
    ]
    // Sentinels write their state into it.
    await writeFile(file, `${lines.join('\n')}\n`)
    const settings = [file, '--sentinel', ...listening(port, tls), '--dir', directory]
    sentinels.push(await startServer(port, settings, { password: sentinelPassword, tls }))
  }
  const about = async ({ client }: Server) =>
    (await client.call('SENTINEL', 'MASTER', masterName)) as Record<string, string> | string[]
  const fieldOf = (reply: Record<string, string> | string[], name: string) =>
    Array.isArray(reply) ? reply[reply.indexOf(name) + 1] : reply[name]
  for (const sentinel of sentinels)
    await until('each Sentinel knows all the others and both replicas', async () => {
      const reply = await about(sentinel)
      return fieldOf(reply, 'num-other-sentinels') === '2' && fieldOf(reply, 'num-slaves') === '2'
    })
  for (const { client } of servers.slice(1))
    await until('both replicas follow', async () =>
      (await client.info('replication')).includes('master_link_status:up'),
    )
  const hosts = sentinelPorts.map((port) => `127.0.0.1:${port}`).join()
  return {
    url: `redis${tls === null ? '' : 's'}+sentinel://${login(password)}${hosts}/${masterName}`,
    servers,
    sentinels,
    async masterPort() {
      const seen = await Promise.all(
        sentinels.map(async ({ client }) => {
          const address = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName)) as string[]
          return Number(address[1])
        }),
      )
      return new Set(seen).size === 1 ? seen[0]! : 0
    },
    async stop() {
      await Promise.all([...sentinels, ...servers].map((server) => server.stop()))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export interface ClusterServers extends Topology {
  readonly servers: readonly Server[]
  /** Belongs to it and has no slot, so that no client knows it; only where it was asked for. */
  readonly spare: Server | undefined
  /** Of the slot's master, by what the majority of the living says. */
  ownerOf(slot: number): Promise<Server>
}

/** Three masters, each with so many replicas; `more` is for each server's command line. */
export async function startCluster(
  replicas: 0 | 1,
  {
    password,
    authority,
    withSpare = false,
    more = [],
  }: Security & { readonly withSpare?: boolean; readonly more?: readonly string[] } = {},
): Promise<ClusterServers> {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-cluster-'))
  const count = 3 * (1 + replicas)
  const all = count + (withSpare ? 1 : 0)
  const ports = await freePorts(2 * all)
  const tls = await tlsOptions(authority)
  const started = await Promise.all(
    ports.slice(0, all).map((port, index) => {
      const clustered = ['--cluster-enabled', 'yes', '--cluster-port', `${ports[all + index]}`]
      const own = ['--dir', directory, '--dbfilename', `${port}.rdb`, '--cluster-config-file', `${port}.conf`]
      const quick = ['--cluster-node-timeout', '2000', '--repl-diskless-sync-delay', '0']
      const secured = [...passwordOf(password), ...(tls === null ? [] : ['--tls-cluster', 'yes'])]
      const settings = [
        ...listening(port, tls),
        ...notKept,
        ...clustered,
        ...quick,
        ...secured,
        ...own,
        ...more,
      ]
      return startServer(port, settings, { password, tls })
    }),
  )
  const [servers, spare] = [started.slice(0, count), started[count]]
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`)
  const secured = password === undefined ? [] : ['-a', password, '--no-auth-warning']
  if (tls !== null) secured.push('--tls', '--cert', tls.certificate, '--key', tls.key, '--cacert', tls.caFile)
  const create = ['--cluster', 'create', ...hosts, '--cluster-replicas', `${replicas}`, '--cluster-yes']
  await promisify(execFile)('redis-cli', [...secured, ...create])
  if (spare !== undefined)
    await servers[0]!.client.call('CLUSTER', 'MEET', '127.0.0.1', spare.port, ports[all + count]!)
  for (const { client } of started)
    await until('every node sees the whole Cluster', async () => {
      const [info, nodes] = [String(await client.cluster('INFO')), String(await client.cluster('NODES'))]
      return info.includes('cluster_state:ok') && nodes.trim().split('\n').length === all
    })
  for (const { client } of servers)
    await until('every replica follows', async () => {
      const info = await client.info('replication')
      return info.includes('role:master') || info.includes('master_link_status:up')
    })
  const alive = () =>
    started.filter((server) => server.process.exitCode === null && server.process.signalCode === null)
  return {
    url: `redis${tls === null ? '' : 's'}+cluster://${login(password)}${hosts.slice(0, 3).join()}`,
    servers,
    spare,
    async ownerOf(slot) {
      const slots = (await alive()[0]!.client.call('CLUSTER', 'SLOTS')) as [
        number,
        number,
        [string, number],
      ][]
      const [, , master] = slots.find(([first, last]) => first <= slot && slot <= last)!
      return started.find(({ port }) => port === master[1])!
    },
    async stop() {
      await Promise.all(started.map((server) => server.stop()))
      await rm(directory, { recursive: true, force: true })
    },
  }
}
