import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type ClientModel, describeClientModel } from '../../../src/clients/client-model.ts'
import { generateCsharp } from '../../../src/clients/csharp/generate-csharp.ts'
import type { KeyPartDocument } from '../../../src/domain/tenant-document.ts'
import { goldenEntries } from '../../support/golden-clients/clients.ts'
import { sampleModels } from '../support/sample-models.ts'
import { compileProgram, missingMono, programFile, put } from './mono.ts'

/** All files of many models, whatever their names, live in one project. */

const missing = await missingMono()
if (missing !== null)
  process.stderr.write(`skipped: many C# clients in one project, for want of ${missing}\n`)

const parameters: KeyPartDocument[] = [
  { claim: 'sub' },
  { query: 'class', values: ['DE', '"\\\n\u2028', 'プロ'] },
  { query: 'Class', uint: { max: Number.MAX_SAFE_INTEGER } },
  { query: 'x.y', id: { maxBytes: 8 } },
  { query: 'x-y', values: ['x'] },
  { query: 'query', values: ['x'] },
]

/** Whose types and fields are called as those that every client has. */
const tenants = ['system', 'recgate', 'global']
const models = [
  'token',
  'unity-token',
  'fetch',
  'decode',
  'kept',
  'system',
  'bit',
  'parameter',
  'task',
  'header',
]
const fields = [
  'error',
  'error_code',
  'core',
  'answer',
  'step',
  'text',
  'reader',
  'record',
  'check',
  'source',
  'system',
]

function namedModels(): ClientModel[] {
  const record = Object.fromEntries(
    fields.map((name) => [name, { type: 'enum' as const, values: ['a', 'b'] }]),
  )
  return tenants.flatMap((tenantId) =>
    models.map((modelId) =>
      describeClientModel({
        tenantId,
        modelId,
        record,
        key: parameters,
        defaultRecord: null,
        deadlineMs: 50,
      }),
    ),
  )
}

function goldenModels(): ClientModel[] {
  return goldenEntries().map(({ tenant, model, schema, default: given }) =>
    describeClientModel({
      tenantId: tenant,
      modelId: model,
      record: schema,
      key: [{ claim: 'sub' }],
      defaultRecord: given?.given ?? null,
      deadlineMs: 50,
    }),
  )
}

const mainFile = 'public static class Project { public static void Main() { } }'

test.skipIf(missing !== null)('all files of many models compile together, without a warning', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-project-'))
  const generated = [...namedModels(), ...goldenModels()].flatMap((model) => generateCsharp(model))
  expect(new Set(generated.map(({ path }) => path.toLowerCase())).size).toBe(generated.length)
  await compileProgram({
    output: join(directory, 'project.exe'),
    files: [
      ...(await Promise.all(generated.map(({ path, text }) => put(directory, path, text)))),
      await put(directory, 'main.cs', mainFile),
      programFile('unity-stub.cs'),
    ],
    references: ['System.dll', 'System.Net.Http.dll'],
    defines: ['UNITY_2019_4_OR_NEWER', 'UNITY_2020_2_OR_NEWER'],
  })
  await rm(directory, { recursive: true })
})

test.skipIf(missing !== null)('one file of a game can name every type of several models', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-one-file-'))
  const generated = (await sampleModels()).flatMap((model) => generateCsharp(model))
  const namespaces = new Set(generated.map(({ text }) => /^namespace (.*)$/m.exec(text)![1]!))
  const types = generated.flatMap(({ text }) =>
    [...text.matchAll(/^ {4}public (?:(?:static|sealed) )*(?:class|struct|enum|delegate \S+) (\w+)/gm)].map(
      ([, name]) => name!,
    ),
  )
  for (const name of ['GamesDecodeError', 'GamesTokenCallback', 'StarterOfferUnityTokenCallback'])
    expect(types).toContain(name)
  const game = [
    ...[...namespaces].map((namespace) => `using ${namespace};`),
    'public static class Game { public static void Main() { System.Type[] types = {',
    ...types.map((name) => `typeof(${name}),`),
    '}; System.Console.WriteLine(types.Length); } }',
  ]
  expect(namespaces.size).toBeGreaterThan(1)
  await compileProgram({
    output: join(directory, 'game.exe'),
    files: [
      ...(await Promise.all(generated.map(({ path, text }) => put(directory, path, text)))),
      await put(directory, 'game.cs', game.join('\n')),
      programFile('unity-stub.cs'),
    ],
    references: ['System.dll', 'System.Net.Http.dll'],
    defines: ['UNITY_2019_4_OR_NEWER', 'UNITY_2020_2_OR_NEWER'],
  })
  await rm(directory, { recursive: true })
})
