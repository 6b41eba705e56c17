import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { findLiveModel } from '../catalog/live-tenant.ts'
import { composeTools } from '../compose.ts'
import { CodecError, compileRecordSchema } from '../domain/codec/codec.ts'
import type { RecordSchema } from '../domain/codec/record-schema.ts'
import { OperationError } from '../domain/errors.ts'
import type { Settings } from '../settings/schema.ts'
import { createCommandLog, print } from './output.ts'
import { readTenantFile } from './tenant-file.ts'
import { UsageError } from './usage-error.ts'

export interface DecodeOptions {
  /** Live tenant; or `documentFile` has the schema. */
  readonly tenant: string | undefined
  readonly model: string
  readonly documentFile: string | undefined
  readonly hex: string | undefined
  /** Read the settings only where Redis is needed. */
  readonly settings: () => Promise<Settings>
}

/** `recgate decode`: a packed body as JSON. */
export async function decodeBody(file: string, options: DecodeOptions): Promise<void> {
  const schema = await findSchema(options)
  const packed = options.hex === undefined ? await readBody(file) : parseHex(options.hex)
  try {
    print(compileRecordSchema(schema).toJsonText(packed))
  } catch (error) {
    if (error instanceof CodecError)
      throw new OperationError(`not a record of ${options.model} (${error.code}): ${error.message}`)
    throw error
  }
}

async function findSchema({ tenant, model, documentFile, settings }: DecodeOptions): Promise<RecordSchema> {
  if (documentFile !== undefined) {
    const { models } = await readTenantFile(documentFile)
    const document = Object.hasOwn(models, model) ? models[model] : undefined
    if (document !== undefined) return document.record
    throw new OperationError(
      `${documentFile} has no model ${model}; it has ${Object.keys(models).join(', ')}`,
    )
  }
  if (tenant === undefined)
    throw new UsageError('say whose model it is: --tenant, or --document with its file')
  const loaded = await settings()
  const tools = await composeTools(loaded, createCommandLog(loaded.logLevel))
  try {
    return (await findLiveModel(tools.catalog, tenant, model)).state.record
  } finally {
    tools.close()
  }
}

async function readBody(file: string): Promise<Uint8Array> {
  try {
    return file === '-' ? await buffer(process.stdin) : await readFile(file)
  } catch (error) {
    throw new OperationError(`${file}: can't be read: ${(error as Error).message}`)
  }
}

function parseHex(hex: string): Uint8Array {
  if (/^([0-9a-fA-F]{2})+$/.test(hex)) return Buffer.from(hex, 'hex')
  throw new UsageError('--hex must be an even number of hexadecimal digits')
}
