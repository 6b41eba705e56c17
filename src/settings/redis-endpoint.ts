import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { z } from 'zod'
import type { Fault } from '../domain/errors.ts'
import { parseRedisUrl, type RedisUrl } from './redis-url.ts'

const redisUrl = z.string().check(({ value, issues }) => {
  // Without the value itself: a password may stand in it.
  for (const message of parseRedisUrl(value).problems) issues.push({ code: 'custom', message, input: null })
})

/** How one Redis is reached. User and password win over those in the URL, so that a Kubernetes Secret can give them. */
export const redisSettings = z.strictObject(
  {
    url: redisUrl,
    username: z.string().min(1).optional(),
    password: z.string().min(1).optional(),
    /** PEM: whom to trust, instead of the authorities that Node brings. */
    caFile: z.string().min(1).optional(),
    /** PEM: recgate's own certificate, for servers that ask for one. */
    certFile: z.string().min(1).optional(),
    keyFile: z.string().min(1).optional(),
    sentinelUsername: z.string().min(1).optional(),
    sentinelPassword: z.string().min(1).optional(),
  },
  {
    error: ({ input }) =>
      input === undefined ? 'is missing; it must give a url, e.g. redis://127.0.0.1:6379' : undefined,
  },
)

type RedisSettings = z.infer<typeof redisSettings>

/** Everything that a client needs to know, with the contents of its files. */
export interface RedisEndpoint extends Omit<RedisUrl, 'tls'> {
  readonly sentinelUsername: string | null
  readonly sentinelPassword: string | null
  /** PEM texts; null without TLS. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null
}

/** Settings must have passed `loadSettings`. Reads the files anew. */
export function resolveRedis(settings: RedisSettings): RedisEndpoint {
  const { url } = parseRedisUrl(settings.url)
  if (url === null) throw new Error('settings are checked when they are loaded')
  const { caFile, certFile, keyFile } = settings
  return {
    ...url,
    username: settings.username ?? url.username,
    password: settings.password ?? url.password,
    sentinelUsername: settings.sentinelUsername ?? null,
    sentinelPassword: settings.sentinelPassword ?? null,
    tls: url.tls
      ? {
          ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
          ...(certFile === undefined ? {} : { cert: readFileSync(certFile, 'utf8') }),
          ...(keyFile === undefined ? {} : { key: readFileSync(keyFile, 'utf8') }),
        }
      : null,
  }
}

const text = z.string().min(1).optional().catch(undefined)
/** What can be looked at together, where other settings of the same Redis are broken. */
const readable = z.object({
  url: text,
  caFile: text,
  certFile: text,
  keyFile: text,
  sentinelUsername: text,
  sentinelPassword: text,
})

/** Rules between the settings of one Redis, and its files; `name` is where they stand. */
export function redisFaults(name: 'redis' | 'catalogRedis', input: unknown): Fault[] {
  const parsed = readable.safeParse(input)
  if (!parsed.success) return []
  const faults: Fault[] = []
  const fault = (setting: string, problem: string) => faults.push({ path: `${name}.${setting}`, problem })
  const { url: urlText, ...given } = parsed.data
  const url = urlText === undefined ? null : parseRedisUrl(urlText).url
  for (const [setting, value] of Object.entries(given)) {
    if (value === undefined || url === null) continue
    if (setting.endsWith('File') && !url.tls)
      fault(setting, `is for TLS, and ${name}.url is without: it must begin with rediss`)
    if (setting.startsWith('sentinel') && url.topology !== 'sentinel')
      fault(setting, `is for Sentinels, and ${name}.url names none: it must begin with redis+sentinel`)
  }
  if (given.certFile !== undefined && given.keyFile === undefined)
    fault('keyFile', 'is missing: a client certificate is used with its key')
  if (given.keyFile !== undefined && given.certFile === undefined)
    fault('certFile', 'is missing: a key is used with its client certificate')
  fileFaults(given, fault, `${name}.certFile`)
  return faults
}

function fileFaults(
  { caFile, certFile, keyFile }: Pick<z.infer<typeof readable>, 'caFile' | 'certFile' | 'keyFile'>,
  fault: (setting: string, problem: string) => void,
  certificateName: string,
): void {
  /** The file's text; null where there is none, or none that can be used. */
  const read = (setting: string, file: string | undefined, use: (pem: string) => unknown) => {
    if (file === undefined) return null
    try {
      const pem = readFileSync(file, 'utf8')
      use(pem)
      return pem
    } catch (error) {
      const { syscall, message } = error as NodeJS.ErrnoException
      fault(
        setting,
        syscall === undefined ? `must be PEM, and is not: ${message}` : `can't be read: ${message}`,
      )
      return null
    }
  }
  read('caFile', caFile, (ca) => new X509Certificate(ca))
  const cert = read('certFile', certFile, (pem) => createSecureContext({ cert: pem }))
  const key = read('keyFile', keyFile, (pem) => createSecureContext({ key: pem }))
  if (cert === null || key === null) return
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    fault('keyFile', `must be the key of ${certificateName}, and is not: ${(error as Error).message}`)
  }
}
