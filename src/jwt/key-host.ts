import { type LookupAddress, lookup, promises } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { promisify } from 'node:util'
import { limits } from '../domain/limits.ts'
import { createFairQueue } from './fair-queue.ts'

/**
 * Looks up the hosts of key servers without harm to anything else. `dns.lookup` is getaddrinfo in libuv's pool, of four
 * threads, which no signal cancels: a tenant's name whose servers never answer holds one for 10 s and longer, and Redis
 * can't reconnect by name and no signature is checked meanwhile. The resolver used here takes no thread and ends when
 * it is told to.
 */

export interface HostLookupOptions {
  /** As `Resolver.setServers` takes them; default: those of the system. */
  readonly nameServers?: readonly string[]
  /** Of the whole fetch. */
  readonly timeoutMs: number
}

/** Rejects where the name has no address. */
export type FindAddresses = (hostname: string, signal: AbortSignal) => Promise<readonly LookupAddress[]>

interface HostLookup {
  /** Asks DNS alone, and gives up with the signal. */
  readonly inDns: FindAddresses
  /** Asks the system: the hosts file, its search domains, DNS. For hosts that the gateway's operator has named. */
  readonly inSystem: FindAddresses
}

const lookupAll = promisify(lookup)

export function createHostLookup({ nameServers, timeoutMs }: HostLookupOptions): HostLookup {
  // One pool thread for all of them, and its turn lasts until the thread is free, whoever has given up meanwhile.
  const systemTurns = createFairQueue({
    atOnceMax: 1,
    waitingPerLineMax: limits.keyFetchesAtOnceMax,
    waitingMax: Number.POSITIVE_INFINITY,
  })

  return {
    async inDns(hostname, signal) {
      // A resolver each, because cancelling ends all that one has under way. The second try has twice the first's
      // time, so both, and a connection, fit into the limit.
      const resolver = new promises.Resolver({ timeout: Math.ceil(timeoutMs / 4), tries: 2 })
      if (nameServers !== undefined) resolver.setServers(nameServers)
      const cancel = () => resolver.cancel()
      signal.addEventListener('abort', cancel)
      try {
        const [four, six] = await Promise.allSettled([
          resolver.resolve4(hostname),
          resolver.resolve6(hostname),
        ])
        if (four.status === 'rejected' && six.status === 'rejected') throw four.reason
        return [...addressesOf(four, 4), ...addressesOf(six, 6)]
      } finally {
        signal.removeEventListener('abort', cancel)
      }
    },
    async inSystem(hostname, signal) {
      const find = async () => (signal.aborted ? [] : lookupAll(hostname, { all: true }))
      return (await systemTurns.run(hostname, find)) ?? []
    },
  }
}

function addressesOf(
  result: PromiseSettledResult<readonly string[]>,
  family: 4 | 6,
): readonly LookupAddress[] {
  return result.status === 'rejected' ? [] : result.value.map((address) => ({ address, family }))
}

/** For a socket, which asks for one address or for all. */
export function asLookup(find: (hostname: string) => Promise<readonly LookupAddress[]>): LookupFunction {
  return (hostname, options, callback) => {
    find(hostname).then(
      (addresses) => {
        const [first] = addresses
        if (first === undefined) return callback(new Error('the host has no address'), [])
        if (options.all === true) return callback(null, [...addresses])
        return callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}
