import { OperationError } from '../domain/errors.ts'

/** Options or arguments that can't be meant; the CLI prints the message and exits 2. */
export class UsageError extends OperationError {}
