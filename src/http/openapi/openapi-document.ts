import { z } from 'zod'

/** As much of OpenAPI 3.1 as the document uses. */

/** Draft 2020-12, which is OpenAPI 3.1's. */
export type JsonSchema = Readonly<Record<string, unknown>>

export interface Reference {
  readonly $ref: string
}

export interface Header {
  readonly description: string
  /** On every answer that names the header. */
  readonly required?: true
  readonly schema: JsonSchema
  readonly example?: string | number
}

/** A value, or the address of one that JSON can't hold. */
export interface Example {
  readonly summary?: string
  readonly value?: unknown
  readonly externalValue?: string
}

export interface MediaType {
  readonly schema: JsonSchema
  readonly examples: Readonly<Record<string, Example | Reference>>
}

export type Content = Readonly<Record<string, MediaType>>

export interface Response {
  readonly description: string
  readonly headers: Readonly<Record<string, Reference>>
  /** None where the answer has no body. */
  readonly content?: Content
}

export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'header'
  readonly description: string
  readonly required?: true
  readonly style?: 'form'
  readonly explode?: true
  readonly schema: JsonSchema
  readonly example?: unknown
}

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: {
    readonly description: string
    readonly required: true
    readonly content: Content
  }
  readonly responses: Readonly<Record<string, Response>>
}

type Method = 'get' | 'head' | 'options' | 'post'

/** The operations of one path. */
export type PathItem = Readonly<Partial<Record<Method, Operation>>>

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: Readonly<Record<string, unknown>>
  readonly servers: readonly Readonly<Record<string, unknown>>[]
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>
    readonly headers: Readonly<Record<string, Header>>
    readonly examples: Readonly<Record<string, Example>>
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
}

/**
 * A zod shape as JSON Schema. Objects are open, as a reader has to take them: answers may get more members.
 */
export function schemaOf(shape: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(shape, { io: 'input' })
  return schema
}
