import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ClientModel, describeClientModel } from '../../../src/clients/client-model.ts'
import { generateCpp } from '../../../src/clients/cpp/generate-cpp.ts'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'
import golden from '../../golden/codec.json' with { type: 'json' }
import { goldenEntries } from '../../support/golden-clients/clients.ts'
import { bodyQuestion } from '../support/client-runner.ts'
import { compilers } from './compilers.ts'
import { cppRunner } from './cpp-runner.ts'

const buildMsMax = 240_000
const templates = fileURLToPath(new URL('../../../src/clients/templates/cpp/', import.meta.url))

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-cpp-'))
})

afterEach(() => rm(directory, { recursive: true }))

function modelOf(modelId: string, record: unknown, tenantId = 'studio'): ClientModel {
  return describeClientModel({
    tenantId,
    modelId,
    record: recordSchemaDocument.parse(record),
    key: [{ claim: 'sub' }],
    defaultRecord: null,
    deadlineMs: 50,
  })
}

async function writeHeaders(models: readonly ClientModel[]): Promise<string[]> {
  const files = models.flatMap((model) => generateCpp(model))
  for (const { path, text } of files) await writeFile(join(directory, path), text)
  return [...new Set(files.map(({ path }) => path))]
}

async function compileAndRun(
  compiler: (typeof compilers)[number],
  text: string,
  flags?: readonly string[],
): Promise<void> {
  const source = join(directory, 'main.cpp')
  await writeFile(source, text)
  const program = join(directory, 'program')
  await compiler.build([source], program, {
    ...(flags === undefined ? {} : { flags }),
    libraries: ['-lcurl'],
  })
  await promisify(execFile)(program)
}

describe.each(compilers)('C++ by $command', (compiler) => {
  const it = (name: string, run: () => Promise<void>) =>
    test(
      name,
      async ({ skip }) => {
        const missing = await compiler.missing()
        skip(missing !== null, `for want of ${missing}`)
        await run()
      },
      buildMsMax,
    )

  it('reads what is pinned of the codec, also where speed may cost exactness', async () => {
    const cases = [...golden.cases, ...golden.hostile]
    const schemas = [...new Set(cases.map(({ schema }) => JSON.stringify(schema)))]
    const models = schemas.map((schema, index) => modelOf(`m${index}`, JSON.parse(schema)))
    const runner = cppRunner(compiler, { flags: ['-O2', '-ffast-math'] })
    const program = await runner.build(models, directory)
    const answers = await program.answer(
      cases.map(({ schema, hex }) => bodyQuestion(schemas.indexOf(JSON.stringify(schema)), hex)),
    )
    cases.forEach((pinned, index) => {
      const answer = answers[index]!
      if ('error' in pinned) expect(answer.split(' ')[1], pinned.name).toBe(pinned.error)
      else expect(JSON.parse(answer), pinned.name).toEqual(JSON.parse(pinned.json))
    })
  })

  it('takes any two models into one program, and says what a game needs of them', async () => {
    const record = {
      seen: { type: 'timestamp', from: '0000-01-01T00:00:00Z', resolutionSeconds: 60, bits: 31 },
    }
    const ids = [
      ['class', 'new'],
      ['std', 'recgate'],
      ['detail', 'detail'],
      ['a-b', 'c'],
      ['a_b', 'c'],
      ['a', 'b-c'],
    ] as const
    const values = Array.from({ length: 65_536 }, (_, index) => `é${index}`)
    const headers = await writeHeaders([
      ...ids.map(([tenant, model]) => modelOf(model, record, tenant)),
      modelOf('large', { choice: { type: 'enum', values } }),
    ])
    await compileAndRun(
      compiler,
      `${headers.map((header) => `#include "${header}"\n`).join('')}
#include <type_traits>

namespace games = recgate::a_b::c;
static_assert(std::is_same_v<decltype(games::Record::seen), std::int64_t>);
static_assert(std::is_aggregate_v<games::Record>);
static_assert(games::tenant_id == "a-b" && games::model_id == "c" && games::schema_revision == 1);
static_assert(recgate::a_b_U::c::tenant_id == "a_b");
static_assert(recgate::class_::new_::model_id == "new" && recgate::std_::recgate_::model_id == "recgate");

int main() {
  namespace large = recgate::studio::large;
  const large::Decoded last = large::decode(std::string_view("\\x01\\xff\\xff", 3));
  if (!last || large::to_string(last.record->choice) != "\\303\\25165535") return 6;
  const std::vector<std::uint8_t> bytes{1, 0, 0, 0, 2};
  const games::Decoded decoded = games::decode(bytes.data(), bytes.size());
  if (!decoded || decoded.error.code != games::DecodeErrorCode::none) return 1;
  const auto since_1970 = games::to_time_point(decoded.record->seen).time_since_epoch();
  if (since_1970 != std::chrono::milliseconds(-62167219200000 + 60000)) return 2;
  const games::Decoded none = games::decode(nullptr, 0);
  if (none || none.record || games::to_string(none.error.code) != "packed-empty") return 3;
  const games::Decoded cut = games::decode(std::string_view("\\x01\\x00", 2));
  if (cut || cut.error.field != "seen") return 4;
  return games::default_record() ? 5 : 0;
}
`,
    )
  })

  it('compiles behind headers that define what they like, and as other standards', async () => {
    await copyFile(new URL('program/windows.hpp', import.meta.url), join(directory, 'windows.hpp'))
    const words = goldenEntries().filter(({ name }) => /names|words|values/.test(name))
    expect(words.length).toBeGreaterThan(3)
    const values = {
      value: {
        type: 'enum',
        values: [
          'near',
          'NEAR',
          'IN',
          'ERROR',
          'linux',
          'class',
          '',
          '??/',
          '\\',
          '1',
          'é',
          'a b',
          'a_b',
        ].filter((text) => text !== ''),
      },
    }
    const models = [...words.map(({ model, schema }) => modelOf(model, schema)), modelOf('values', values)]
    const headers = await writeHeaders(models)
    const includes = headers
      .filter((header) => !header.startsWith('recgate_'))
      .map((header) => `#include "${header}"\n`)
    const before = '#include <curl/curl.h>\n#include "windows.hpp"\n'
    for (const standard of ['-std=gnu++17', '-std=c++20'])
      await compileAndRun(compiler, `${before}${includes.join('')}int main() {}\n`, ['-O0', standard])
  })

  it('has templates that compile as they stand', async () => {
    const names = (await readdir(templates)).filter((name) => name.endsWith('.hpp'))
    expect(names).toContain('fetcher.hpp')
    for (const name of names)
      await compileAndRun(compiler, `#include "${join(templates, name)}"\nint main() {}\n`, ['-O0'])
  })
})
