import { join } from 'node:path'
import { findLiveModel } from '../catalog/live-tenant.ts'
import type { ClientFile } from '../clients/client-file.ts'
import { type ClientModel, describeClientModel } from '../clients/client-model.ts'
import { generators } from '../clients/generators.ts'
import { composeTools } from '../compose.ts'
import { makeDirectories } from '../disk/make-directories.ts'
import { writeWhole } from '../disk/write-whole.ts'
import type { RecordSchema } from '../domain/codec/record-schema.ts'
import { OperationError } from '../domain/errors.ts'
import type { ModelDocument } from '../domain/tenant-document.ts'
import type { Settings } from '../settings/schema.ts'
import { createCommandLog, print } from './output.ts'
import { readTenantFile } from './tenant-file.ts'
import { UsageError } from './usage-error.ts'

export interface ClientOptions {
  /** Whose live model it is; or `documentFile` has it. */
  readonly tenant: string | undefined
  readonly model: string
  readonly documentFile: string | undefined
  /** Null: to standard output. */
  readonly out: string | null
  /** Read the settings only where Redis is needed. */
  readonly settings: () => Promise<Settings>
}

/** `recgate client`: source files that decode a model's records, and fetch them. */
export async function generateClient(language: string, options: ClientOptions): Promise<void> {
  const generate = new Map(Object.entries(generators)).get(language)
  if (generate === undefined)
    throw new UsageError(`no client in ${language}; there are ${Object.keys(generators).join(', ')}`)
  const files = generate(await findModel(options))
  if (options.out !== null) {
    for (const path of await writeFiles(options.out, files)) print(path)
    return
  }
  const [file, ...others] = files
  if (file === undefined || others.length > 0) {
    const names = files.map(({ path }) => path).join(', ')
    throw new UsageError(`${files.length} files (${names}) need a directory: --out DIR`)
  }
  process.stdout.write(file.text)
}

async function findModel(options: ClientOptions): Promise<ClientModel> {
  const { tenant, model, documentFile } = options
  if (documentFile !== undefined) return modelOfFile(documentFile, model, tenant)
  if (tenant === undefined)
    throw new UsageError('say whose model it is: --tenant, or --document with its file')
  const settings = await options.settings()
  const tools = await composeTools(settings, createCommandLog(settings.logLevel))
  try {
    const { document, state } = await findLiveModel(tools.catalog, tenant, model)
    return describe(tenant, model, document, state.record)
  } finally {
    tools.close()
  }
}

async function modelOfFile(
  file: string,
  modelId: string,
  tenantId: string | undefined,
): Promise<ClientModel> {
  const { tenant, models } = await readTenantFile(file)
  if (tenantId !== undefined && tenantId !== tenant)
    throw new OperationError(`${file} is the tenant ${tenant}'s, not ${tenantId}'s`)
  const document = new Map(Object.entries(models)).get(modelId)
  if (document !== undefined) return describe(tenant, modelId, document, document.record)
  const known = Object.keys(models).join(', ') || 'none'
  throw new OperationError(`${file} has no model ${modelId}; it has ${known}`)
}

/** The live schema may be ahead of the document's, where an older document was restored. */
function describe(
  tenantId: string,
  modelId: string,
  { key, default: standIn, deadlineMs }: ModelDocument,
  record: RecordSchema,
): ClientModel {
  const defaultRecord = standIn === 'none' ? null : standIn
  return describeClientModel({ tenantId, modelId, record, key, defaultRecord, deadlineMs })
}

/** As any new file: what the umask leaves. */
const newFileMode = 0o666

/** Each whole, so that no compiler ever finds half of one. Answers their paths. */
async function writeFiles(directory: string, files: readonly ClientFile[]): Promise<string[]> {
  const paths: string[] = []
  try {
    makeDirectories(directory)
    for (const { path, text } of files) {
      const file = join(directory, path)
      await writeWhole(file, [Buffer.from(text)], newFileMode)
      paths.push(file)
    }
  } catch (error) {
    throw new OperationError(`${directory}: can't be written to: ${(error as Error).message}`)
  }
  return paths
}
