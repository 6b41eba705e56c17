import type { ClientFile } from './client-file.ts'
import type { ClientModel } from './client-model.ts'
import { generateCpp } from './cpp/generate-cpp.ts'
import { generateCsharp } from './csharp/generate-csharp.ts'
import { generateJson } from './json/generate-json.ts'
import { generateTypescript } from './typescript/generate-typescript.ts'

/** What `recgate client` takes for a language, and who makes its files. */
export const generators: Readonly<Record<string, (model: ClientModel) => ClientFile[]>> = {
  cpp: generateCpp,
  csharp: (model) => generateCsharp(model),
  typescript: generateTypescript,
  json: generateJson,
}
