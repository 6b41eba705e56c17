import { readFile } from 'node:fs/promises'
import { LineCounter, parseDocument } from 'yaml'
import { type Fault, FaultsError, OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { checkTenantDocument, type TenantDocument } from '../domain/tenant-document.ts'
import { createIssuers } from '../jwt/issuer-keys.ts'
import { FilesError } from './failure.ts'

/** Reads and checks a tenant's YAML (or JSON) file. Throws FaultsError with everything that is wrong in it. */
export async function readTenantFile(file: string): Promise<TenantDocument> {
  const checked = checkTenantDocument(await parseFile(file))
  if (checked.document === null) throw new FaultsError(file, checked.faults)
  const faults = await keyFaults(checked.document)
  if (faults.length > 0) throw new FaultsError(file, faults)
  return checked.document
}

/** Reads several; all their faults together, so that nothing of them is applied while one is broken. */
export async function readTenantFiles(files: readonly string[]): Promise<TenantDocument[]> {
  const outcomes = await Promise.allSettled(files.map(readTenantFile))
  const errors = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as Error] : [],
  )
  if (errors.length > 0) throw new FilesError(errors)
  const documents = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const tenants = documents.map((document) => document.tenant)
  const repeated = tenants.find((tenant, index) => tenants.indexOf(tenant) !== index)
  if (repeated !== undefined)
    throw new OperationError(`tenant ${repeated} stands in two of the files; one a tenant`)
  const issuers = documents.flatMap((document) => document.issuers.map((entry) => entry.issuer))
  const claimed = issuers.find((issuer, index) => issuers.indexOf(issuer) !== index)
  if (claimed !== undefined)
    throw new OperationError(`two of the files claim the issuer ${claimed}; an issuer belongs to one tenant`)
  return documents
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'is a directory; name the files in it, e.g. as DIRECTORY/*.yaml',
  EACCES: 'may not be read by this user',
}

async function parseFile(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const reason = unreadable[error.code ?? ''] ?? error.message
    throw new OperationError(`${file}: ${reason}`)
  })
  if (Buffer.byteLength(text) > limits.documentBytesMax)
    throw new OperationError(
      `${file}: is larger than ${limits.documentBytesMax} bytes, the most for a tenant`,
    )
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const faults = document.errors.map((error) => {
    const { line, col } = lineCounter.linePos(error.pos[0])
    return { path: `line ${line}, column ${col}`, problem: error.message }
  })
  if (faults.length > 0) throw new FaultsError(file, faults)
  try {
    // What JSON can't carry, the catalog can't keep: a node that contains itself, by an alias.
    return JSON.parse(JSON.stringify(document.toJS()))
  } catch (error) {
    const problem = `its aliases (*name) can't be followed: ${(error as Error).message.split('\n')[0]}`
    throw new FaultsError(file, [{ path: '', problem }])
  }
}

/** Imports every public key, as a gateway will; secrets are the gateways' own, and not looked at here. */
async function keyFaults(document: TenantDocument): Promise<Fault[]> {
  const { issuerFor } = createIssuers({ resolveSecret: () => new Uint8Array(limits.secretBytesMin) })
  const faults: Fault[] = []
  for (const [index, issuer] of document.issuers.entries()) {
    try {
      await issuerFor(document.tenant, issuer)
    } catch (error) {
      if (!(error instanceof FaultsError)) throw error
      faults.push(
        ...error.faults.map(({ path, problem }) => ({ path: `issuers[${index}].${path}`, problem })),
      )
    }
  }
  return faults
}
