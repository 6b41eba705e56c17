import type { FileFormat } from './format.ts'

/** One file to read. */
export interface Input {
  /** As the user named it; what errors and reports say. */
  readonly name: string
  /** Where it lies. */
  readonly path: string
  readonly format: FileFormat
  /** Whether a file without a byte is as right as one with rows: an empty part of a job that ended well. */
  readonly mayBeEmpty: boolean
}
