import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { limits } from '../../src/domain/limits.ts'
import { catalogKeys } from '../../src/redis/keys.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { type LooseDocument, leaveOut } from '../support/loose-document.ts'
import { testRedis } from '../support/redis.ts'
import { testTools } from '../support/studio.ts'
import { makeKey } from '../support/tokens.ts'

let redis: LocalRedis
let directory: string
let publicJwk: Record<string, unknown>

beforeAll(async () => {
  redis = await testRedis()
  directory = await mkdtemp(join(tmpdir(), 'recgate-catalog-'))
  publicJwk = (await makeKey('ES256', 'key-1')).publicJwk
})
afterAll(async () => {
  await redis?.stop()
  await rm(directory, { recursive: true, force: true })
})

const sample = async (): Promise<LooseDocument> => parse(await readFile('config/demo/tenant.yaml', 'utf8'))

/** What `catalog show --json` says of a tenant. */
interface Shown {
  readonly tenant: string
  readonly document: LooseDocument
}

async function file(name: string, content: unknown): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, typeof content === 'string' ? content : stringify(content))
  return path
}

/** The sample under another name, changed. */
async function document(
  tenant: string,
  change: (document: LooseDocument) => void = () => undefined,
): Promise<LooseDocument> {
  const changed = { ...(await sample()), tenant }
  change(changed)
  return changed
}

const catalog = (...args: string[]): Promise<CliResult> =>
  runCli(['catalog', ...args], { env: { RECGATE_REDIS_URL: redis.url } })

async function done(running: Promise<CliResult>): Promise<CliResult> {
  const result = await running
  expect({ exitCode: result.exitCode, stderr: result.stderr }).toMatchObject({ exitCode: 0 })
  return result
}

describe.concurrent('check', () => {
  test('sound files exit 0 and say what is in them', async () => {
    const two = await file(
      'second.yaml',
      await document('two', (changed) => Object.assign(changed, { models: {} })),
    )
    const [text, json] = await Promise.all([
      done(runCli(['catalog', 'check', 'config/demo/tenant.yaml', two])),
      done(runCli(['catalog', 'check', 'config/demo/tenant.yaml', two, '--json'])),
    ])
    expect(text.stdout).toBe(
      `config/demo/tenant.yaml: tenant demo-studio, models games, starter-offer: sound\n${two}: tenant two, models none: sound\n`,
    )
    expect(json.json()).toEqual([
      { file: 'config/demo/tenant.yaml', tenant: 'demo-studio', models: ['games', 'starter-offer'] },
      { file: two, tenant: 'two', models: [] },
    ])
  })

  test('a faulty file exits 1 with all faults and their paths, those of other files beside them', async () => {
    const faulty = await file(
      'faulty.yaml',
      await document('studio', (changed) => {
        changed.models.games.weights.itemcf = 40
        changed.models.games['wieghts'] = {}
        changed.models['starter-offer']!.public = false
        changed.models['starter-offer']!.record['discount']!['max'] = -1
      }),
    )
    const keys = await file(
      'keys.yaml',
      await document('keys', (changed) => {
        changed.issuers = [{ issuer: 'x', audience: 'y', jwks: { keys: [{ kty: 'oct', k: 'secret' }] } }]
      }),
    )
    const { exitCode, stdout, stderr } = await runCli([
      'catalog',
      'check',
      'config/demo/tenant.yaml',
      faulty,
      keys,
    ])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr.split('\n')).toEqual([
      `${faulty}: 4 faults`,
      '  models.games.wieghts: is not a known field here',
      '  models.games.weights: the weights sum to 90 (popular 50, itemcf 40), but must sum to exactly 100: 10 missing',
      '  models.starter-offer.record.discount.max: -1 is below 0; it must be 0 or more',
      '  models.starter-offer.public: must be true: the row key has no claim, so everybody with a token reads every row',
      `${keys}: 1 fault`,
      '  issuers[0].jwks.keys[0].kty: must not be oct: a secret never stands in a document; keep it in the settings and name it in hs256.secretRef',
      '',
    ])
  })

  test('YAML that is none is told with line and column, of every file', async () => {
    const texts: [name: string, text: string, fault: RegExp][] = [
      ['syntax', 'format: 1\ntenant: [a\nmodels: {}\n', / {2}line 3, column 1: /],
      ['twice', 'format: 1\ntenant: a\nformat: 1\n', / {2}line 3, column 1: Map keys must be unique\n/],
      ['tabs', 'models:\n\tgames: 1\n', / {2}line 2, column 1: /],
      [
        'alias',
        'tenant: *none\n',
        / {2}\(document\): its aliases \(\*name\) can't be followed: Unresolved alias /,
      ],
      ['cycle', 'issuers: &a [*a]\n', / {2}\(document\): its aliases \(\*name\) can't be followed: /],
      ['nothing', '', / {2}\(document\): must be a mapping, not empty\n/],
      ['two', 'a: 1\n---\nb: 1\n', / {2}line 2, column 1: /],
    ]
    const paths = await Promise.all(texts.map(([name, text]) => file(`${name}.yaml`, text)))
    const missing = join(directory, 'missing.yaml')
    const { exitCode, stdout, stderr } = await runCli(['catalog', 'check', ...paths, missing])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    const sections = stderr.split(/^(?=\/)/m)
    expect(sections).toHaveLength(texts.length + 1)
    for (const [index, [name, , fault]] of texts.entries()) {
      expect(sections[index], name).toMatch(new RegExp(`^${paths[index]}: \\d+ faults?\n`))
      expect(sections[index], name).toMatch(fault)
    }
    expect(sections.at(-1)).toBe(`${missing}: there is no such file\n`)
    expect(stderr).not.toMatch(/\n {4}at /)
  })

  test('--json says what is wrong with each file, one object a line', async () => {
    const faulty = await file('odd.yaml', await document('studio', (changed) => leaveOut(changed, 'issuers')))
    const args = ['catalog', 'check', faulty, directory, 'config/demo/tenant.yaml']
    const [json, text] = await Promise.all([runCli([...args, '--json']), runCli(args)])
    expect(json).toMatchObject({ exitCode: 1, stderr: text.stderr })
    expect(json.json()).toEqual([
      { failed: faulty, faults: [{ path: 'issuers', problem: 'is missing; it must be a list' }] },
      {
        failed: `${directory}: is a directory; name the files in it, e.g. as DIRECTORY/*.yaml`,
        details: [],
      },
    ])
  })

  test('one tenant in two files is refused', async () => {
    expect(
      await runCli(['catalog', 'check', 'config/demo/tenant.yaml', 'config/demo/tenant.yaml']),
    ).toMatchObject({
      exitCode: 1,
      stderr: 'tenant demo-studio stands in two of the files; one a tenant\n',
    })
  })
})

describe.concurrent('apply and show', () => {
  test('from nothing to a change, and back through show', async () => {
    const before = await document('tour', (changed) => {
      changed.issuers = [{ issuer: 'https://tour.example', audience: 'recgate', jwks: { keys: [publicJwk] } }]
      changed.models.games.overrides = { itemcf: ['5250', 'yes', 'プレイヤー', '1e3', '# no comment'] }
    })
    const path = await file('tour.yaml', before)

    const dry = await done(catalog('apply', path, '--dry-run'))
    expect(dry.stdout).toBe(
      'tenant tour:\n  creates tenant tour with games, starter-offer\n  (a dry run: nothing was written)\n',
    )
    expect((await catalog('show', '--tenant', 'tour')).exitCode).toBe(1)

    const first = await done(catalog('apply', path, '--who', 'ci', '--why', 'the first time'))
    expect(first.stdout).toBe(
      'tenant tour:\n  creates tenant tour with games, starter-offer\n  → revision 1\n',
    )
    const second = await done(catalog('apply', path))
    expect(second.stdout).toBe('tenant tour: nothing changes\n')

    const shown = await done(catalog('show', '--tenant', 'tour'))
    expect(shown.stderr).toBe('tenant tour, revision 1\n')
    const again = await file('shown.yaml', shown.stdout)
    expect((await done(catalog('apply', again))).stdout).toBe('tenant tour: nothing changes\n')

    const [json] = (await done(catalog('show', '--tenant', 'tour', '--json'))).json<Shown>()
    expect(json).toMatchObject({ tenant: 'tour', revision: 1, tables: [] })
    expect(json?.document).toEqual(parse(shown.stdout))
    expect(json?.document.models.games.overrides).toEqual(before.models.games.overrides)
    const asJson = await file('shown.json', JSON.stringify(json?.document))

    Object.assign(before.models.games, { weights: { popular: 40, itemcf: 60 }, deadlineMs: 60 })
    const changed = await file('changed.yaml', before)
    const applied = await done(catalog('apply', changed, '--json'))
    expect(applied.json()).toEqual([
      {
        tenant: 'tour',
        changed: true,
        revision: 2,
        what: [
          '~ models.games.weights.popular: 50 → 40',
          '~ models.games.weights.itemcf: 50 → 60',
          '~ models.games.deadlineMs: 50 → 60',
          'models.games: 1000 of 10000 slots move',
        ],
      },
    ])
    const back = await done(catalog('apply', asJson, '--dry-run', '--json'))
    expect(back.json()).toMatchObject([{ tenant: 'tour', changed: false, revision: 2 }])
  })

  test('--revision-above lifts the revision, also of a document that is unchanged, and of a new one', async () => {
    const path = await file('restored.yaml', await document('restored'))
    await done(catalog('apply', path))
    const dry = await done(catalog('apply', path, '--revision-above', '41', '--dry-run'))
    expect(dry.stdout).toBe(
      'tenant restored:\n  ~ catalog revision: 1 → above 41\n  (a dry run: nothing was written)\n',
    )
    const lifted = await done(catalog('apply', path, '--revision-above', '41', '--json'))
    const what = ['~ catalog revision: 1 → above 41']
    expect(lifted.json()).toEqual([{ tenant: 'restored', changed: true, revision: 42, what }])
    const again = await done(catalog('apply', path, '--revision-above', '41'))
    expect(again.stdout).toBe('tenant restored: nothing changes\n')
    const [live] = (await done(catalog('show', '--tenant', 'restored', '--json'))).json()
    expect(live).toMatchObject({ revision: 42, document: { tenant: 'restored' } })

    const fresh = await file('fresh.yaml', await document('fresh'))
    const created = await done(catalog('apply', fresh, '--revision-above', '999999999999998'))
    expect(created.stdout).toMatch(/→ revision 999999999999999\n$/)
    for (const wrong of ['-1', '1.5', 'x', '', '1e3', '9999999999999999']) {
      const refused = await catalog('apply', path, `--revision-above=${wrong}`)
      expect(refused.exitCode).toBe(2)
      expect(refused.stderr).toContain('It must be a whole number of at most 15 digits.')
    }
  })

  test('of two files one of which is faulty, or can not be planned, nothing is applied', async () => {
    await done(catalog('apply', await file('live.yaml', await document('live'))))
    const sound = await file('sound.yaml', await document('sound'))
    const faulty = await file(
      'faulty-too.yaml',
      await document('faulty', (changed) => leaveOut(changed.models.games, 'key')),
    )
    const shrunk = await file(
      'shrunk.yaml',
      await document('live', (changed) => {
        leaveOut(changed.models.games.record, 'games')
        leaveOut(changed.models.games.default, 'games')
      }),
    )
    const [withFaulty, withShrunk] = await Promise.all([
      catalog('apply', sound, faulty),
      catalog('apply', sound, shrunk),
    ])
    expect(withFaulty).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: `${faulty}: 1 fault\n  models.games.key: is missing; it must be a list\n`,
    })
    expect(withShrunk).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr:
        'tenant live: 1 fault\n  models.games.record.games: is gone; packed records have its bits, so it must stay\n',
    })
    const tenants = (await done(catalog('show', '--json'))).json<Shown>().map(({ tenant }) => tenant)
    expect(tenants).toContain('live')
    expect(tenants).not.toContain('sound')
    expect(tenants).not.toContain('faulty')
  })

  test('an issuer that is another tenant’s is refused without naming that tenant', async () => {
    const claims = (changed: LooseDocument) => {
      changed.issuers = [
        { issuer: 'https://shared.example', audience: 'recgate', jwks: { keys: [publicJwk] } },
      ]
    }
    await done(catalog('apply', await file('owner.yaml', await document('owner', claims))))
    const { exitCode, stderr } = await catalog(
      'apply',
      await file('thief.yaml', await document('thief', claims)),
    )
    expect(exitCode).toBe(1)
    expect(stderr).toBe(
      'tenant thief: 1 fault\n  issuers[0].issuer: belongs to another tenant; an issuer belongs to one\n',
    )
    // Found while planning, so that what stands before it isn't applied either; and among the files themselves.
    const bystander = await file('bystander.yaml', await document('bystander'))
    const thief = await file('thief-2.yaml', await document('thief-2', claims))
    const owner = await file('owner-2.yaml', await document('owner', claims))
    const [planned, together] = await Promise.all([
      catalog('apply', bystander, thief),
      catalog('apply', bystander, owner, thief),
    ])
    expect(planned).toMatchObject({ exitCode: 1, stdout: '' })
    expect(together).toMatchObject({ exitCode: 1, stdout: '' })
    expect(together.stderr).toMatch(/^two of the files claim the issuer https:\/\/shared\.example/)
    expect((await done(catalog('show'))).stdout).not.toMatch(/bystander|thief/)
  })

  test('show lists all tenants, and says of one that is not there that it is not', async () => {
    await done(catalog('apply', await file('listed.yaml', await document('listed'))))
    const [list, none] = await Promise.all([done(catalog('show')), catalog('show', '--tenant', 'nobody')])
    expect(list.stdout).toMatch(/^TENANT +REVISION\n/)
    expect(list.stdout).toMatch(/^listed +1$/m)
    expect(none).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: 'there is no tenant nobody; `recgate catalog show` lists them\n',
    })
  })
})

describe('history', () => {
  const change = (maxAgeSeconds: number) => (changed: LooseDocument) => {
    changed.models.games.maxAgeSeconds = maxAgeSeconds
  }

  test('shows the newest changes first, as many as were asked for, as a table or one object a line', async () => {
    const apply = async (maxAgeSeconds: number) =>
      done(
        catalog(
          'apply',
          await file('told.yaml', await document('told', change(maxAgeSeconds))),
          '--who',
          'ada',
          '--why',
          `to ${maxAgeSeconds}`,
        ),
      )
    for (const maxAgeSeconds of [1, 2, 3]) await apply(maxAgeSeconds)
    const entries = (await done(catalog('history', '--tenant', 'told', '--json'))).json()
    expect(entries).toEqual(
      [3, 2, 1].map((revision) => ({
        revision,
        at: expect.stringMatching(/^20\d\d-/),
        who: 'ada',
        why: `to ${revision}`,
        what: [
          revision === 1
            ? 'creates tenant told with games, starter-offer'
            : `~ models.games.maxAgeSeconds: ${revision - 1} → ${revision}`,
        ],
      })),
    )
    const { stdout } = await done(catalog('history', '--tenant', 'told', '--limit', '2'))
    expect(stdout.split('\n').map((line) => line.replace(/20\d\d-\S+/, 'WHEN').replace(/ +/g, ' '))).toEqual([
      'REVISION WHEN WHO WHY WHAT',
      '3 WHEN ada to 3 ~ models.games.maxAgeSeconds: 2 → 3',
      '2 WHEN ada to 2 ~ models.games.maxAgeSeconds: 1 → 2',
      '',
    ])
  })

  test('of more changes than one trip fetches is told without a gap', async () => {
    const tools = await testTools(redis.url)
    const configuration = { document: '{}', issuers: [] }
    const history = { at: '', who: 'ada', why: 'often', what: [] }
    const count = limits.historyEntriesPerTrip * 2 + 3
    for (let expectedRevision = 0; expectedRevision < count; expectedRevision++)
      await tools.catalog.change({ tenantId: 'often', expectedRevision, state: '{}', configuration, history })
    tools.close()
    const revisionsOf = async (limit: number) => {
      const shown = await done(catalog('history', '--tenant', 'often', '--json', '--limit', String(limit)))
      return shown.json<{ revision: number }>().map(({ revision }) => revision)
    }
    const all = Array.from({ length: count }, (_, index) => count - index)
    expect(await revisionsOf(1_000)).toEqual(all)
    expect(await revisionsOf(21)).toEqual(all.slice(0, 21))
  })

  test('of nobody, or of no length, is refused', async () => {
    expect(await catalog('history', '--tenant', 'nobody')).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: 'tenant nobody has no history; `recgate catalog show` lists the tenants\n',
    })
    expect(await catalog('history', '--tenant', 'x', '--limit', '0')).toMatchObject({
      exitCode: 2,
      stderr: '--limit 0: must be from 1 to 1000, as many as are kept\n',
    })
  })
})

describe('an entry that was damaged by hand', () => {
  const apply = async (tenant: string, change?: (document: LooseDocument) => void, ...args: string[]) =>
    catalog('apply', await file(`${tenant}.yaml`, await document(tenant, change)), ...args)

  async function hands<T>(act: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(redis.url)
    try {
      return await act(client)
    } finally {
      client.disconnect()
    }
  }

  test('in its document is mended by a sound one, and salts stay', async () => {
    await done(apply('hurt'))
    const key = catalogKeys.tenant('hurt')
    const saltOf = async () => {
      const state = await hands((client) => client.hget(key, 'state'))
      return JSON.parse(state ?? '').models.games.salt
    }
    const salt = await saltOf()
    await hands((client) => client.hset(key, 'document', '{broken'))
    const mended = await done(apply('hurt'))
    expect(mended.stdout).toContain("replaces the document of tenant hurt, which can't be read")
    expect(mended.stdout).toContain('→ revision 2')
    expect(await saltOf()).toBe(salt)
    expect((await done(catalog('show', '--tenant', 'hurt'))).stdout).toContain('tenant: hurt')
    expect((await done(apply('hurt'))).stdout).toContain('nothing changes')
  })

  test('in its revision is mended, too', async () => {
    await done(apply('lost'))
    await hands((client) => client.hset(catalogKeys.tenant('lost'), 'revision', 'abc'))
    const change = (changed: LooseDocument) => {
      changed.models.games.maxAgeSeconds = 111
    }
    expect((await done(apply('lost', change))).stdout).toContain('→ revision 2')
  })

  test('in its state is refused, since salts would be lost; nothing changes', async () => {
    await done(apply('deaf'))
    const key = catalogKeys.tenant('deaf')
    await hands((client) => client.hset(key, 'state', '{}'))
    const before = await hands((client) => client.hgetall(key))
    const refused = await apply('deaf')
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toMatch(/tenant deaf, revision 1, state: \d+ faults?/)
    expect(await hands((client) => client.hgetall(key))).toEqual(before)
  })

  test('that lacks a model in its state gets it', async () => {
    await done(apply('half'))
    const key = catalogKeys.tenant('half')
    await hands(async (client) => {
      const state = JSON.parse((await client.hget(key, 'state')) ?? '')
      delete state.models.games
      await client.hset(key, 'state', JSON.stringify(state))
    })
    expect((await done(apply('half'))).stdout).toContain('~ state: completes what is missing')
  })
})
