import { join } from 'node:path'
import type { ClientModel } from '../../../src/clients/client-model.ts'
import { generateCsharp } from '../../../src/clients/csharp/generate-csharp.ts'
import { type ClientRunner, processProgram } from '../support/client-runner.ts'
import { answersFile } from './json-writer.ts'
import { compileCsharp, missingMono, programFile, put } from './mono.ts'

const programFiles = ['decoder-runner.cs', 'framed-bytes.cs', 'json-text.cs'].map(programFile)

/** All models' decoders, each its one file, in one program on mono. */
export const csharpRunner: ClientRunner = {
  name: 'C# on mono',
  missing: missingMono,
  build: async (models, directory) => processProgram(['mono', await buildDecoders(models, directory)]),
}

/** Answers the program's path. */
export async function buildDecoders(models: readonly ClientModel[], directory: string): Promise<string> {
  const files = [...programFiles]
  const namespaces: string[] = []
  for (const [index, model] of models.entries()) {
    const [decoder] = generateCsharp(model)
    const namespace = /^namespace (.*)$/m.exec(decoder!.text)![1]!
    files.push(await put(directory, `${index}.${decoder!.path}`, decoder!.text))
    files.push(await put(directory, `${index}.answers.cs`, answersFile(model, namespace)))
    namespaces.push(namespace)
  }
  files.push(await put(directory, 'models.cs', modelsFile(namespaces)))
  const output = join(directory, 'decoders.exe')
  await compileCsharp({ output, files })
  return output
}

/** The model of an index. */
function modelsFile(namespaces: readonly string[]): string {
  const cases = namespaces.map(
    (namespace, index) => `case ${index}: return global::${namespace}.RunnerAnswers.Answer(asked);`,
  )
  return `namespace RecgateTests
{
    internal static class Models
    {
        internal static string Answer(int index, string asked)
        {
            switch (index)
            {
                ${cases.join('\n                ')}
                default: return "no such model";
            }
        }
    }
}
`
}
