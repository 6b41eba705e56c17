import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientModel } from '../../../src/clients/client-model.ts'
import { generateCpp, namespaceOfModel } from '../../../src/clients/cpp/generate-cpp.ts'
import type { CppCompiler } from './compilers.ts'
import { printersText } from './record-printer.ts'

/**
 * Compiles a program of program/ that includes `client.hpp`: a model's fetcher, in the namespace `client`, with
 * `print` for its records and `parameters_of` for its parameters. Answers the program's path.
 */
export async function buildProgram(
  compiler: CppCompiler,
  source: string,
  model: ClientModel,
  directory: string,
): Promise<string> {
  const [decoder, fetcher, ...common] = generateCpp(model)
  for (const { path, text } of [decoder!, fetcher!, ...common]) await writeFile(join(directory, path), text)
  for (const name of [source, 'json.hpp'])
    await copyFile(fileURLToPath(new URL(`program/${name}`, import.meta.url)), join(directory, name))
  await writeFile(join(directory, 'client.hpp'), clientText(model, fetcher!.path))
  const program = join(directory, 'program')
  await compiler.build([join(directory, source)], program, { libraries: ['-lcurl'] })
  return program
}

function clientText(model: ClientModel, fetcher: string): string {
  const namespace = namespaceOfModel(model)
  const parameters = model.parameters.map(({ accepts }, index) =>
    accepts.type === 'uint' ? `std::strtoll(values[${index}].c_str(), nullptr, 10)` : `values[${index}]`,
  )
  return `#pragma once

#include <cstdlib>

#include "${fetcher}"
#include "json.hpp"

${printersText(model)}
namespace ${namespace} {

inline Parameters parameters_of(const std::vector<std::string>& values) {
  return Parameters{${parameters.join(', ')}};
}

}  // namespace ${namespace}

namespace client = ${namespace};
`
}
