import { decodeJwt } from 'jose'
import { idRule, isId } from '../domain/ids.ts'
import {
  defaultDevelopmentKeyPath,
  loadDevelopmentKey,
  signDevelopmentToken,
} from '../jwt/development-key.ts'
import { print, printJson } from './output.ts'
import { UsageError } from './usage-error.ts'

export interface TokenOptions {
  readonly tenant: string
  readonly sub: string
  readonly models: readonly string[]
  /** `name=value`; the value is text. */
  readonly claims: readonly string[]
  /** Words of the claim `scope`. */
  readonly scopes: readonly string[]
  readonly lifetimeSeconds: number
  readonly json: boolean
}

/** `recgate token`: a signed token for trying things; only `serve --development` and `demo` accept it. */
export async function issueToken(options: TokenOptions): Promise<void> {
  if (!isId(options.tenant)) throw new UsageError(`--tenant ${options.tenant}: must be ${idRule}`)
  const key = await loadDevelopmentKey(defaultDevelopmentKeyPath(process.env))
  const [model] = options.models
  const claims: Record<string, unknown> = { sub: options.sub }
  if (model !== undefined) claims['model'] = options.models.length === 1 ? model : options.models
  if (options.scopes.length > 0) claims['scope'] = options.scopes.join(' ')
  for (const text of options.claims) {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`--claim ${text}: must be name=value`)
    claims[text.slice(0, at)] = text.slice(at + 1)
  }
  const { lifetimeSeconds } = options
  const token = await signDevelopmentToken({ key, tenantId: options.tenant, claims, lifetimeSeconds })
  if (options.json) printJson({ token, claims: decodeJwt(token) })
  else print(token)
}
