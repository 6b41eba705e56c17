import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { limits } from '../domain/limits.ts'
import { redisSettings } from './redis-endpoint.ts'

const port = z.int().min(0, 'must be a port, 0 to 65535').max(65_535, 'must be a port, 0 to 65535')
const host = z.string().min(1)

/** A listener; port 0 takes any that is free. */
const listener = (portDefault: number, hostDefault: string) =>
  z
    .strictObject({ host: host.default(hostDefault), port: port.default(portDefault) })
    .default({ host: hostDefault, port: portDefault })

/** The public listener, which strangers reach: a bound on whatever one of them, or all, can hold. */
const dataListener = z
  .strictObject({
    host: host.default('0.0.0.0'),
    port: port.default(8080),
    /** A request must have come whole after so long. */
    requestTimeoutMs: z.int().min(100).max(600_000).default(10_000),
    /** Longer than load balancers keep theirs (60 s is common), so that it's never the gateway that closes first. */
    keepAliveMs: z.int().min(100).max(3_600_000).default(75_000),
    connectionsMax: z.int().min(1).max(1_000_000).default(10_000),
    requestsPerConnectionMax: z.int().min(1).max(1_000_000_000).default(100_000),
    /** More than can wait for Redis or for a signature's check, so that those find their own, better answers first. */
    inFlightMax: z.int().min(1).max(1_000_000).default(8_192),
    /** At 80,000 requests a second as many as a deadline of 50 ms can leave waiting. */
    readsInFlightMax: z.int().min(1).max(limits.readsInFlightMax).default(4_096),
    /** Clients give up after a second or so; a container that is held to part of a core stands still for 0.1 s at a time. */
    turnWaitMsMax: z.int().min(50).max(600_000).default(250),
    /** Whoever waits for so long has given up. */
    eventLoopDelayMsMax: z.int().min(1).max(600_000).default(1_000),
    /** A gateway at its peak is at work all the time: only where something else needs the core this should be less than 1. */
    eventLoopUtilizationMax: z.number().positive().max(1).default(1),
    heapBytesMax: z.int().min(1_048_576).optional(),
  })
  .prefault({})

/** As browsers write it in `Origin`: lower case, no default port, no path. Never a pattern, which would match nobody. */
function isOrigin(text: string): boolean {
  return /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

const cors = z
  .strictObject({
    origins: z
      .array(
        z.string().refine((text) => text === '*' || isOrigin(text), {
          error:
            'must be an origin as browsers send it, e.g. https://game.example: scheme, host, and port if it is not the usual one; nothing else, all in lower case',
        }),
      )
      .max(limits.corsOriginsMax)
      .refine((origins) => !origins.includes('*') || origins.length === 1, {
        error: '* allows every origin, so it must stand alone',
      })
      .default([]),
  })
  .prefault({})

/** A wider range is everybody, or nearly: who writes it means something else. */
const proxyBitsMin = { ipv4: 8, ipv6: 16 }

/** IPv4 as IPv6 has it: `::ffff:10.0.0.1`. */
const mappedIPv4 = ipaddr.IPv6.parse('::ffff:0:0')
const mappedIPv4Bits = 96

function isNarrow(range: string): boolean {
  const [address, bits] = ipaddr.parseCIDR(range)
  if (address instanceof ipaddr.IPv4) return bits >= proxyBitsMin.ipv4
  const holdsIPv4 = address.match(mappedIPv4, Math.min(bits, mappedIPv4Bits))
  return bits >= (holdsIPv4 ? mappedIPv4Bits + proxyBitsMin.ipv4 : proxyBitsMin.ipv6)
}

/** Neither short forms such as `10.1`, nor a range of everybody. */
function isProxyRange(text: string): boolean {
  const isAddress =
    ipaddr.IPv4.isValidFourPartDecimal(text) || (ipaddr.IPv6.isValid(text) && !text.includes('%'))
  if (isAddress) return true
  return (ipaddr.IPv4.isValidCIDRFourPartDecimal(text) || ipaddr.IPv6.isValidCIDR(text)) && isNarrow(text)
}

const proxyRangeFault =
  'must be addresses and CIDR ranges of your proxies, e.g. [10.0.0.0/8]; no names, no number of hops, and nothing wider than /8 in IPv4 (::ffff:0:0/104 as IPv6) or /16 in IPv6'

const trustProxy = z
  .array(z.string({ error: proxyRangeFault }).refine(isProxyRange, { error: proxyRangeFault }), {
    error: proxyRangeFault,
  })
  .max(limits.trustedProxiesMax)
  .default([])

const secret = z
  .strictObject({
    /** The tenants whose documents may name it. */
    tenants: z.array(z.string()).min(1, 'must name at least one tenant'),
    /** The environment variable that holds it. */
    env: z.string().min(1).optional(),
    /** The file that holds it, e.g. of a mounted Kubernetes Secret. */
    file: z.string().min(1).optional(),
  })
  .refine((entry) => (entry.env === undefined) !== (entry.file === undefined), {
    error: 'must have exactly one of env and file',
  })

/** As it stands in a URL: a name, an IPv4 address, or an IPv6 address in brackets. */
const keyHost = z
  .string()
  .refine((text) => /^([\w.-]+|\[[0-9A-Fa-f:.]+\])$/.test(text) && URL.canParse(`https://${text}`), {
    error: 'must be a host without port or path, as it stands in the URL, e.g. keys.internal or 10.0.0.7',
  })
  .toLowerCase()

/** How one process is run; what studios configure is in the catalog. */
export const settingsSchema = z.strictObject({
  redis: redisSettings,
  /** Where the catalog lies, if not with the tables. */
  catalogRedis: redisSettings.optional(),
  data: dataListener,
  /** Pages of which other origins may read answers; `*` alone: of any. */
  cors,
  /** Whose `X-Forwarded-For` is believed. */
  trustProxy,
  admin: listener(9090, '127.0.0.1'),
  /** Bearer token of the admin plane; without it that plane binds loopback only. */
  adminToken: z.string().min(16, 'must be at least 16 characters').optional(),
  ops: listener(9091, '0.0.0.0'),
  /** How often the catalog's index is read beside the announcements; ±25 %. */
  catalogPollMs: z.int().min(100).max(60_000).default(2_000),
  /** Where the last good catalog is kept for the next start; without it a start needs Redis. */
  stateDir: z.string().min(1).optional(),
  /** What all copies of records may take in this process; 0: none are kept. */
  nearCacheBytes: z.int().min(0).max(limits.nearCacheBytesMax).default(limits.nearCacheBytesDefault),
  /** How often the gateways of a fleet say that they live, to share tenants' quotas; ±25 %. */
  heartbeatMs: z.int().min(100).max(60_000).default(2_000),
  /** From SIGTERM on, requests are still answered for so long, each with `Connection: close`. */
  drainMs: z.int().min(0).max(60_000).default(3_000),
  /** How often the process of the admin plane takes away tables that nobody reads any more; ±25 %. 0: never. */
  collectEveryMs: z.int().min(0).max(86_400_000).default(600_000),
  /** The part of Redis' `maxmemory` that a tenant's tables may take together; 1 for those that aren't named. */
  memoryShare: z.record(z.string(), z.number().positive().max(1)).default({}),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** What a document's `secretRef` may name. */
  secrets: z.record(z.string(), secret).default({}),
  /** Key servers (`jwks: { url }`) that may have an address which is not public. */
  jwksPrivateHosts: z.array(keyHost).max(limits.privateKeyHostsMax).default([]),
  /** Certificate authorities, in PEM, that key servers may have beside those that Node trusts. */
  jwksCaFile: z.string().min(1).optional(),
})

const { admin, adminToken, data, ops } = settingsSchema.shape
/** What has rules of its own, which are checked also where other settings are broken. */
export const listenerSettings = z.object({ admin, adminToken, data, ops })

export type Settings = z.infer<typeof settingsSchema>

/** Settings that an environment variable gives, over the file. */
export const settingsOfEnvironment = {
  RECGATE_REDIS_URL: { path: ['redis', 'url'], type: 'text' },
  RECGATE_REDIS_USERNAME: { path: ['redis', 'username'], type: 'text' },
  RECGATE_REDIS_PASSWORD: { path: ['redis', 'password'], type: 'text' },
  RECGATE_REDIS_CA_FILE: { path: ['redis', 'caFile'], type: 'text' },
  RECGATE_REDIS_CERT_FILE: { path: ['redis', 'certFile'], type: 'text' },
  RECGATE_REDIS_KEY_FILE: { path: ['redis', 'keyFile'], type: 'text' },
  RECGATE_REDIS_SENTINEL_USERNAME: { path: ['redis', 'sentinelUsername'], type: 'text' },
  RECGATE_REDIS_SENTINEL_PASSWORD: { path: ['redis', 'sentinelPassword'], type: 'text' },
  RECGATE_CATALOG_REDIS_URL: { path: ['catalogRedis', 'url'], type: 'text' },
  RECGATE_CATALOG_REDIS_USERNAME: { path: ['catalogRedis', 'username'], type: 'text' },
  RECGATE_CATALOG_REDIS_PASSWORD: { path: ['catalogRedis', 'password'], type: 'text' },
  RECGATE_CATALOG_REDIS_CA_FILE: { path: ['catalogRedis', 'caFile'], type: 'text' },
  RECGATE_CATALOG_REDIS_CERT_FILE: { path: ['catalogRedis', 'certFile'], type: 'text' },
  RECGATE_CATALOG_REDIS_KEY_FILE: { path: ['catalogRedis', 'keyFile'], type: 'text' },
  RECGATE_CATALOG_REDIS_SENTINEL_USERNAME: { path: ['catalogRedis', 'sentinelUsername'], type: 'text' },
  RECGATE_CATALOG_REDIS_SENTINEL_PASSWORD: { path: ['catalogRedis', 'sentinelPassword'], type: 'text' },
  RECGATE_DATA_HOST: { path: ['data', 'host'], type: 'text' },
  RECGATE_DATA_PORT: { path: ['data', 'port'], type: 'number' },
  RECGATE_DATA_REQUEST_TIMEOUT_MS: { path: ['data', 'requestTimeoutMs'], type: 'number' },
  RECGATE_DATA_KEEP_ALIVE_MS: { path: ['data', 'keepAliveMs'], type: 'number' },
  RECGATE_DATA_CONNECTIONS_MAX: { path: ['data', 'connectionsMax'], type: 'number' },
  RECGATE_DATA_REQUESTS_PER_CONNECTION_MAX: { path: ['data', 'requestsPerConnectionMax'], type: 'number' },
  RECGATE_DATA_IN_FLIGHT_MAX: { path: ['data', 'inFlightMax'], type: 'number' },
  RECGATE_DATA_READS_IN_FLIGHT_MAX: { path: ['data', 'readsInFlightMax'], type: 'number' },
  RECGATE_DATA_TURN_WAIT_MS_MAX: { path: ['data', 'turnWaitMsMax'], type: 'number' },
  RECGATE_DATA_EVENT_LOOP_DELAY_MS_MAX: { path: ['data', 'eventLoopDelayMsMax'], type: 'number' },
  RECGATE_DATA_EVENT_LOOP_UTILIZATION_MAX: { path: ['data', 'eventLoopUtilizationMax'], type: 'number' },
  RECGATE_DATA_HEAP_BYTES_MAX: { path: ['data', 'heapBytesMax'], type: 'number' },
  RECGATE_CORS_ORIGINS: { path: ['cors', 'origins'], type: 'list' },
  RECGATE_TRUST_PROXY: { path: ['trustProxy'], type: 'list' },
  RECGATE_ADMIN_HOST: { path: ['admin', 'host'], type: 'text' },
  RECGATE_ADMIN_PORT: { path: ['admin', 'port'], type: 'number' },
  RECGATE_ADMIN_TOKEN: { path: ['adminToken'], type: 'text' },
  RECGATE_OPS_HOST: { path: ['ops', 'host'], type: 'text' },
  RECGATE_OPS_PORT: { path: ['ops', 'port'], type: 'number' },
  RECGATE_CATALOG_POLL_MS: { path: ['catalogPollMs'], type: 'number' },
  RECGATE_STATE_DIR: { path: ['stateDir'], type: 'text' },
  RECGATE_NEAR_CACHE_BYTES: { path: ['nearCacheBytes'], type: 'number' },
  RECGATE_HEARTBEAT_MS: { path: ['heartbeatMs'], type: 'number' },
  RECGATE_DRAIN_MS: { path: ['drainMs'], type: 'number' },
  RECGATE_COLLECT_EVERY_MS: { path: ['collectEveryMs'], type: 'number' },
  RECGATE_LOG_LEVEL: { path: ['logLevel'], type: 'text' },
  RECGATE_JWKS_PRIVATE_HOSTS: { path: ['jwksPrivateHosts'], type: 'list' },
  RECGATE_JWKS_CA_FILE: { path: ['jwksCaFile'], type: 'text' },
} as const satisfies Record<string, { path: readonly string[]; type: 'text' | 'number' | 'list' }>
