import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { OperationError, UnreachableError } from '../domain/errors.ts'
import { clusterOptions, nodeOptions, type RedisRole } from './client-options.ts'
import { endSilentRefreshes, isWhole, watchSlots } from './cluster-slots.ts'
import { createDirectConnector } from './connectors.ts'
import { describeEndpoint, describeNode, type RedisEndpoint } from './endpoint.ts'
import { createWatch, type Report, reasonOf, reportError } from './failure-reason.ts'
import { type SilenceWatch, watchSilence } from './silence-watch.ts'

export type RedisClient = Redis | Cluster

export interface RedisConnection {
  readonly endpoint: RedisEndpoint
  /** Shown by Redis' CLIENT LIST. */
  readonly name: string
  /** Why it can't be reached, at every try; the message holds no password and no argument of a command. */
  readonly onError: (error: Error) => void
  /** Everything can be reached, again. */
  readonly onReady?: () => void
}

/** What a client was told, and last met: ioredis doesn't tell it in every topology. */
const connections = new WeakMap<RedisClient, { readonly endpoint: RedisEndpoint; reason: string }>()

/** Of clients that read rows; the others' time-outs are ioredis' own. */
const silenceWatches = new WeakMap<RedisClient, SilenceWatch>()

/** A client that connects in the background and reconnects for ever, with jitter so that a fleet doesn't return as one. */
export function createRedisClient(role: RedisRole, connection: RedisConnection): RedisClient {
  const { endpoint, name, onError } = connection
  const state = { endpoint, reason: 'no answer' }
  const report: Report = (reason) => {
    state.reason = reason
    onError(new Error(reason))
  }
  const onReady = () => {
    state.reason = 'the connection was lost'
    connection.onReady?.()
  }
  const client =
    endpoint.topology === 'cluster'
      ? createCluster(clusterOptions(role, name, endpoint), endpoint, report, onReady)
      : createSingle(nodeOptions(role, name, endpoint), createWatch(endpoint, report), onReady)
  connections.set(client, state)
  if (role === 'reads') {
    const watch = watchSilence(() => (isCluster(client) ? client.nodes('all') : [client]))
    silenceWatches.set(client, watch)
    if (isCluster(client)) endSilentRefreshes(client)
    client.on('end', watch.stop)
  }
  return client
}

/** Tells a client of reads how long they are given: its connections may be silent for as long. */
export function waitsOf(client: RedisClient): (givenMs: number) => void {
  return silenceWatches.get(client)?.given ?? (() => undefined)
}

/** What `createCatalogAnnouncements` works with. */
export interface SubscriberClients {
  /** A new connection, used for nothing else and tried once; `attempt` counts from 0. */
  connect(attempt: number): Redis
  /** An attempt came to nothing for a reason that the connection itself can't know. */
  failed(error: Error): void
  /** An attempt came to its end: announcements are heard. */
  subscribed(): void
}

/**
 * In Cluster every node hears of what is published at any, so that one connection is enough. Each attempt begins at the
 * URL's next host, so that a node or a Sentinel that hangs costs one attempt and not all.
 */
export function createSubscriberClients(connection: RedisConnection): SubscriberClients {
  const { name, onError, onReady = () => undefined } = connection
  const { nodes, topology } = connection.endpoint
  const report: Report = (reason) => onError(new Error(reason))
  const watch = createWatch(connection.endpoint, report)
  return {
    connect(attempt) {
      const first = attempt % nodes.length
      const [node, ...others] = [...nodes.slice(first), ...nodes.slice(0, first)]
      const endpoint: RedisEndpoint =
        topology === 'cluster'
          ? { ...connection.endpoint, topology: 'standalone', nodes: [node!] }
          : { ...connection.endpoint, nodes: [node!, ...others] }
      const once = { retryStrategy: null, sentinelRetryStrategy: () => null, autoResubscribe: false }
      // Ready isn't enough: an ACL may forbid the channel.
      return createSingle({ ...nodeOptions('subscriber', name, endpoint), ...once }, watch, () => undefined)
    },
    failed: (error) => reportError(error, connection.endpoint, report),
    subscribed: onReady,
  }
}

function createSingle(
  options: ReturnType<typeof nodeOptions>,
  { options: more, watch }: ReturnType<typeof createWatch>,
  onReady: () => void,
): Redis {
  const client = new Redis({ ...options, ...more })
  watch(client)
  return client.on('ready', onReady)
}

function createCluster(
  options: ReturnType<typeof clusterOptions>,
  endpoint: RedisEndpoint,
  report: Report,
  onReady: () => void,
): Cluster {
  const Connector = createDirectConnector((node, error) =>
    reportError(error, endpoint, report, `${describeNode(node)}: `),
  )
  const cluster = new Cluster(
    endpoint.nodes.map((node) => ({ ...node })),
    { ...options, redisOptions: { ...options.redisOptions, Connector } },
  )
  watchReadyCheck(cluster, endpoint, report)
  cluster.on('error', (error: Error) => reportError(error, endpoint, report))
  cluster.on('node error', (error: Error, node: string) => reportError(error, endpoint, report, `${node}: `))
  // Without a node there is nobody to be asked, and ioredis knows no reason.
  cluster.on('refresh', () => {
    if (cluster.slots.length === 0) report('CLUSTER SLOTS is empty: no slot has an owner')
    else if (!cluster.slots.some((owners) => owners.length > 0))
      report('CLUSTER SLOTS names no host; is cluster-preferred-endpoint-type unknown-endpoint?')
  })
  watchSlots(cluster, onReady)
  return cluster
}

/** What ioredis keeps from those who use it. */
interface Checking {
  readyCheck(callback: (error?: Error | null, state?: string) => void): void
}

/**
 * ioredis says nothing where its nodes answer, and the Cluster is down. Its check may also fail because it was asked
 * while the nodes of CLUSTER SLOTS were still being connected; that says nothing, and the next one is soon.
 */
function watchReadyCheck(cluster: Cluster, endpoint: RedisEndpoint, report: Report): void {
  const checking = cluster as unknown as Checking
  const readyCheck = checking.readyCheck.bind(cluster)
  checking.readyCheck = (callback) =>
    readyCheck((error, state) => {
      if (error) reportError(error, endpoint, report)
      else if (state !== undefined)
        report(`CLUSTER INFO says cluster_state:${state}; is cluster-require-full-coverage yes?`)
      callback(error, state)
    })
}

export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster
}

/** The servers that rows are read from and written to; in Cluster none until its slots are known. */
export function mastersOf(client: RedisClient): readonly Redis[] {
  return isCluster(client) ? client.nodes('master') : [client]
}

/** Whether everything that the client may have to ask is connected: in Cluster each slot's master. */
function isReady(client: RedisClient): boolean {
  return isCluster(client) ? isWhole(client) : client.status === 'ready'
}

const readyPollMs = 5

/** Waits until everything can be asked. Throws OperationError, which says what can't be reached and why, without passwords. */
export async function redisReady(client: RedisClient, timeoutMs: number): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs
  while (!isReady(client)) {
    if (performance.now() >= giveUpAt) {
      throw new OperationError(describeOutage(client, null))
    }
    await pause(readyPollMs)
  }
}

/** What a server answers that is there, and can't be asked. */
const unable = /^(LOADING|MASTERDOWN|CLUSTERDOWN) /

/**
 * A command's answer. Throws UnreachableError where there is none, for the reason that the connection has met: ioredis'
 * own words for a command that it couldn't send tell none. What the server refuses is thrown as it is.
 */
export async function askRedis<T>(client: RedisClient, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const { name, message } = error as Error
    if (name === 'ReplyError' && !unable.test(message)) throw error
    throw new UnreachableError(describeOutage(client, error as Error), { cause: error })
  }
}

function describeOutage(client: RedisClient, error: Error | null): string {
  const state = connections.get(client)
  if (state === undefined) return `Redis can't be reached: ${error?.message ?? 'no answer'}`
  const reason = (error === null ? null : reasonOf(error, state.endpoint)) ?? state.reason
  return `${describeEndpoint(state.endpoint)} can't be reached: ${reason}`
}
