import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateCsharp } from '../../../src/clients/csharp/generate-csharp.ts'
import { goldenEntries } from '../../support/golden-clients/clients.ts'
import { goldenModel, goldenSuite } from '../support/golden-suite.ts'
import { aotRunner, compileAhead, missingAot } from './ahead-of-time.ts'
import { compileCsharp, missingMono, programFile, put } from './mono.ts'
import { runMono } from './mono-process.ts'
import { putSampleClients } from './sample-files.ts'

/**
 * What Unity's IL2CPP, AOT compilers and .NET Standard 2.0 ask of every file, both fetchers included, as the compiled
 * code has it: mcs knows the later .NET Framework, and would take more. Unsafe code it refuses by itself.
 */

const missing = await missingMono()
if (missing !== null) process.stderr.write(`skipped: what C# clients refer to, for want of ${missing}\n`)

// The suite at the end says it, where it lacks.
const missingCompiler = await missingAot()

/** Debian's mono-devel, which is large: it may be unpacked somewhere instead of installed. */
const frameworks = join(process.env['RECGATE_MONO_DEVEL'] ?? '/', 'usr/lib/mono')
const [standard20, framework461] = [
  join(frameworks, '4.7.2-api/Facades/netstandard.dll'),
  join(frameworks, '4.6.1-api'),
]
const missingFrameworks = [standard20, framework461].every(existsSync)
  ? missing
  : 'reference assemblies (apt-get install mono-devel, or dpkg -x it, and the directory in RECGATE_MONO_DEVEL)'
if (missingFrameworks !== null)
  process.stderr.write(
    `skipped: whether .NET Standard 2.0 has what C# clients use, for want of ${missingFrameworks}\n`,
  )

/** Lambdas, collections, tasks, text, HTTP; no reflection, LINQ, expressions, interop or serializers. */
const namespaces = [
  'System',
  'System.Collections',
  'System.Collections.Generic',
  'System.Diagnostics',
  'System.Globalization',
  'System.IO',
  'System.Net',
  'System.Net.Http',
  'System.Net.Http.Headers',
  'System.Runtime.CompilerServices',
  'System.Text',
  'System.Threading',
  'System.Threading.Tasks',
  'UnityEngine',
  'UnityEngine.Networking',
]

/** Reflection that lives in namespaces that are needed. */
const reflecting =
  /^System\.(Type|Activator|AppDomain|Enum|Delegate|MulticastDelegate) (?!\.ctor)|^System\.Object GetType$|^System\.Array CreateInstance$|^System\.Runtime\.CompilerServices\.RuntimeHelpers (?!InitializeArray$)/

const unityDefines = ['UNITY_2019_4_OR_NEWER', 'UNITY_2020_2_OR_NEWER']

describe.skipIf(missing !== null)('the C# of every kind of model, compiled', () => {
  let directory: string
  let files: readonly string[]
  let sampleFiles: readonly string[]
  let library: string
  let unity: string
  let references: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-portability-'))
    const golden = goldenEntries().flatMap((entry) => generateCsharp(goldenModel(entry)))
    const goldenFiles = await Promise.all(golden.map(({ path, text }) => put(directory, path, text)))
    sampleFiles = await putSampleClients(directory)
    files = [...goldenFiles, ...sampleFiles]
    library = join(directory, 'clients.dll')
    unity = join(directory, 'UnityEngine.dll')
    references = join(directory, 'references.exe')
    await compileCsharp({
      output: unity,
      files: [programFile('unity-stub.cs')],
      references: ['System.dll'],
      defines: unityDefines,
    })
    await compileClients(library, files)
    await compileCsharp({
      output: references,
      files: [programFile('references.cs'), programFile('ending.cs')],
      main: 'RecgateTests.Ending',
    })
  })

  afterAll(() => rm(directory, { recursive: true }))

  function compileClients(output: string, clients: readonly string[]): Promise<void> {
    const all = ['System.dll', 'System.Net.Http.dll', unity]
    return compileCsharp({ output, files: clients, references: all, defines: unityDefines })
  }

  async function referencesOf(...args: readonly string[]) {
    const lines = (await runMono(references, args)).trimEnd().split('\n')
    return (kind: string) =>
      lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1))
  }

  test('refers to nothing that reflects, makes code, or is native', async () => {
    const of = await referencesOf(library)
    const types = of('type').map((line) => line.split(' '))
    expect(types.length).toBeGreaterThan(50)
    expect(new Set(types.map(([assembly]) => assembly))).toEqual(
      new Set(['mscorlib', 'System', 'System.Net.Http', 'UnityEngine']),
    )
    expect(types.filter(([, namespace]) => !namespaces.includes(namespace!))).toEqual([])
    expect(of('member').length).toBeGreaterThan(100)
    expect(of('member').filter((member) => reflecting.test(member))).toEqual([])
    expect(of('extern')).toEqual([])
  })

  // .NET Framework 4.6.1 is the oldest that has .NET Standard 2.0; the facade of that names its types, not their members.
  test.skipIf(missingFrameworks !== null)(
    'knows no type that .NET Standard 2.0 lacks, and no member that is newer than .NET Framework 4.6.1',
    async () => {
      const lacking = (await referencesOf(library, standard20))('lacking')
      expect(lacking.filter((name) => !name.startsWith('UnityEngine.'))).toEqual([])
      expect(lacking).toContain('UnityEngine.Networking.UnityWebRequest')
      await compileCsharp({
        output: join(directory, 'framework461.dll'),
        files,
        references: ['System.dll', 'System.Net.Http.dll'],
        framework: framework461,
      })
    },
  )

  test.skipIf(missingCompiler !== null)('compiles ahead of time, every method', async () => {
    // The golden set's decoders come below, and their fetchers are the same.
    const samples = join(directory, 'samples.dll')
    await compileClients(samples, sampleFiles)
    expect(await compileAhead(samples)).toMatch(/^Compiled: (\d+)\/\1$/m)
  })
})

// Its decoders, run by a mono that makes no code.
await goldenSuite(aotRunner)
