import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeChange, planChange } from '../catalog/change.ts'
import { composeGateway, composeTools, planes } from '../compose.ts'
import { OperationError } from '../domain/errors.ts'
import {
  type DevelopmentKey,
  defaultDevelopmentKeyPath,
  loadDevelopmentKey,
  signDevelopmentToken,
} from '../jwt/development-key.ts'
import { loadSettings } from '../settings/load.ts'
import { shownRedisUrl } from '../settings/redis-url.ts'
import type { Settings } from '../settings/schema.ts'
import { createSampleSalts, samplePlayer, sampleTables, sampleTenant, writeSample } from './demo-sample.ts'
import { endInOrder } from './end-process.ts'
import { startLocalRedis } from './local-redis.ts'
import { createCommandLog, createLog, currentUser, noteWarning, print } from './output.ts'
import { publishWith } from './publish.ts'
import { readTenantFile } from './tenant-file.ts'

export interface DemoOptions {
  readonly writeSample?: string
  readonly dataPort: number
  readonly adminPort: number
  readonly opsPort: number
}

/** `recgate demo`: from nothing to an answer. Everything that it starts binds 127.0.0.1. */
export async function demo(options: DemoOptions): Promise<void> {
  const ports = { data: options.dataPort, admin: options.adminPort, ops: options.opsPort }
  await refuseBusyPorts(ports)
  const redis = await findRedis()
  print(`Redis      ${redis.engine}, ${redis.shownUrl}`)
  const settings = demoSettings(redis.settings, ports)
  const temporary = options.writeSample === undefined ? await mkdtemp(join(tmpdir(), 'recgate-demo-')) : null
  const directory = options.writeSample ?? temporary ?? ''
  const developmentKey = await loadDevelopmentKey(defaultDevelopmentKeyPath(process.env))
  await publishSample(settings, directory).catch((error: Error) => {
    if (redis.isOwn || !/can't be reached/.test(error.message)) throw error
    throw new OperationError(
      `${error.message}\nRECGATE_REDIS_URL names it; unset RECGATE_REDIS_URL to have one started`,
    )
  })
  if (temporary === null) print(`Sample     files in ${directory}`)
  else await rm(temporary, { recursive: true, force: true })

  const log = createLog(settings.logLevel)
  const resolveSecret = () => null
  const gateway = composeGateway({ settings, resolveSecret, planes, developmentKey, log })
  const isStopping = endInOrder(gateway, async () => {
    await redis.stop()
    print('stopped')
  })
  const addresses = await gateway.start()
  if (isStopping()) return
  print(`Data       ${addresses.data}/recommendations`)
  print(`Admin      ${addresses.admin}/api/tenants/${sampleTenant}`)
  print(`Ops        ${addresses.ops}/readyz and ${addresses.ops}/metrics`)
  await printTour(addresses.data ?? '', redis.shownUrl, developmentKey)
}

interface FoundRedis {
  readonly settings: Settings['redis']
  /** Without a password. */
  readonly shownUrl: string
  readonly engine: string
  /** Started for this. */
  readonly isOwn: boolean
  stop(): Promise<void>
}

/** The first of: RECGATE_REDIS_URL, a server on PATH, the in-process engine. */
async function findRedis(): Promise<FoundRedis> {
  const configured = process.env['RECGATE_REDIS_URL']
  if (configured === undefined || configured === '') {
    const local = await startLocalRedis()
    return { ...local, settings: { url: local.url }, shownUrl: local.url, isOwn: true }
  }
  const { redis } = loadSettings(process.env, undefined, noteWarning)
  const stop = async () => undefined
  const engine = 'the one of RECGATE_REDIS_URL'
  return { settings: redis, shownUrl: shownRedisUrl(redis.url), engine, isOwn: false, stop }
}

function demoSettings(
  redis: Settings['redis'],
  ports: { data: number; admin: number; ops: number },
): Settings {
  const loopback = (port: number) => ({ host: '127.0.0.1', port })
  const settings = loadSettings({
    RECGATE_REDIS_URL: redis.url,
    RECGATE_LOG_LEVEL: 'warn',
    RECGATE_DRAIN_MS: '0',
  })
  return {
    ...settings,
    redis,
    data: { ...settings.data, ...loopback(ports.data) },
    admin: loopback(ports.admin),
    ops: loopback(ports.ops),
  }
}

async function publishSample(settings: Settings, directory: string): Promise<void> {
  const document = await readTenantFile(await writeSample(directory))
  const tools = await composeTools(settings, createCommandLog(settings.logLevel))
  const who = currentUser()
  try {
    const plan = await planChange(tools.catalog, document, createSampleSalts())
    if (plan.what.length > 0)
      await makeChange(tools.catalog, plan, { who, why: 'demo', at: new Date().toISOString() })
    for (const { file, model, version, sql } of sampleTables) {
      const options = { tenant: sampleTenant, model, version, sql, maxBadRows: 0, who, why: 'demo' }
      const report = await publishWith(tools, [join(directory, file)], options)
      if (report.outcome === 'refused')
        throw new OperationError(
          `${model}/${version}: this Redis has another table, and the sample's was not activated beside it`,
        )
      print(`Published  ${model}/${version}: ${report.rows} rows, generation ${report.generation}`)
    }
  } finally {
    tools.close()
  }
}

async function printTour(base: string, redisUrl: string, key: DevelopmentKey): Promise<void> {
  const claims = { sub: samplePlayer, model: ['games', 'starter-offer'] }
  const token = await signDevelopmentToken({ key, tenantId: sampleTenant, claims, lifetimeSeconds: 86_400 })
  const curl = (more: string, query: string) =>
    `curl -s${more} -H 'Authorization: Bearer ${token}' '${base}/recommendations?${query}'`
  const packed = ` -H 'Accept: application/vnd.recgate.packed'`
  // JSON has no line break at its end, and would stick to the prompt.
  const lineBreak = ` -w '\\n'`
  print('')
  print(`Player ${samplePlayer}'s recommendation, as JSON:\n\n  ${curl(lineBreak, 'model=games')}\n`)
  print(
    `The same bit-packed, and decoded again:\n\n  ${curl(packed, 'model=games')} \\\n` +
      `    | npx recgate decode --document config/demo/tenant.yaml --model games\n`,
  )
  print(`The public model:\n\n  ${curl(lineBreak, 'model=starter-offer&country=DE&platform=ios')}\n`)
  print(`For other commands, in another terminal:\n\n  export RECGATE_REDIS_URL=${redisUrl}\n`)
  print('Running until Ctrl-C.')
}

async function refuseBusyPorts(ports: Readonly<Record<'data' | 'admin' | 'ops', number>>): Promise<void> {
  const busy: string[] = []
  for (const [plane, port] of Object.entries(ports))
    if (!(await isFree(port))) busy.push(`${port} (choose another with --${plane}-port)`)
  if (busy.length > 0)
    throw new OperationError(
      `busy on 127.0.0.1: ${busy.join(', ')}. Does another demo run? End it with Ctrl-C.`,
    )
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
