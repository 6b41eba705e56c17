import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { readLiveTenant } from '../catalog/live-tenant.ts'
import { composeTools } from '../compose.ts'
import { slotOf, slotOwners } from '../domain/allocation.ts'
import { OperationError } from '../domain/errors.ts'
import type { ModelDocument } from '../domain/tenant-document.ts'
import type { ModelState } from '../domain/tenant-state.ts'
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
    const live = await readLiveTenant(tools.catalog, options.tenant)
    const models = live?.document.models ?? {}
    const document = Object.hasOwn(models, options.model) ? models[options.model] : undefined
    const state = live?.state.models[options.model]
    if (document === undefined || state === undefined)
      throw new OperationError(`there is no model ${options.model} of a tenant ${options.tenant}`)
    const assign = compileAssign(document, state)
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

function compileAssign(document: ModelDocument, state: ModelState): (unit: string) => Assignment {
  const allocation = state.allocations.at(-1)
  if (allocation === undefined) throw new Error('a model has an allocation from its creation on')
  const owners = slotOwners(allocation)
  const overrides = new Map<string, string>()
  for (const [version, units] of Object.entries(document.overrides ?? {}))
    for (const unit of units) overrides.set(unit, version)
  return (unit) => {
    const slot = slotOf(state.salt, unit)
    const override = overrides.get(unit)
    if (override !== undefined) return { unit, slot, version: override, reason: 'override' }
    return { unit, slot, version: owners[slot]!, reason: 'split' }
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
