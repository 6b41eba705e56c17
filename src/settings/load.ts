import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parse, YAMLParseError } from 'yaml'
import type { Fault } from '../domain/errors.ts'
import { faultsOf, joinPath } from '../domain/zod-faults.ts'
import { redisFaults } from './redis-endpoint.ts'
import { listenerSettings, type Settings, settingsOfEnvironment, settingsSchema } from './schema.ts'
import { SettingsError } from './settings-error.ts'
import { unknownVariables } from './unknown-variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * File and environment → frozen settings; the environment wins. Throws SettingsError with everything that is wrong, so
 * that a deployment is mended once and not fault by fault.
 *
 * @param file YAML or JSON; undefined reads the environment alone
 * @param warn Told of what is no fault and likely a mistake; where there are faults it stands among them
 */
export function loadSettings(
  environment: Environment,
  file?: string,
  warn: (variable: string, problem: string) => void = () => undefined,
): Settings {
  const faults: Fault[] = []
  const input = file === undefined ? {} : readFile(file)
  const dotted = Object.keys(input).filter((key) => key.includes('.'))
  const unknown = unknownVariables(environment, secretVariablesOf(input))
  for (const [name, { path, type }] of Object.entries(settingsOfEnvironment)) {
    const text = environment[name]
    if (text === undefined || text === '') continue
    const value = type === 'number' ? Number(text) : type === 'list' ? listOf(text) : text
    if (type === 'number' && !/^-?[0-9]+(\.[0-9]+)?$/.test(text))
      faults.push({ path: name, problem: `must be a number, not ${JSON.stringify(text)}` })
    else assign(input, path, value)
  }
  const parsed = settingsSchema.safeParse(input)
  if (!parsed.success) {
    const found = faultsOf(parsed.error).filter(({ path }) => !dotted.includes(path))
    faults.push(...found.map(nameVariable), ...dotted.map(dottedFault))
  }
  for (const name of ['redis', 'catalogRedis'] as const)
    faults.push(...redisFaults(name, input[name]).map(nameVariable))
  const listeners = listenerSettings.safeParse(input)
  if (listeners.success) faults.push(...planeFaults(listeners.data))
  if (faults.length > 0 || !parsed.success)
    throw new SettingsError(subjectOf(file), [
      ...faults,
      ...unknown.map((path) => ({ path, problem: unknownProblem })),
    ])
  for (const name of unknown) warn(name, unknownProblem)
  return deepFreeze(parsed.data)
}

const unknownProblem = 'is no variable that recgate knows; docs/settings.md lists them'

/** A setting as tables name it, `data.port`, where the file nests. */
function dottedFault(key: string): Fault {
  const nested = key.split('.').reduceRight((inner, part) => `{ ${part}: ${inner} }`, '…')
  return { path: key, problem: `must be written nested: ${nested.slice(2, -2)}` }
}

/** Whatever names they are given, in a file that may be broken. */
function secretVariablesOf({ secrets }: Record<string, unknown>): unknown[] {
  if (typeof secrets !== 'object' || secrets === null) return []
  return Object.values(secrets).map((secret: { readonly env?: unknown } | null) => secret?.env)
}

/** The secrets that documents may name, resolved once: `secretRef` → bytes, for the tenants that it is allowed. */
export function resolveSecrets(
  settings: Settings,
  environment: Environment,
): (tenantId: string, secretRef: string) => Uint8Array | null {
  const faults: Fault[] = []
  const secrets = new Map<string, { tenants: readonly string[]; bytes: Uint8Array }>()
  for (const [ref, { tenants, env, file }] of Object.entries(settings.secrets)) {
    const path = joinPath('secrets', ref)
    const bytes =
      env === undefined
        ? readSecretFile(file ?? '', path, faults)
        : readVariable(environment, env, path, faults)
    if (bytes !== null) secrets.set(ref, { tenants, bytes })
  }
  if (faults.length > 0) throw new SettingsError('settings', faults)
  return (tenantId, secretRef) => {
    const secret = secrets.get(secretRef)
    return secret?.tenants.includes(tenantId) ? secret.bytes : null
  }
}

/** The text of `jwksCaFile`, null without one. Throws SettingsError where it holds anything in PEM but certificates. */
export function readKeyAuthorities({ jwksCaFile: file }: Pick<Settings, 'jwksCaFile'>): string | null {
  if (file === undefined) return null
  try {
    const text = readFileSync(file, 'utf8')
    // X509Certificate reads the first one and passes over what follows.
    for (const certificate of certificatesIn(text)) new X509Certificate(certificate)
    return text
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const isFile = code?.startsWith('ERR_OSSL') !== true
    const problem = isFile
      ? `can't be read: ${message}`
      : `${file} holds something that is no certificate in PEM`
    throw new SettingsError('settings', [{ path: 'jwksCaFile (RECGATE_JWKS_CA_FILE)', problem }])
  }
}

/** Each from its own head on; the whole where there is none, which is then no certificate. */
function certificatesIn(text: string): readonly string[] {
  const parts = text.split(/(?=-----BEGIN )/).filter((part) => part.startsWith('-----BEGIN '))
  return parts.length === 0 ? [text] : parts
}

function readFile(file: string): Record<string, unknown> {
  try {
    const value: unknown = parse(readFileSync(file, 'utf8')) ?? {}
    if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
    throw new SettingsError(`settings (${file})`, [{ path: '', problem: 'must be a mapping of settings' }])
  } catch (error) {
    if (error instanceof SettingsError) throw error
    const problem =
      error instanceof YAMLParseError ? error.message : `can't be read: ${(error as Error).message}`
    throw new SettingsError(`settings (${file})`, [{ path: '', problem }])
  }
}

/** Commas between, spaces around; what is empty says nothing. */
function listOf(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function assign(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path
  if (head === undefined) return
  if (rest.length === 0) {
    target[head] = value
    return
  }
  const inner = target[head]
  const next = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
  target[head] = next
  assign(next, rest, value)
}

/** Names the variable beside the path, since most deployments have no file. */
function nameVariable(fault: Fault): Fault {
  const variable = Object.entries(settingsOfEnvironment).find(
    ([, { path }]) => path.join('.') === fault.path.replace(/\[\d+\]$/, '') || path[0] === fault.path,
  )
  return variable === undefined ? fault : { ...fault, path: `${fault.path} (${variable[0]})` }
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost'])

function planeFaults({
  admin,
  adminToken,
  data,
  ops,
}: Pick<Settings, 'admin' | 'adminToken' | 'data' | 'ops'>): Fault[] {
  const faults: Fault[] = []
  if (adminToken === undefined && !loopback.has(admin.host))
    faults.push({
      path: 'admin.host (RECGATE_ADMIN_HOST)',
      problem: `is ${admin.host}, which others can reach: set adminToken (RECGATE_ADMIN_TOKEN), or bind 127.0.0.1`,
    })
  const ports = [data.port, admin.port, ops.port].filter((port) => port !== 0)
  if (new Set(ports).size !== ports.length)
    faults.push({ path: 'data.port, admin.port, ops.port', problem: 'must differ' })
  return faults
}

function readVariable(
  environment: Environment,
  name: string,
  path: string,
  faults: Fault[],
): Uint8Array | null {
  const text = environment[name]
  if (text !== undefined && text !== '') return new TextEncoder().encode(text)
  faults.push({ path: joinPath(path, 'env'), problem: `the environment variable ${name} is not set` })
  return null
}

function readSecretFile(file: string, path: string, faults: Fault[]): Uint8Array | null {
  try {
    // Editors end files with a line break, which no issuer's secret has.
    return new TextEncoder().encode(readFileSync(file, 'utf8').replace(/\r?\n$/, ''))
  } catch (error) {
    faults.push({ path: joinPath(path, 'file'), problem: `can't be read: ${(error as Error).message}` })
    return null
  }
}

function subjectOf(file: string | undefined): string {
  return file === undefined ? 'settings (environment)' : `settings (${file} and environment)`
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
