/** Where a Redis is, and how one gets in. */
export interface RedisEndpoint {
  readonly topology: 'standalone' | 'sentinel' | 'cluster'
  /** The one server; or Sentinels; or some nodes of the Cluster, from which the others are learnt. */
  readonly nodes: readonly RedisNode[]
  /** What Sentinels call the master; null elsewhere. */
  readonly masterName: string | null
  readonly database: number
  readonly username: string | null
  readonly password: string | null
  readonly sentinelUsername: string | null
  readonly sentinelPassword: string | null
  /** PEM texts, all of them optional; null without TLS. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null
}

export interface RedisNode {
  /** An IPv6 address stands without brackets. */
  readonly host: string
  readonly port: number
}

/** For messages: never with a password. */
export function describeEndpoint({ topology, nodes, masterName }: RedisEndpoint): string {
  const places = nodes.map(describeNode).join(', ')
  switch (topology) {
    case 'standalone':
      return `Redis at ${places}`
    case 'sentinel':
      return `Redis ${masterName} of the Sentinels at ${places}`
    case 'cluster':
      return `Redis Cluster at ${places}`
  }
}

export function describeNode({ host, port }: RedisNode): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
