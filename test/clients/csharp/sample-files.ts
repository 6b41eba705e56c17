import { generateCsharp } from '../../../src/clients/csharp/generate-csharp.ts'
import { sampleModels } from '../support/sample-models.ts'
import { put } from './mono.ts'

/** The demo's models' clients, written to that directory; answers the files' paths. */
export async function putSampleClients(directory: string): Promise<string[]> {
  const files = (await sampleModels()).flatMap((model) => generateCsharp(model))
  return Promise.all(files.map(({ path, text }) => put(directory, path, text)))
}
