import type { Redis, RedisOptions } from 'ioredis'
import { createDirectConnector, createSentinelConnector } from './connectors.ts'
import { describeNode, type RedisEndpoint } from './endpoint.ts'

/** Told at every try why a connection isn't there; the text holds no password and no argument of a command. */
export type Report = (reason: string) => void

/** What ioredis says where it knows that there is no connection and not why; the why comes in an error of its own. */
const withoutReason =
  /^(Connection is closed\.|Failed to refresh slots cache\.|timeout|.* and enableOfflineQueue options is false)$/

/** `403D…:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/…` */
const openSsl = /^[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):.*$/s

/**
 * An error's words and nothing else: ioredis' errors carry the arguments of the command, a password among them, and
 * old servers repeat unknown commands with their arguments.
 */
export function wordsOf({ message }: Error): string {
  return message.replace(/,? with args beginning with:.*$/s, '')
}

/** Null where it tells nothing. */
export function reasonOf(error: Error, { tls }: RedisEndpoint): string | null {
  const reason = wordsOf(error).replace(openSsl, 'TLS: $1')
  if (reason === '' || withoutReason.test(reason)) return null
  // A server that misses a certificate may be gone before its alert is read.
  return tls !== null && tls.cert === undefined && /ECONNRESET|EPIPE|before secure TLS/.test(reason)
    ? `${reason}; does the server ask for a client certificate?`
    : reason
}

/** What the URL should have been, without user and password. */
function clusterUrl({ nodes, tls }: RedisEndpoint): string {
  return `redis${tls === null ? '' : 's'}+cluster://${nodes.map(describeNode).join()}`
}

/** `where` is put before the reason. */
export function reportError(error: Error, endpoint: RedisEndpoint, report: Report, where = ''): void {
  const reason = reasonOf(error, endpoint)
  if (reason !== null) report(where + reason)
}

/** What makes clients of one server, or of the one that Sentinels name, report why they aren't connected. */
export function createWatch(
  endpoint: RedisEndpoint,
  report: Report,
): { readonly options: Pick<RedisOptions, 'Connector'>; watch(client: Redis): void } {
  if (endpoint.topology !== 'sentinel') {
    // A Cluster's node would answer most commands with MOVED, and scripts with CROSSSLOT.
    const isFit = ({ cluster_enabled: clusterEnabled }: Readonly<Record<string, string>>) => {
      const isMistaken = endpoint.topology === 'standalone' && clusterEnabled === '1'
      if (isMistaken) report(`it belongs to a Redis Cluster, whose URL must be ${clusterUrl(endpoint)}`)
      return !isMistaken
    }
    return {
      options: { Connector: createDirectConnector(undefined, isFit) },
      watch: (client) => void client.on('error', (error) => reportError(error, endpoint, report)),
    }
  }
  /** Why the last of them wasn't of use; ioredis also says that all are unreachable when it has asked each in turn. */
  let failed: string | null = null
  const fail: Report = (reason) => {
    failed = reason
  }
  const Connector = createSentinelConnector((sentinel, error) =>
    reportError(error, endpoint, fail, `Sentinel at ${describeNode(sentinel)}: `),
  )
  return {
    options: { Connector },
    watch(client) {
      client.on('sentinelError', ({ message }: Error) => {
        if (/invalid reply/.test(message)) fail(`the Sentinels know no master ${endpoint.masterName}`)
        const [, sentinel, reason] = /^failed to connect to sentinel (\S+) because (.*)$/s.exec(message) ?? []
        if (reason !== undefined) reportError(new Error(reason), endpoint, fail, `Sentinel at ${sentinel}: `)
      })
      client.on('error', (error) => {
        if (!error.message.startsWith('All sentinels are unreachable')) reportError(error, endpoint, report)
        else if (failed !== null) report(failed)
        failed = null
      })
    },
  }
}
