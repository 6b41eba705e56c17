import { z } from 'zod'

const port = z.int().min(0, 'must be a port, 0 to 65535').max(65_535, 'must be a port, 0 to 65535')
const host = z.string().min(1)

/** A listener; port 0 takes any that is free. */
const listener = (portDefault: number, hostDefault: string) =>
  z
    .strictObject({ host: host.default(hostDefault), port: port.default(portDefault) })
    .default({ host: hostDefault, port: portDefault })

/** Also that its user and password can be decoded, since the client throws where they can't. */
function isRedisUrl(text: string): boolean {
  if (!/^rediss?:\/\/[^\s]+$/.test(text) || !URL.canParse(text)) return false
  try {
    const { username, password } = new URL(text)
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}

const redisUrl = z.string().refine(isRedisUrl, {
  error: 'must be redis://HOST:PORT or rediss://HOST:PORT, with user and password percent-encoded',
})

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

/** How one process is run; what studios configure is in the catalog. */
export const settingsSchema = z.strictObject({
  redis: z.strictObject(
    { url: redisUrl },
    {
      error: ({ input }) =>
        input === undefined ? 'is missing; it must give a url, e.g. redis://127.0.0.1:6379' : undefined,
    },
  ),
  /** Where the catalog lies, if not with the tables. */
  catalogRedis: z.strictObject({ url: redisUrl }).optional(),
  data: listener(8080, '0.0.0.0'),
  admin: listener(9090, '127.0.0.1'),
  /** Bearer token of the admin plane; without it that plane binds loopback only. */
  adminToken: z.string().min(16, 'must be at least 16 characters').optional(),
  ops: listener(9091, '0.0.0.0'),
  /** How often the catalog's index is read beside the announcements; ±25 %. */
  catalogPollMs: z.int().min(100).max(60_000).default(2_000),
  /** From SIGTERM on, requests are still answered for so long, each with `Connection: close`. */
  drainMs: z.int().min(0).max(60_000).default(3_000),
  /** How often the process of the admin plane takes away tables that nobody reads any more; ±25 %. 0: never. */
  collectEveryMs: z.int().min(0).max(86_400_000).default(600_000),
  /** The part of Redis' `maxmemory` that a tenant's tables may take together; 1 for those that aren't named. */
  memoryShare: z.record(z.string(), z.number().positive().max(1)).default({}),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** What a document's `secretRef` may name. */
  secrets: z.record(z.string(), secret).default({}),
})

const { admin, adminToken, data, ops } = settingsSchema.shape
/** What has rules of its own, which are checked also where other settings are broken. */
export const listenerSettings = z.object({ admin, adminToken, data, ops })

export type Settings = z.infer<typeof settingsSchema>

/** Settings that an environment variable gives, over the file. */
export const settingsOfEnvironment = {
  RECGATE_REDIS_URL: { path: ['redis', 'url'], type: 'text' },
  RECGATE_CATALOG_REDIS_URL: { path: ['catalogRedis', 'url'], type: 'text' },
  RECGATE_DATA_HOST: { path: ['data', 'host'], type: 'text' },
  RECGATE_DATA_PORT: { path: ['data', 'port'], type: 'number' },
  RECGATE_ADMIN_HOST: { path: ['admin', 'host'], type: 'text' },
  RECGATE_ADMIN_PORT: { path: ['admin', 'port'], type: 'number' },
  RECGATE_ADMIN_TOKEN: { path: ['adminToken'], type: 'text' },
  RECGATE_OPS_HOST: { path: ['ops', 'host'], type: 'text' },
  RECGATE_OPS_PORT: { path: ['ops', 'port'], type: 'number' },
  RECGATE_CATALOG_POLL_MS: { path: ['catalogPollMs'], type: 'number' },
  RECGATE_DRAIN_MS: { path: ['drainMs'], type: 'number' },
  RECGATE_COLLECT_EVERY_MS: { path: ['collectEveryMs'], type: 'number' },
  RECGATE_LOG_LEVEL: { path: ['logLevel'], type: 'text' },
} as const satisfies Record<string, { path: readonly string[]; type: 'text' | 'number' }>
