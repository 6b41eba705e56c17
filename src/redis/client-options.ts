import type { ClusterOptions, RedisOptions } from 'ioredis'
import { limits } from '../domain/limits.ts'
import type { RedisEndpoint } from './endpoint.ts'

/**
 * Every time-out and retry of ioredis, explicit. Nothing ever waits in a queue for a connection to come back: the
 * ladder has an answer, and a command has a person who can try again.
 *
 * Measured on ioredis 6 against a stopped server: with a command time-out alone 71,600 commands stayed queued after
 * 4 s; where the connection is ended when it is silent, the worst wait was 54 ms and the queue 0.
 */
const roles = {
  /** Reads on the way of a request: each has its own deadline, and silence-watch.ts clears what Redis never answered. */
  reads: { connectTimeout: 500 },
  /** The catalog and the gateway's other small talk. */
  catalog: { connectTimeout: 2_000, commandTimeout: 2_000, socketTimeout: 5_000 },
  /** Batches of a publish. */
  tables: { connectTimeout: 5_000, commandTimeout: 30_000, socketTimeout: 60_000 },
  /** Announcements: silent for hours, so that only a heartbeat tells whether the connection lives. */
  subscriber: { connectTimeout: 2_000 },
} as const satisfies Record<string, RedisOptions>

/**
 * For a Sentinel to be connected and to answer, whatever the role: a command gives up after 5 s, announcements after 2,
 * and each of them must get past a Sentinel that hangs.
 */
const sentinelAnswerMs = 500

export type RedisRole = keyof typeof roles

/** Longer at each try, up to half a second, and with jitter so that a fleet doesn't return as one. For ever. */
export function reconnectDelayMs(times: number): number {
  return Math.min(500, 50 * times) * (0.5 + Math.random() / 2)
}

/** Without the one that decides the type of replies. */
type Options = Omit<RedisOptions, 'replyMapping'>

/** What holds for every connection, also for each of a Cluster's nodes. */
function connectionOptions(role: RedisRole, name: string, endpoint: RedisEndpoint): Options {
  return {
    ...roles[role],
    ...(endpoint.username === null ? {} : { username: endpoint.username }),
    ...(endpoint.password === null ? {} : { password: endpoint.password }),
    ...(endpoint.tls === null ? {} : { tls: { ...endpoint.tls } }),
    connectionName: name,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    maxLoadingRetryTime: 1_000,
    // A server that doesn't answer any more doesn't say goodbye either.
    disconnectTimeout: 250,
    enableAutoPipelining: false,
    // ioredis sends CLIENT SETINFO otherwise, which an ACL for the gateway would have to allow.
    disableClientInfo: true,
  }
}

/** For one server, or for the one that Sentinels name. */
export function nodeOptions(role: RedisRole, name: string, endpoint: RedisEndpoint): Options {
  const { topology, nodes, masterName, database, tls } = endpoint
  const options: Options = {
    ...connectionOptions(role, name, endpoint),
    db: database,
    retryStrategy: reconnectDelayMs,
    // A master that was made a replica: the next connection asks anew, Sentinels or DNS, who the master is.
    reconnectOnError: ({ message }) => /READONLY You can't write|^MASTERDOWN/.test(message),
  }
  if (topology !== 'sentinel') return { ...options, ...nodes[0] }
  return {
    ...options,
    sentinels: nodes.map((node) => ({ ...node })),
    name: masterName ?? '',
    role: 'master',
    ...(endpoint.sentinelUsername === null ? {} : { sentinelUsername: endpoint.sentinelUsername }),
    ...(endpoint.sentinelPassword === null ? {} : { sentinelPassword: endpoint.sentinelPassword }),
    ...(tls === null ? {} : { enableTLSForSentinelMode: true, sentinelTLS: { ...tls } }),
    sentinelRetryStrategy: reconnectDelayMs,
    sentinelCommandTimeout: sentinelAnswerMs,
    // Those of the URL are all that are asked: the addresses that Sentinels have of each other need not be reachable.
    updateSentinels: false,
    // Sentinels cut the connections to a demoted master themselves, and who connects is told the new one's address.
    failoverDetector: false,
  }
}

type ClusterSettings = Omit<ClusterOptions, 'redisOptions'> & { readonly redisOptions: Options }

/** How often a Cluster's slots are read where nothing else asks for it. */
const slotsRefreshMs = 30_000

export function clusterOptions(role: RedisRole, name: string, endpoint: RedisEndpoint): ClusterSettings {
  // A read has its deadline; everything else can wait for a slot that is on its way, or has no owner yet.
  const isRead = role === 'reads'
  return {
    redisOptions: connectionOptions(role, name, endpoint),
    // Not taken over from redisOptions: commands would wait without bound while the whole Cluster is away.
    enableOfflineQueue: false,
    enableReadyCheck: true,
    enableAutoPipelining: false,
    scaleReads: 'master',
    maxRedirections: isRead ? limits.redirectionsOfReadMax : limits.redirectionsOfCommandMax,
    retryDelayOnMoved: 0,
    retryDelayOnTryAgain: 100,
    retryDelayOnClusterDown: isRead ? 0 : 100,
    // A command whose connection broke may have been carried out: whoever gave it decides whether to give it again.
    retryDelayOnFailover: 0,
    clusterRetryStrategy: reconnectDelayMs,
    // A node that is lost is found again with the slots: it may be another one by then.
    clusterNodeRetryStrategy: null,
    // Three trips to a node. One of reads that hangs is left sooner, by endSilentRefreshes.
    slotsRefreshTimeout: isRead ? 2_000 : 1_000,
    slotsRefreshInterval: slotsRefreshMs,
    // Names stay names, so that a TLS certificate can fit them.
    dnsLookup: (address, callback) => callback(null, address),
    shardedSubscribers: false,
  }
}
