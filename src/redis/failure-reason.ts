import { Redis } from 'ioredis'
import { describeNode, type RedisEndpoint, type RedisNode } from './endpoint.ts'

/** What ioredis says where it knows that a connection ended and not why; the why comes in an error of its own. */
const withoutReason = /^(Connection is closed\.|Failed to refresh slots cache\.|timeout)$/

/**
 * An error's words and nothing else: ioredis' errors carry the arguments of the command, a password among them, and
 * old servers repeat unknown commands with their arguments. Null where it tells nothing.
 */
export function reasonOf({ message }: Error): string | null {
  const reason = message.replace(/,? with args beginning with:.*$/s, '')
  return reason === '' || withoutReason.test(reason) ? null : reason
}

/** Between two looks at why a Sentinel can't be reached. */
const lookMsMin = 5_000

/**
 * Reports why clients whose master is named by Sentinels aren't connected. ioredis keeps to itself why a Sentinel can't
 * be reached, so that one more connection is tried to learn it; and says that all are unreachable whenever it has been
 * through its list, also where none failed.
 */
export function createSentinelWatch(
  endpoint: RedisEndpoint,
  report: (reason: string | null) => void,
): (client: Redis) => void {
  let lookedAt = Number.NEGATIVE_INFINITY

  function reportUnreachable(reason: string | null): void {
    if (!reason?.endsWith(noAnswer)) report(reason)
    else if (performance.now() - lookedAt >= lookMsMin) {
      lookedAt = performance.now()
      void lookAt(endpoint.nodes[0]!, endpoint).then((seen) => report(seen ?? reason))
    }
  }

  return (client) => {
    let failed: string | null = null
    client.on('sentinelError', ({ message }: Error) => {
      const [, node, why = ''] = /^failed to connect to sentinel (\S+) because (.*)$/s.exec(message) ?? []
      failed =
        node === undefined
          ? `the Sentinels know no master ${endpoint.masterName}`
          : `Sentinel at ${node}: ${reasonOf(new Error(why)) ?? noAnswer}`
    })
    client.on('error', (error: Error) => {
      if (error.message.startsWith('All sentinels are unreachable')) {
        reportUnreachable(failed)
        failed = null
      } else report(reasonOf(error))
    })
  }
}

const noAnswer = 'no answer'

/** Why a Sentinel can't be reached; null where it can. */
function lookAt(
  node: RedisNode,
  { tls, sentinelUsername, sentinelPassword }: RedisEndpoint,
): Promise<string | null> {
  const client = new Redis({
    ...node,
    ...(tls === null ? {} : { tls: { ...tls } }),
    ...(sentinelUsername === null ? {} : { username: sentinelUsername }),
    ...(sentinelPassword === null ? {} : { password: sentinelPassword }),
    connectTimeout: 2_000,
    socketTimeout: 2_000,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    disableClientInfo: true,
    retryStrategy: null,
  })
  return new Promise((resolve) => {
    const tell = (error?: Error) => {
      const reason = error === undefined ? null : reasonOf(error)
      resolve(reason === null ? null : `Sentinel at ${describeNode(node)}: ${reason}`)
      client.disconnect()
    }
    client.on('error', tell)
    client.once('ready', () => tell())
    client.once('end', () => tell())
  })
}
