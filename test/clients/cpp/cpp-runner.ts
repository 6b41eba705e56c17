import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientModel } from '../../../src/clients/client-model.ts'
import { generateCpp } from '../../../src/clients/cpp/generate-cpp.ts'
import { type ClientRunner, processProgram } from '../support/client-runner.ts'
import type { BuildOptions, CppCompiler } from './compilers.ts'
import { answersText } from './record-printer.ts'

/** Models in one translation unit: most of what one costs are the standard library's headers. */
const modelsPerSource = 12

export function cppRunner(compiler: CppCompiler, options: BuildOptions = {}): ClientRunner {
  const { flags = ['ASan', 'UBSan'] } = options
  return {
    name: `C++ by ${compiler.command} with ${flags.join(' ')}`,
    missing: compiler.missing,
    async build(models, directory) {
      const program = join(directory, 'program')
      await compiler.build(await writeSources(models, directory), program, options)
      return processProgram([program])
    },
  }
}

/** Answers the sources' paths. */
async function writeSources(models: readonly ClientModel[], directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true })
  const ours = ['main.cpp', 'answers.hpp', 'json.hpp']
  for (const name of ours)
    await copyFile(fileURLToPath(new URL(`program/${name}`, import.meta.url)), join(directory, name))
  const sources = [join(directory, 'main.cpp')]
  const write = async (name: string, text: string) => {
    await writeFile(join(directory, name), text)
    if (name.endsWith('.cpp')) sources.push(join(directory, name))
  }
  await write('models.cpp', tableText(models.length))
  for (let first = 0; first < models.length; first += modelsPerSource) {
    const some = models.slice(first, first + modelsPerSource)
    const clients = some.map((model) => generateCpp(model))
    for (const { path, text } of clients.flat()) await write(path, text)
    const includes = clients.map(([decoder]) => `#include "${decoder!.path}"\n`)
    const printers = some.map((model, index) => answersText(model, `model_${first + index}`))
    const text = `#include "answers.hpp"\n#include "json.hpp"\n${includes.join('')}\n${printers.join('\n')}`
    await write(`models_${first}.cpp`, text)
  }
  return sources
}

function tableText(count: number): string {
  const names = Array.from({ length: count }, (_, index) => `model_${index}`)
  return `#include "answers.hpp"
${names.map((name) => `extern const Model ${name};\n`).join('')}
const Model models[] = {${names.join(', ')}};
const std::size_t model_count = ${count};
`
}
