import { composeGateway, type Plane, planes } from '../compose.ts'
import { defaultDevelopmentKeyPath, loadDevelopmentKey } from '../jwt/development-key.ts'
import { loadSettings, resolveSecrets } from '../settings/load.ts'
import type { Settings } from '../settings/schema.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { endInOrder } from './end-process.ts'
import { createLog } from './output.ts'

export interface ServeOptions {
  readonly config: string | undefined
  readonly planes: string
  readonly development: boolean
}

/** `recgate serve`: the gateway, until SIGTERM or SIGINT. */
export async function serve(options: ServeOptions): Promise<void> {
  const warnings: Record<string, string>[] = []
  const loaded = loadSettings(process.env, options.config, (variable, problem) =>
    warnings.push({ variable, problem }),
  )
  const settings = options.development ? onLoopback(loaded) : loaded
  const resolveSecret = resolveSecrets(settings, process.env)
  const chosen = parsePlanes(options.planes)
  const log = createLog(settings.logLevel)
  for (const warning of warnings) log.warn(warning, 'a setting that nothing reads')
  const developmentKey = options.development
    ? await loadDevelopmentKey(defaultDevelopmentKeyPath(process.env))
    : null
  if (developmentKey !== null)
    log.warn('development: tokens of this machine’s development key are trusted; bound to loopback')
  const gateway = composeGateway({ settings, resolveSecret, planes: chosen, developmentKey, log })
  // Before the start, which waits for the catalog: a signal meanwhile ends it as orderly as later.
  const isStopping = endInOrder(gateway, () => log.info('stopped'))
  const addresses = await gateway.start()
  if (!isStopping()) log.info(addresses, 'listening')
}

function onLoopback(settings: Settings): Settings {
  const local = <T extends { host: string }>(listener: T): T => ({ ...listener, host: '127.0.0.1' })
  return { ...settings, data: local(settings.data), admin: local(settings.admin), ops: local(settings.ops) }
}

function parsePlanes(text: string): Plane[] {
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !(planes as readonly string[]).includes(name))
  if (unknown.length > 0 || names.length === 0)
    throw new SettingsError('settings (command line)', [
      { path: `--planes ${unknown.join(', ')}`, problem: `is no plane; there are ${planes.join(', ')}` },
    ])
  return planes.filter((plane) => names.includes(plane))
}
