import { FaultsError } from '../domain/errors.ts'

/** Faults of how a process is run, not of what it was given to work on: exit code 2. */
export class SettingsError extends FaultsError {}
