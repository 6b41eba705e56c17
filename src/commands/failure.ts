import { FaultsError, OperationError } from '../domain/errors.ts'

/** What failed has been printed as JSON already, as a report of its own. */
export class ReportedError extends OperationError {}

/** Several files' errors together, each whole. */
export class FilesError extends OperationError {
  readonly errors: readonly Error[]

  constructor(errors: readonly Error[]) {
    super(errors.map((error) => error.message).join('\n'))
    this.errors = errors
  }
}

/** What `--json` prints of an error: of each file one object. */
export type FailureLine =
  | { readonly failed: string; readonly faults: FaultsError['faults'] }
  /** The message's further lines, where it has any: bad rows, columns, gates. */
  | { readonly failed: string; readonly details: readonly string[] }

export function failureLines(error: Error): FailureLine[] {
  if (error instanceof ReportedError) return []
  if (error instanceof FilesError) return error.errors.flatMap(failureLines)
  if (error instanceof FaultsError) return [{ failed: error.subject, faults: error.faults }]
  const [failed = '', ...details] = error.message.split('\n').map((line) => line.trim())
  return [{ failed, details }]
}
