import { enableCompileCache } from 'node:module'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { failureLines } from './commands/failure.ts'
import { UsageError } from './commands/usage-error.ts'
import { FaultsError, OperationError } from './domain/errors.ts'
import { packageVersion } from './package-version.ts'
import type { Settings } from './settings/schema.ts'
import { SettingsError } from './settings/settings-error.ts'

/**
 * `recgate <command>`: parses, and hands over to one file of commands/, which is loaded only then: DuckDB alone takes
 * longer to load than most commands take to run.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage or settings.
 */

// Before the command's own files are loaded: later starts take a third less.
enableCompileCache()

const program = new Command('recgate')
  .description('Serves recommendations computed beforehand, from Redis')
  .version(packageVersion())
  .exitOverride()
  .configureHelp({ sortSubcommands: false })
  .showSuggestionAfterError(true)
  // So that `publish --version popular` isn't read as the program's own --version.
  .enablePositionalOptions()
  .addHelpText('after', example('recgate demo'))

const configOption = () =>
  new Option('--config <file>', 'settings as YAML or JSON; the environment wins over them')
const jsonOption = () => new Option('--json', 'one JSON object a line, for machines').default(false)
const whoOption = () => new Option('--who <name>', 'who does it, for the history (default: this user)')

program
  .command('demo')
  .description(
    'everything at once: a Redis, a sample studio, its predictions, the gateway; prints three curl lines',
  )
  .option('--write-sample <dir>', 'leave the sample studio’s files there, for the tour')
  .addOption(portOption('--data-port <port>', 8080))
  .addOption(portOption('--admin-port <port>', 9090))
  .addOption(portOption('--ops-port <port>', 9091))
  .addHelpText('after', example('recgate demo --write-sample ./sample'))
  .action(async (options) => (await import('./commands/demo.ts')).demo(options))

program
  .command('serve')
  .description('the gateway')
  .addOption(configOption())
  .option('--planes <list>', 'which listeners to start', 'data,admin,ops')
  .option('--development', 'trust this machine’s development key, and bind loopback only', false)
  .addHelpText('after', example('RECGATE_REDIS_URL=redis://127.0.0.1:6379 recgate serve --development'))
  .action(async (options) => (await import('./commands/serve.ts')).serve(options))

program
  .command('publish')
  .description('CSV, NDJSON or Parquet → a version’s table')
  .argument('[file...]', 'files, directories, patterns, or - for standard input')
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--model <id>', 'the model')
  .requiredOption('--version <id>', 'the version whose table it becomes')
  .option('--sql <select>', 'reshapes the rows first; the files are called input')
  .option('--format <kind>', 'what standard input holds: csv, tsv, ndjson, json or parquet')
  .option('--allow-unfinished', 'read what a Spark job wrote also where _SUCCESS is missing', false)
  .option('--from-redis-hashes <pattern>', 'rows are hashes of Redis, e.g. player:*, instead of files')
  .addOption(
    new Option('--redis-source <url>', 'where those hashes are (default: the Redis of the tables)').env(
      'RECGATE_REDIS_SOURCE',
    ),
  )
  .option('--key-column <name>', 'the column for what the pattern’s * stands for (default: key)')
  .option('--max-bad-rows <n>', 'publish without up to so many rows that do not fit', wholeNumber, 0)
  .option('--metrics-file <file>', 'tell how it went there, as node_exporter’s textfile collector reads it')
  .addOption(
    new Option('--push-metrics <url>', 'tell how it went to the Pushgateway there').env(
      'RECGATE_PUSH_METRICS',
    ),
  )
  .option('--shard <i/n>', 'load part i of n, from 0, of one table; the last of n processes activates it')
  .option('--expected-rows <n>', 'about how many rows all shards have together', wholeNumber)
  .option('--run <name>', 'which attempt at the whole table the shard belongs to, e.g. a Job’s uid')
  .addOption(whoOption())
  .option('--why <reason>', 'why, for the history', 'publish')
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText(
    'after',
    example(
      `recgate publish popular.csv --tenant demo-studio --model games --version popular \\
    --sql 'SELECT player_id, [game_1, game_2] AS games FROM input'`,
    ),
  )
  .action(async (files: string[], { maxBadRows, config, ...options }, command: Command) => {
    const { publishFiles } = await import('./commands/publish.ts')
    // A variable may stand there for other publishes of the same job.
    const isMeant =
      options.fromRedisHashes !== undefined || command.getOptionValueSource('redisSource') === 'cli'
    const redisSource = isMeant ? options.redisSource : undefined
    await publishFiles(await settingsOf(config), files, { ...options, redisSource, maxBadRows })
  })

const tables = program
  .command('tables')
  .description('the generations of the tables')
  .addHelpText('after', example('recgate tables list --tenant demo-studio'))
tables
  .command('list')
  .description('every generation: state, rows, bytes, who, source')
  .requiredOption('--tenant <id>', 'the studio')
  .option('--model <id>', 'only this model’s')
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate tables list --tenant demo-studio --model games'))
  .action(async ({ config, tenant, model, json }) => {
    const { listTables } = await import('./commands/tables.ts')
    await listTables(await settingsOf(config), { tenant, model, json })
  })

tables
  .command('activate')
  .description('makes a generation that is in Redis the active one of its version')
  .argument('<generation>', 'its number', wholeNumber)
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--model <id>', 'the model')
  .option('--despite-gates', 'also one that failed its gates, or was rolled back from', false)
  .option('--reason <text>', 'why, for the history')
  .addOption(whoOption())
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText(
    'after',
    example(
      "recgate tables activate 12 --tenant demo-studio --model games --despite-gates --reason 'half of the players left'",
    ),
  )
  .action(async (generation: number, { config, tenant, model, despiteGates, reason, who, json }) => {
    const { activateTable } = await import('./commands/tables-change.ts')
    await activateTable(await settingsOf(config), generation, {
      tenant,
      model,
      despiteGates,
      reason,
      who,
      json,
    })
  })
tables
  .command('rollback')
  .description('the version’s previous generation becomes active again, the bad one is quarantined')
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--model <id>', 'the model')
  .requiredOption('--version <id>', 'the version')
  .option('--reason <text>', 'why, for the history', 'rollback')
  .addOption(whoOption())
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText(
    'after',
    example(
      "recgate tables rollback --tenant demo-studio --model games --version itemcf --reason 'scores all 0'",
    ),
  )
  .action(async ({ config, tenant, model, version, reason, who, json }) => {
    const { rollbackTable } = await import('./commands/tables-change.ts')
    await rollbackTable(await settingsOf(config), { tenant, model, version, reason, who, json })
  })
tables
  .command('collect')
  .description('takes away generations that nobody reads any more')
  .option('--tenant <id>', 'only this studio’s')
  .option('--dry-run', 'only show', false)
  .addOption(whoOption())
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate tables collect --tenant demo-studio --dry-run'))
  .action(async ({ config, tenant, dryRun, who, json }) => {
    const { collectAll } = await import('./commands/tables-change.ts')
    await collectAll(await settingsOf(config), { tenant, dryRun, who, json })
  })
tables
  .command('verify')
  .description('reads every row again, and compares counts and content with what was published')
  .argument('[generation]', 'its number (default: all that are in Redis)', wholeNumber)
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--model <id>', 'the model')
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate tables verify --tenant demo-studio --model games'))
  .action(async (generation: number | undefined, { config, tenant, model, json }) => {
    const { verifyTables } = await import('./commands/tables-read.ts')
    await verifyTables(await settingsOf(config), generation, { tenant, model, json })
  })
tables
  .command('diff')
  .description('rows added, removed and changed between two generations, and the fields that changed most')
  .argument('<before>', 'a generation’s number', wholeNumber)
  .argument('<after>', 'another’s', wholeNumber)
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--model <id>', 'the model')
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate tables diff 11 12 --tenant demo-studio --model games'))
  .action(async (before: number, after: number, { config, tenant, model, json }) => {
    const { diffGenerations } = await import('./commands/tables-read.ts')
    await diffGenerations(await settingsOf(config), [before, after], { tenant, model, json })
  })
tables
  .command('show')
  .description('one row of a generation, as JSON')
  .argument('<generation>', 'its number', wholeNumber)
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--model <id>', 'the model')
  .requiredOption('--key <value...>', 'the row key’s values, in the model’s order')
  .addOption(configOption())
  .addHelpText('after', example('recgate tables show 12 --tenant demo-studio --model games --key 1000001'))
  .action(async (generation: number, { config, tenant, model, key }) => {
    const { showTableRow } = await import('./commands/tables-read.ts')
    await showTableRow(await settingsOf(config), generation, { tenant, model, key })
  })

program
  .command('erase')
  .description('removes a player’s rows from every table, and leaves them out of later publishes')
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--unit <text>', 'the player: what the tokens’ unit claim says, by default sub')
  .option('--model <id...>', 'only from these models’ tables')
  .option('--dry-run', 'only show', false)
  .option('--lift', 'let later publishes have an erased player’s rows again', false)
  .addOption(whoOption())
  .option('--reason <text>', 'why, for the history', 'erase')
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate erase --tenant demo-studio --unit 1000001 --dry-run'))
  .action(async ({ config, tenant, unit, model, dryRun, lift, who, reason, json }) => {
    const { eraseUnit } = await import('./commands/erase.ts')
    const models = model ?? []
    await eraseUnit(await settingsOf(config), { tenant, unit, models, dryRun, lift, who, reason, json })
  })

const catalog = program
  .command('catalog')
  .description('what is configured: one document a tenant')
  .addHelpText('after', example('recgate catalog apply sample/tenant.yaml --dry-run'))
catalog
  .command('apply')
  .description('plans files against what is live, shows what would change, and makes it')
  .argument('<file...>', 'tenants’ documents, YAML or JSON')
  .option('--dry-run', 'only show', false)
  .option(
    '--revision-above <n>',
    'make the new revision greater than this, so that gateways take a restored catalog',
    revisionNumber,
    0,
  )
  .addOption(whoOption())
  .option('--why <reason>', 'why, for the history', 'apply')
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate catalog apply sample/tenant.yaml --why "itemcf to 50 %"'))
  .action(async (files: string[], { config, dryRun, revisionAbove, who, why, json }) => {
    const { applyCatalog } = await import('./commands/catalog.ts')
    await applyCatalog(await settingsOf(config), files, { dryRun, revisionAbove, who, why, json })
  })
catalog
  .command('check')
  .description('finds what is wrong in files, without a catalog')
  .argument('<file...>', 'tenants’ documents, YAML or JSON')
  .addOption(jsonOption())
  .addHelpText('after', example('recgate catalog check config/*.yaml'))
  .action(async (files: string[], { json }) => {
    const { checkCatalog } = await import('./commands/catalog.ts')
    await checkCatalog(files, json)
  })
catalog
  .command('show')
  .description('all tenants, or one tenant’s document as it is live')
  .option('--tenant <id>', 'the studio')
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate catalog show --tenant demo-studio'))
  .action(async ({ config, tenant, json }) => {
    const { showCatalog } = await import('./commands/catalog.ts')
    await showCatalog(await settingsOf(config), tenant, json)
  })

catalog
  .command('history')
  .description('who changed what of a tenant, when and why; the newest first')
  .requiredOption('--tenant <id>', 'the studio')
  .option('--limit <n>', 'at most so many changes', wholeNumber, 20)
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate catalog history --tenant demo-studio --limit 5'))
  .action(async ({ config, tenant, limit, json }) => {
    const { showHistory } = await import('./commands/catalog-history.ts')
    await showHistory(await settingsOf(config), { tenant, limit, json })
  })

program
  .command('token')
  .description('a signed token for trying things, from this machine’s development key')
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--sub <text>', 'the player; or the game server, with --scope recommendations:batch')
  .option('--model <id...>', 'the models that it allows')
  .option('--scope <word...>', 'words of its claim “scope”: recommendations:batch is a game server’s')
  .option('--claim <name=value...>', 'further claims, as text')
  .option('--lifetime <seconds>', 'valid for so long', wholeNumber, 3600)
  .addOption(jsonOption())
  .addHelpText('after', example('recgate token --tenant demo-studio --sub 1000001 --model games'))
  .action(async ({ tenant, sub, model, scope, claim, lifetime, json }) => {
    const { issueToken } = await import('./commands/token.ts')
    await issueToken({
      tenant,
      sub,
      models: model ?? [],
      scopes: scope ?? [],
      claims: claim ?? [],
      lifetimeSeconds: lifetime,
      json,
    })
  })

program
  .command('assign')
  .description('which version a unit gets, and why')
  .argument('[unit...]', 'units, e.g. players')
  .requiredOption('--tenant <id>', 'the studio')
  .requiredOption('--model <id>', 'the model')
  .option('--units-file <file>', 'one unit a line; - is standard input')
  .addOption(configOption())
  .addOption(jsonOption())
  .addHelpText('after', example('recgate assign 1000001 1000002 --tenant demo-studio --model games'))
  .action(async (units: string[], { config, tenant, model, unitsFile, json }) => {
    const { assignUnits } = await import('./commands/assign.ts')
    await assignUnits(await settingsOf(config), units, { tenant, model, unitsFile, json })
  })

program
  .command('decode')
  .description('a packed body as JSON')
  .argument('[file]', 'the body; - is standard input', '-')
  .option('--tenant <id>', 'the studio, for the record schema that is live')
  .requiredOption('--model <id>', 'the model')
  .option('--document <file>', 'take the record schema from this file instead')
  .option('--hex <digits>', 'the body as hexadecimal digits')
  .addOption(configOption())
  .addHelpText(
    'after',
    example(
      'recgate decode --document config/demo/tenant.yaml --model games --hex 01000001800801001bfa1f44b0',
    ),
  )
  .action(async (file: string, { config, tenant, model, document, hex }) => {
    const { decodeBody } = await import('./commands/decode.ts')
    await decodeBody(file, {
      tenant,
      model,
      documentFile: document,
      hex,
      settings: () => settingsOf(config),
    })
  })

program
  .command('client')
  .description('source files for games: what decodes a model’s packed records, and fetches them')
  .argument('<language>', 'csharp, cpp, typescript, or json for those who write a decoder of their own')
  .option('--tenant <id>', 'the studio, for the model as it is live')
  .requiredOption('--model <id>', 'the model')
  .option('--document <file>', 'take the model from this file instead')
  .option('--out <dir>', 'where the files go; a single one may go to standard output')
  .addOption(configOption())
  .addHelpText(
    'after',
    example('recgate client typescript --document config/demo/tenant.yaml --model games --out src/recgate'),
  )
  .action(async (language: string, { config, tenant, model, document, out }) => {
    const { generateClient } = await import('./commands/client.ts')
    await generateClient(language, {
      tenant,
      model,
      documentFile: document,
      out: out ?? null,
      settings: () => settingsOf(config),
    })
  })

program
  .command('openapi')
  .description('the data plane as an OpenAPI 3.1 document')
  .option('--server <url>', 'where clients reach the data plane (default: as the demo has it)')
  .addHelpText('after', example('recgate openapi --server https://recommend.studio.example > openapi.json'))
  .action(async ({ server }) => (await import('./commands/openapi.ts')).printOpenApi(server))

/** Of the command that runs, for the message that it may end in. */
let settings: Settings | null = null
let isJson = false
program.hook('preAction', (_program, command) => {
  isJson = command.opts()['json'] === true
})

async function settingsOf(config: string | undefined): Promise<Settings> {
  const { loadSettings } = await import('./settings/load.ts')
  const { noteWarning } = await import('./commands/output.ts')
  settings = loadSettings(process.env, config, noteWarning)
  return settings
}

function wholeNumber(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number from 0.')
}

/** Revisions may lie above a thousand million where a restore made them jump; 15 digits are exact in any tool. */
function revisionNumber(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number of at most 15 digits.')
}

function portOption(flags: string, port: number): Option {
  return new Option(flags, 'on 127.0.0.1').default(port).argParser(wholeNumber)
}

function example(line: string): string {
  return `\nExample:\n  ${line}\n`
}

// `recgate … | head` reads no further: the command still does what it does, and nobody is there to be told.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

/** An error as people read it. Redis' refusals come through here, such as OOM; the stack is for whoever debugs. */
async function describeFailure(error: Error): Promise<Error> {
  if (error instanceof FaultsError || error instanceof OperationError) return error
  const { describeForbidden } = await import('./commands/forbidden.ts')
  const reason = describeForbidden(error.message, settings) ?? error.message
  return new Error(`failed: ${process.env['RECGATE_LOG_LEVEL'] === 'debug' ? error.stack : reason}`)
}

async function main(): Promise<number> {
  try {
    await program.parseAsync()
    return 0
  } catch (error) {
    // Commander has printed its own; help and version are errors to it, too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const told = await describeFailure(error as Error)
    if (isJson) for (const line of failureLines(told)) process.stdout.write(`${JSON.stringify(line)}\n`)
    process.stderr.write(`${told.message}\n`)
    return error instanceof UsageError || error instanceof SettingsError ? 2 : 1
  }
}

const exitCode = await main()
if (exitCode !== 0) process.exit(exitCode)
