import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type {
  Header,
  JsonSchema,
  OpenApiDocument,
  Operation,
} from '../../src/http/openapi/openapi-document.ts'

/** The data plane's document as tests use it: to judge answers. */

/** What is compared: method and path as the document has them. */
export type OperationName = `${string} ${string}`

export interface JudgedAnswer {
  readonly status: number
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Buffer
}

/**
 * The document for readers leaves lists and objects open, since they may grow. What this gateway says is complete: here
 * every word and every member must be a known one.
 */
export function closed(document: OpenApiDocument): OpenApiDocument {
  const whole = JSON.stringify(document).replaceAll('"x-extensible-enum":', '"enum":')
  return JSON.parse(whole, (name, value: unknown) =>
    (name === 'schema' || name === 'items') && !Array.isArray(value)
      ? { ...(value as object), unevaluatedProperties: false }
      : value,
  ) as OpenApiDocument
}

export function operationsOf({ paths }: OpenApiDocument): ReadonlyMap<OperationName, Operation> {
  const entries = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [`${method} ${path}`, operation] as const),
  )
  return new Map<OperationName, Operation>(entries)
}

/** What HTTP adds around every message, and OpenAPI leaves to it. */
const framing = new Set(['connection', 'content-length', 'content-type', 'date', 'keep-alive'])

/** Values against schemas of the document; answers what is wrong with them. */
export function createSchemaCheck({ components }: OpenApiDocument) {
  const ajv = new Ajv2020({ allErrors: true, strictTypes: false })
  ajv.addVocabulary(['x-extensible-enum', 'components'])
  const validators = new Map<JsonSchema, ValidateFunction>()

  return function faultsOf(schema: JsonSchema, value: unknown): string[] {
    // So that references within the document lead somewhere.
    const validate = validators.get(schema) ?? ajv.compile({ ...schema, components })
    validators.set(schema, validate)
    validate(value)
    const found = validate.errors ?? []
    return found.map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    )
  }
}

/** Everything in which an answer isn't as the document has it. */
export function createJudge(document: OpenApiDocument) {
  const operations = operationsOf(document)
  const faultsOf = createSchemaCheck(document)

  function headerFaults(name: OperationName, { status, headers }: JudgedAnswer): string[] {
    const described = Object.entries(operations.get(name)!.responses[status]!.headers)
    const known = new Set([...framing, ...described.map(([header]) => header.toLowerCase())])
    const unknown = Object.keys(headers).filter((header) => !known.has(header))
    const faults = described.flatMap(([header, { $ref }]) => {
      const value = headers[header.toLowerCase()]
      const key = $ref.split('/').at(-1)!
      const { required, schema } = document.components.headers[key] as Header
      if (value === undefined) return required ? [`${header} is missing`] : []
      const read = schema['type'] === 'integer' ? Number(value) : value
      return faultsOf(schema, read).map((fault) => `${header}: ${fault}`)
    })
    return [...unknown.map((header) => `${header} is not described`), ...faults]
  }

  function bodyFaults(name: OperationName, { status, headers, body }: JudgedAnswer): string[] {
    const { content } = operations.get(name)!.responses[status]!
    if (content === undefined) return body.length === 0 ? [] : ['it has a body']
    const type = String(headers['content-type'])
    if (!Object.hasOwn(content, type)) return [`its type is ${type}`]
    const { schema } = content[type]!
    if (type.endsWith('json')) return faultsOf(schema, JSON.parse(body.toString()))
    if (type.startsWith('text/')) return faultsOf(schema, body.toString())
    return body.length === 0 ? ['it has no body'] : []
  }

  return (name: OperationName, answer: JudgedAnswer): string[] => {
    if (!operations.has(name)) return ['there is no such operation']
    if (operations.get(name)!.responses[answer.status] === undefined)
      return [`the status ${answer.status} is not described`]
    return [...headerFaults(name, answer), ...bodyFaults(name, answer)]
  }
}
