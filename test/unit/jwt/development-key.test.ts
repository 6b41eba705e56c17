import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { OperationError } from '../../../src/domain/errors.ts'
import {
  defaultDevelopmentKeyPath,
  developmentIssuer,
  developmentTrustedIssuer,
  isDevelopmentIssuer,
  loadDevelopmentKey,
  signDevelopmentToken,
} from '../../../src/jwt/development-key.ts'
import { createTokenVerifier } from '../../../src/jwt/token-verifier.ts'
import { snapshotWith } from '../../support/tokens.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recgate-key-'))
  path = join(folder, 'config', 'recgate', 'development-key.json')
})

afterEach(() => rm(folder, { recursive: true }))

describe('the file', () => {
  test('is made on first use, for its owner alone, and used again', async () => {
    const made = await loadDevelopmentKey(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
    expect(await readdir(dirname(path))).toStrictEqual(['development-key.json'])
    const content = await readFile(path, 'utf8')
    expect(JSON.parse(content)).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: made.kid })
    expect((await loadDevelopmentKey(path)).kid).toBe(made.kid)
    expect(await readFile(path, 'utf8')).toBe(content)
  })

  test('is one, however many make it at the same time', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadDevelopmentKey(path)))
    expect(new Set(keys.map((key) => key.kid)).size).toBe(1)
    expect(await readdir(dirname(path))).toHaveLength(1)
  })

  test.each([0o640, 0o604, 0o620, 0o644])('is refused when others can use it (mode %o)', async (mode) => {
    await loadDevelopmentKey(path)
    await chmod(path, mode)
    await expect(loadDevelopmentKey(path)).rejects.toThrow(OperationError)
    await expect(loadDevelopmentKey(path)).rejects.toThrow('others can use this development key')
  })

  test.each(['', 'hello', 'null', '{}', '{"kty":"oct","k":"AAAA"}'])(
    'is refused when it holds %j',
    async (text) => {
      await loadDevelopmentKey(path)
      await writeFile(path, text)
      await expect(loadDevelopmentKey(path)).rejects.toThrow(OperationError)
    },
  )

  test('is refused when it holds the public half only', async () => {
    await loadDevelopmentKey(path)
    const { d: _private, ...publicJwk } = JSON.parse(await readFile(path, 'utf8'))
    await writeFile(path, JSON.stringify(publicJwk))
    await expect(loadDevelopmentKey(path)).rejects.toThrow('holds no ES256 private key')
  })

  test('that cannot be made is an OperationError', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(loadDevelopmentKey(join(folder, 'file', 'key.json'))).rejects.toThrow(OperationError)
  })

  test('stands where the environment says', () => {
    expect(
      defaultDevelopmentKeyPath({ RECGATE_DEVELOPMENT_KEY_FILE: '/k.json', XDG_CONFIG_HOME: '/x' }),
    ).toBe('/k.json')
    expect(defaultDevelopmentKeyPath({ XDG_CONFIG_HOME: '/x', HOME: '/h' })).toBe(
      '/x/recgate/development-key.json',
    )
    const inHome = '/h/.config/recgate/development-key.json'
    expect(defaultDevelopmentKeyPath({ HOME: '/h' })).toBe(inHome)
    expect(defaultDevelopmentKeyPath({ HOME: '/h', XDG_CONFIG_HOME: 'relative' })).toBe(inHome)
    expect(
      defaultDevelopmentKeyPath({ HOME: '/h', XDG_CONFIG_HOME: '', RECGATE_DEVELOPMENT_KEY_FILE: '' }),
    ).toBe(inHome)
    expect(defaultDevelopmentKeyPath({})).toBe(join(homedir(), '.config/recgate/development-key.json'))
  })
})

describe('development issuers', () => {
  test('are one a tenant', () => {
    expect(developmentIssuer('steam-demo')).toBe('https://dev.recgate.invalid/steam-demo')
    expect(isDevelopmentIssuer(developmentIssuer('steam-demo'))).toBe(true)
    expect(isDevelopmentIssuer('https://dev.recgate.invalid')).toBe(true)
    expect(isDevelopmentIssuer('https://dev.recgate.invalid.example/x')).toBe(false)
    expect(isDevelopmentIssuer('https://auth.example')).toBe(false)
  })

  test('are the identical object for the same key and tenant', async () => {
    const key = await loadDevelopmentKey(path)
    expect(developmentTrustedIssuer(key, 'one')).toBe(developmentTrustedIssuer(key, 'one'))
    expect(developmentTrustedIssuer(key, 'two')).not.toBe(developmentTrustedIssuer(key, 'one'))
  })

  test('accept their tokens, each its own tenant only', async () => {
    const key = await loadDevelopmentKey(path)
    const issuer = developmentTrustedIssuer(key, 'one')
    const claims = { sub: 'p', iss: 'https://else.example', aud: 'x', exp: 0 }
    const token = await signDevelopmentToken({ key, tenantId: 'one', claims, lifetimeSeconds: 60 })
    const verifier = createTokenVerifier()
    const verified = await verifier.verify(`Bearer ${token}`, snapshotWith(issuer))
    expect(verified).toMatchObject({
      issuer,
      claims: { iss: developmentIssuer('one'), aud: 'recgate', sub: 'p' },
    })
    const { iat, exp } = (verified as { claims: Record<string, number> }).claims
    expect(exp! - iat!).toBe(60)
    expect(
      verifier.verify(`Bearer ${token}`, snapshotWith(developmentTrustedIssuer(key, 'two'))),
    ).toMatchObject({
      refused: 'token-invalid',
    })
  })

  test("refuse another machine's key", async () => {
    const [mine, other] = [
      await loadDevelopmentKey(path),
      await loadDevelopmentKey(join(folder, 'other', 'key.json')),
    ]
    const token = await signDevelopmentToken({ key: other, tenantId: 'one', claims: {}, lifetimeSeconds: 60 })
    const catalog = snapshotWith(developmentTrustedIssuer(mine, 'one'))
    expect(await createTokenVerifier().verify(`Bearer ${token}`, catalog)).toMatchObject({
      refused: 'token-invalid',
    })
  })
})
