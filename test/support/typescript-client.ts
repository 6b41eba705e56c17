import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeClientModel } from '../../src/clients/client-model.ts'
import type { FetchedModel } from '../../src/clients/templates/typescript/fetcher.ts'
import { generateTypescript } from '../../src/clients/typescript/generate-typescript.ts'
import { checkTenantDocument } from '../../src/domain/tenant-document.ts'

/** What a test calls of a generated decoder, whose own types it can't know. */
export type GeneratedModel<Query> = FetchedModel<unknown, Query, unknown>

/**
 * Generates the decoder of one model of a document, and loads it as Node does with any source file.
 *
 * @param name of what the file exports for fetchers, e.g. `gamesModel`
 */
export async function loadGeneratedModel<Query = void>(
  input: unknown,
  modelId: string,
  name: string,
): Promise<GeneratedModel<Query>> {
  const { document, faults } = checkTenantDocument(input)
  if (document === null) throw new Error(JSON.stringify(faults))
  const { record, key, default: standIn, deadlineMs } = document.models[modelId]!
  const defaultRecord = standIn === 'none' ? null : standIn
  const model = { tenantId: document.tenant, modelId, record, key, defaultRecord, deadlineMs }
  const [decoder] = generateTypescript(describeClientModel(model))
  const directory = await mkdtemp(join(tmpdir(), 'recgate-decoder-'))
  try {
    const file = join(directory, decoder!.path)
    await writeFile(file, decoder!.text)
    const module = (await import(pathToFileURL(file).href)) as Record<string, GeneratedModel<Query>>
    return module[name]!
  } finally {
    await rm(directory, { recursive: true })
  }
}
