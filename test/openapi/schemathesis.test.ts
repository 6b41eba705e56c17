import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defaultServer, describeDataPlane } from '../../src/http/openapi/describe-data-plane.ts'
import { metricNames } from '../../src/metrics/names.ts'
import { batchPath, batchScope } from '../http/batch-client.ts'
import { scrape, valuesOf } from '../http/exposition.ts'
import { type StudioIssuer, studioIssuer } from '../http/games.ts'
import { closed } from '../support/openapi.ts'
import { type ProgramResult, runProgram } from '../support/pages.ts'
import { testRedis } from '../support/redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument, publishRows, type RunningGateway, rowsOf, testSettings } from '../support/studio.ts'
import { type DeclaredParameters, withDeclaredParameters } from './declared-parameters.ts'

/**
 * Schemathesis against a live gateway: whatever requests the document lets it think of, and whatever the document forbids, no
 * answer is a 5xx or one that the document hasn't.
 */

/** A directory with `schemathesis` and `openapi-spec-validator`. */
const programs = process.env['RECGATE_OPENAPI_PROGRAMS'] ?? ''
if (programs === '')
  process.stderr.write(
    'tests: schemathesis is skipped; it needs RECGATE_OPENAPI_PROGRAMS=$(test/openapi/install.sh)\n',
  )

const here = fileURLToPath(new URL('.', import.meta.url))
const document = closed(describeDataPlane({ version: '0.0.0', server: defaultServer }))
const tenant = 'amber-studio'
const game = 'https://game.example'
const model = {
  record: { offer: { type: 'string', maxBytes: 24 } },
  default: { offer: 'welcome-pack' },
  deadlineMs: 10_000,
  versions: ['v1'],
  control: 'v1',
  weights: { v1: 100 },
}
const models = {
  games: { ...model, key: [{ claim: 'sub' }] },
  offers: {
    ...model,
    public: true,
    key: [
      { query: 'country', values: ['DE', 'FR'] },
      { query: 'level', uint: { max: 50 } },
      { query: 'sku', id: { maxBytes: 8 } },
    ],
  },
}
const country = { enum: ['DE', 'FR'] }
const level = { type: 'integer', minimum: 0, maximum: 50 }
const sku = { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,8}$' }
const offersParameters: DeclaredParameters = {
  inUrl: { country, level, sku },
  // There a number is as good as its text.
  inBody: {
    country,
    level: { anyOf: [level, { enum: ['0', '7', '50'] }] },
    sku: { anyOf: [sku, { type: 'integer', minimum: -9_999_999, maximum: 99_999_999 }] },
  },
}
const noParameters: DeclaredParameters = { inUrl: {}, inBody: {} }

let site: Site
let gateway: RunningGateway
let issuer: StudioIssuer
let directory: string

describe.skipIf(programs === '')('the OpenAPI document', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-openapi-'))
    site = await openSite(await testRedis())
    issuer = await studioIssuer('https://auth.amber.example', 'k1')
    await applyDocument(site.tools, { format: 1, tenant, issuers: [issuer.entry()], models })
    await publishRows(site.tools, [tenant, 'games', 'v1'], rowsOf(['sub', 'offer'], [['player-1', 'own']]))
    gateway = await site.startGateway(testSettings(site.redis.url, { RECGATE_CORS_ORIGINS: game }))
  })

  afterAll(async () => {
    await site?.stop()
    if (directory !== undefined) await rm(directory, { recursive: true })
  })

  async function fileOf(name: string, content: object): Promise<string> {
    const file = join(directory, name)
    await writeFile(file, JSON.stringify(content))
    return file
  }

  function run(...command: readonly [string, ...string[]]): Promise<ProgramResult> {
    const env = {
      HOME: directory,
      PYTHONPATH: here,
      PYTHONDONTWRITEBYTECODE: '1',
      SCHEMATHESIS_HOOKS: 'hooks',
    }
    return runProgram(command, { programs, cwd: directory, env })
  }

  function schemathesis(
    schema: string,
    { headers = [], more = [] }: { headers?: readonly string[]; more?: readonly string[] },
  ): Promise<ProgramResult> {
    return run(
      'schemathesis',
      ...['--config-file', join(here, 'schemathesis.toml'), 'run', schema, '--url', gateway.data],
      ...headers.flatMap((header) => ['--header', header]),
      ...more,
    )
  }

  test('is one by OpenAPI 3.1’s own schema', async () => {
    const served = await (await fetch(`${gateway.admin}/openapi.json`)).json()
    const validated = await run('openapi-spec-validator', await fileOf('served.json', served as object))
    expect(validated).toMatchObject({ exitCode: 0 })
  })

  test.each<{
    who: string
    modelId: keyof typeof models
    scope?: string
    declared: DeclaredParameters
    headers: string[]
    paths: [string, string]
    tested: number
  }>([
    {
      who: 'a token for public data',
      modelId: 'offers',
      declared: offersParameters,
      headers: [],
      paths: ['--exclude-path', batchPath],
      tested: 6,
    },
    {
      who: 'a player’s token',
      modelId: 'games',
      declared: noParameters,
      headers: ['Accept: application/vnd.recgate.packed', `Origin: ${game}`],
      paths: ['--exclude-path', batchPath],
      tested: 6,
    },
    {
      who: 'a game server’s token',
      modelId: 'offers',
      scope: batchScope,
      declared: offersParameters,
      headers: [`Origin: ${game}`],
      paths: ['--include-path', batchPath],
      tested: 2,
    },
  ])(
    'has every answer that is given to $who',
    async ({ modelId, scope, declared, headers, paths, tested }) => {
      const schema = await fileOf('model.json', withDeclaredParameters(document, modelId, declared))
      const token = await issuer.token({ model: modelId, sub: 'player-1', scope })
      const sent = [`Authorization: Bearer ${token}`, ...headers]
      const { stdout, stderr, exitCode } = await schemathesis(schema, { headers: sent, more: paths })
      expect(exitCode, stdout + stderr).toBe(0)
      expect(stdout).toContain(`Tested: ${tested}`)
    },
  )

  test('has, as it is served, every answer that is given without a token', async () => {
    const more = ['--warnings', 'off']
    const { stdout, stderr, exitCode } = await schemathesis(`${gateway.admin}/openapi.json`, { more })
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toContain('Tested: 8')
  })

  test('was not asked for the same thing over and over', async () => {
    const { ops } = gateway
    const text = await scrape(ops)
    const refused = Object.keys(valuesOf(text, metricNames.refusals)).map((labels) =>
      labels.split(',').at(-1),
    )
    expect(refused).toEqual(
      expect.arrayContaining([
        ...['header-invalid', 'method-not-allowed', 'model-not-allowed', 'parameter-invalid'],
        ...['parameter-missing', 'parameter-repeated', 'parameter-unknown', 'token-invalid'],
      ]),
    )
    expect(refused).not.toContain('internal')
    const answers = Object.values(valuesOf(text, metricNames.requests))
    expect(answers.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200)
  })

  test.each<[what: string, said: string[], right: string[], wrong: string[]]>([
    [
      'a status and a form',
      ['Undocumented status code', 'Undocumented Content-Type'],
      ['"401":', '"text/plain"'],
      ['"402":', '"text/html"'],
    ],
    [
      'a word and a value',
      ['Response violates schema', 'does not conform to the schema'],
      ['"const":"up"', '"token-invalid"', '"const":"no-store"'],
      ['"const":"fine"', '"token-bad"', '"const":"kept"'],
    ],
  ])('without %s that is answered, is found to lack it', async (_what, said, right, wrong) => {
    const text = right.reduce(
      (changed, part, index) => changed.replaceAll(part, wrong[index]!),
      JSON.stringify(document),
    )
    const schema = await fileOf('wrong.json', JSON.parse(text) as object)
    const more = ['--phases', 'coverage', '--include-method', 'GET', '--warnings', 'off']
    const { stdout, exitCode } = await schemathesis(schema, { more })
    expect(exitCode, stdout).toBe(1)
    for (const words of said) expect(stdout).toContain(words)
  })
})
