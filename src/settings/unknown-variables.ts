import { settingsOfEnvironment } from './schema.ts'

/** Variables that are no setting: of single commands, and of what DuckDB signs requests to GCS with. */
const ofCommands: ReadonlySet<string> = new Set([
  'RECGATE_DEVELOPMENT_KEY_FILE',
  'RECGATE_GCS_HMAC_KEY_ID',
  'RECGATE_GCS_HMAC_SECRET',
  'RECGATE_PUSH_METRICS',
  'RECGATE_REDIS_SOURCE',
])

/** Kubernetes tells every container of a namespace where its services are; one may be called recgate, or recgate-data. */
const ofServices = /_SERVICE_(HOST|PORT)(_|$)|_PORT_[0-9]+_|^RECGATE_PORT$/

/** Names that begin with RECGATE_ and that nothing reads: likely mistyped. `secretVariables` are those of the file's secrets. */
export function unknownVariables(
  environment: Readonly<Record<string, string | undefined>>,
  secretVariables: readonly unknown[],
): string[] {
  return Object.keys(environment).filter(
    (name) =>
      name.startsWith('RECGATE_') &&
      environment[name] !== '' &&
      !Object.hasOwn(settingsOfEnvironment, name) &&
      !ofCommands.has(name) &&
      !ofServices.test(name) &&
      !secretVariables.includes(name),
  )
}
