import { z } from 'zod'
import { type Refusal, refuse } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { faultsOf } from '../../domain/zod-faults.ts'
import type { Batch, BatchUnit, BatchValues } from '../../serving/batch.ts'

/** Null where the headers allow the body; JSON has one charset only (RFC 8259), whatever is said of it. */
export function bodyTypeRefusal(headers: {
  readonly 'content-type'?: string | undefined
  readonly 'content-encoding'?: string | undefined
}): Refusal | null {
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1)
  if (type.trim().toLowerCase() !== 'application/json') return notJson
  const encoding = headers['content-encoding'] ?? 'identity'
  return encoding.toLowerCase() === 'identity' ? null : encoded
}

export const notJson = refuse(
  'media-type-unsupported',
  'the body must have the Content-Type application/json',
)
const encoded = refuse('media-type-unsupported', 'the body must have no Content-Encoding')

/** @param receivedAt when the bytes had come, on `performance.now()`'s clock */
export function readBatchBody(bytes: Uint8Array, receivedAt: number): Batch | Refusal {
  const text = textOf(bytes)
  if (text === null) return refuse('body-invalid', 'the body is not UTF-8')
  const body = parse(text)
  if (body instanceof SyntaxError) return refuse('body-invalid', `the body is no JSON${placeIn(body)}`)
  const envelope = batchEnvelope.safeParse(body)
  if (!envelope.success) return refuse('body-invalid', firstFault(envelope.error, 'the body'))
  const { model, parameters = none, units } = envelope.data
  const fault = valuesFault('parameters', parameters)
  if (fault !== null) return refuse('body-invalid', fault)
  if (units.length > limits.batchUnitsMax)
    return refuse(
      'batch-too-large',
      `a batch may have at most ${limits.batchUnitsMax} units, and this one has ${units.length}`,
    )
  return { model, parameters: parameters as BatchValues, units: units.map(readUnit), receivedAt }
}

const none: BatchValues = {}

const batchEnvelope = z.strictObject({
  model: z.string().optional(),
  parameters: z.unknown().optional(),
  units: z.array(z.unknown()),
})

const unitObject = z.strictObject({
  unit: z.unknown().optional(),
  claims: z.unknown().optional(),
  parameters: z.unknown().optional(),
})

/** The usual unit is a text; whether what is named can be one is seen where its row is looked for. */
function readUnit(unit: unknown): BatchUnit | Refusal {
  if (typeof unit !== 'object' || unit === null || Array.isArray(unit))
    return { unit, claims: none, parameters: none }
  const read = unitObject.safeParse(unit)
  if (!read.success) return refuse('unit-invalid', firstFault(read.error, 'the unit'))
  const { unit: name, claims = none, parameters = none } = read.data
  const fault = valuesFault('claims', claims) ?? valuesFault('parameters', parameters)
  if (fault !== null) return refuse('unit-invalid', fault)
  return { unit: name, claims: claims as BatchValues, parameters: parameters as BatchValues }
}

/** By hand: zod takes some 10 µs to tell of a wrong value, and a body has room for 30,000. */
function valuesFault(place: string, values: unknown): string | null {
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    return `"${place}" must be an object of names and values`
  for (const name in values) {
    const value: unknown = (values as Record<string, unknown>)[name]
    if (typeof value !== 'string' && !Number.isSafeInteger(value))
      return `${JSON.stringify(shortened(`${place}.${name}`))} must be a text or a whole number`
  }
  return null
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function textOf(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return error
    throw error
  }
}

/** V8 says where, and quotes what stands there, which may be anything. */
function placeIn({ message }: SyntaxError): string {
  const [, position] = /at position (\d+)/.exec(message) ?? []
  return position === undefined ? '' : `; it goes wrong at character ${position}`
}

/** One is enough: the others are its like, or seen next. */
function firstFault(error: z.ZodError, whole: string): string {
  const [fault] = faultsOf(error)
  if (fault === undefined) return `${whole} does not fit`
  const name = fault.path === '' ? whole : JSON.stringify(shortened(fault.path))
  return `${name} ${fault.problem}`
}

function shortened(path: string): string {
  const charactersMax = limits.parameterNameShownCharactersMax
  return path.length <= charactersMax ? path : `${path.slice(0, charactersMax)}…`
}
