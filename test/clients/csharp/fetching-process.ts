import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClientModel } from '../../../src/clients/client-model.ts'
import { generateCsharp } from '../../../src/clients/csharp/generate-csharp.ts'
import { nameRecord } from '../../../src/clients/csharp/named-record.ts'
import { answersFile } from './json-writer.ts'
import { compileProgram, programFile, put } from './mono.ts'
import { startMono } from './mono-process.ts'

/** Programs that hold a fetcher of each kind for a model with parameters: programs/fetcher-runner.cs says how to talk with them. */

export const fetcherKinds = ['http', 'unity'] as const
export type FetcherKind = (typeof fetcherKinds)[number]

/** What a fetcher gave; null where C# has null. */
interface Fetched {
  readonly source: string
  readonly version: string | null
  readonly reason: string | null
  readonly status: number
  readonly code: string | null
  readonly detail: string | null
  readonly record: unknown
}

/** The exception's message instead, where the caller is at fault, or cancelled. */
interface Refused {
  readonly refused: string
}

/** How many requests of Unity's nobody has disposed of. */
interface Held {
  readonly held: string
}

type Told = Fetched | Refused | Held

export interface FetchingProcess {
  fetch(...values: readonly string[]): Promise<Fetched | Refused>
  /** Of the fetch that is under way. */
  cancel(): void
  /** Of the fetcher, while a fetch is under way; only the one for Unity can be. */
  dispose(): void
  /** Has no frames until the deadline of the fetch under way is over, and then another fetch before that one; in Unity. */
  beLate(): void
  /** Requests that nobody has disposed of, in Unity. */
  held(): Promise<number>
  /** What the fetcher said each time when it asked for a token: whether the last one has expired. */
  readonly refreshes: boolean[]
  /** @throws {Error} with what it wrote, where it ended badly */
  close(): Promise<void>
}

/** @param defines Unity's, of the version that is meant */
export async function buildFetching(
  model: ClientModel,
  directory: string,
  defines: readonly string[],
): Promise<string> {
  const generated = generateCsharp(model)
  const namespace = /^namespace (.*)$/m.exec(generated[0]!.text)![1]!
  const { prefix } = nameRecord(model)
  const template = await readFile(programFile('fetching-client.cs'), 'utf8')
  const filled = template.replaceAll('__Namespace__', namespace).replaceAll('__Model__', prefix)
  const values = model.parameters.map(({ accepts }, index) =>
    accepts.type === 'uint' ? `long.Parse(values[${index}])` : `values[${index}]`,
  )
  const parameters = `namespace ${namespace} { internal static class FetchingParameters {
    internal static ${prefix}Parameters Of(string[] values) { return new ${prefix}Parameters(${values.join(', ')}); } } }`
  const output = join(directory, 'fetching.exe')
  await compileProgram({
    output,
    files: [
      ...(await Promise.all(generated.map(({ path, text }) => put(directory, path, text)))),
      await put(directory, 'client.cs', filled),
      await put(directory, 'parameters.cs', parameters),
      await put(directory, 'answers.cs', answersFile(model, namespace)),
      ...['fetcher-runner.cs', 'framed-bytes.cs', 'json-text.cs', 'unity-stub.cs'].map(programFile),
    ],
    references: ['System.dll', 'System.Net.Http.dll'],
    defines,
  })
  return output
}

/** @param tokenFor what the game gives when it is asked; `-`: no token; `never`: no answer; `throw`: it fails */
export function startFetching(
  program: string,
  args: readonly [FetcherKind, ...string[]],
  tokenFor: (refresh: boolean) => string,
): FetchingProcess {
  const refreshes: boolean[] = []
  const waiting: ((told: Told) => void)[] = []
  const running = startMono(program, args, {
    onLine: (line) => {
      const told = JSON.parse(line) as Told | { readonly refresh: boolean }
      if (!('refresh' in told)) return waiting.shift()?.(told)
      refreshes.push(told.refresh)
      running.write(`token ${tokenFor(told.refresh)}`)
    },
  })
  function ask<Answer extends Told>(line: string): Promise<Answer> {
    const told = new Promise<Told>((resolve) => waiting.push(resolve))
    running.write(line)
    return Promise.race([
      told as Promise<Answer>,
      running.ended.then(() => Promise.reject(new Error('it ended too early'))),
    ])
  }
  return {
    refreshes,
    fetch: (...values) => ask<Fetched | Refused>(values.join('\t')),
    beLate: () => running.write('late'),
    held: async () => Number((await ask<Held>('held')).held),
    cancel: () => running.write('cancel'),
    dispose: () => running.write('dispose'),
    async close() {
      running.endInput()
      await running.ended
    },
  }
}
