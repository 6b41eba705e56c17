import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { findLiveModel, type LiveModel } from '../catalog/live-tenant.ts'
import { composeTools } from '../compose.ts'
import { slotOf, slotOwners } from '../domain/allocation.ts'
import { OperationError } from '../domain/errors.ts'
import { rowKeyValueFault } from '../domain/row-key.ts'
import { selectVersion } from '../domain/select-version.ts'
import type { Settings } from '../settings/schema.ts'
import { createCommandLog, printJson, printTable } from './output.ts'
import { UsageError } from './usage-error.ts'

export interface AssignOptions {
  readonly tenant: string
  readonly model: string
  /** A file with one unit a line, or `-`. */
  readonly unitsFile: string | undefined
  readonly json: boolean
}

interface Assignment {
  readonly unit: string
  readonly slot: number
  readonly version: string
  readonly reason: 'split' | 'override'
}

/** `recgate assign`: which version each unit gets, and why. */
export async function assignUnits(
  settings: Settings,
  units: readonly string[],
  options: AssignOptions,
): Promise<void> {
  const all = [...units, ...(options.unitsFile === undefined ? [] : await readUnits(options.unitsFile))]
  if (all.length === 0) throw new UsageError('name a unit, or a file of units with --units-file')
  const tools = await composeTools(settings, createCommandLog(settings.logLevel))
  try {
    const assign = compileAssign(await findLiveModel(tools.catalog, options.tenant, options.model))
    const assignments = all.map(assign)
    if (options.json) for (const assignment of assignments) printJson(assignment)
    else
      printTable(
        ['UNIT', 'SLOT', 'VERSION', 'REASON'],
        assignments.map(({ unit, slot, version, reason }) => [unit, String(slot), version, reason]),
      )
  } finally {
    tools.close()
  }
}

/** The gateway's own selection, over ids. A unit that the gateway would refuse is refused here, too. */
function compileAssign({ modelId, document, state }: LiveModel): (unit: string) => Assignment {
  const allocation = state.allocations.at(-1)
  if (allocation === undefined) throw new Error('a model has an allocation from its creation on')
  const model = {
    id: modelId,
    salt: state.salt,
    overrides: new Map(
      Object.entries(document.overrides ?? {}).flatMap(([version, units]) =>
        units.map((unit) => [unit, version] as const),
      ),
    ),
    versions: new Map(document.versions.map((version) => [version, version])),
    slots: slotOwners(allocation),
  }
  return (unit) => {
    const fault = rowKeyValueFault(unit)
    if (fault !== null) throw new OperationError(`the unit ${JSON.stringify(unit)} ${fault}`)
    return { unit, slot: slotOf(model.salt, unit), ...selectVersion(model, unit, undefined) }
  }
}

async function readUnits(file: string): Promise<string[]> {
  const input = file === '-' ? process.stdin : createReadStream(file)
  const units: string[] = []
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }))
      if (line !== '') units.push(line)
  } catch (error) {
    throw new OperationError(`${file}: can't be read: ${(error as Error).message}`)
  }
  return units
}
