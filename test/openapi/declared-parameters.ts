import type { OpenApiDocument, Operation, PathItem } from '../../src/http/openapi/openapi-document.ts'

/** The query parameters of a row key, each as the model declares it, by its schema: in a URL, and in a batch's body. */
export interface DeclaredParameters {
  readonly inUrl: Schemas
  readonly inBody: Schemas
}

type Schemas = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/**
 * The document leaves open which parameters a model's row key has. With those of one model in their place, and its name, a
 * reader can tell requests that must be answered from those that must be refused.
 */
export function withDeclaredParameters(
  document: OpenApiDocument,
  modelId: string,
  declared: DeclaredParameters,
): OpenApiDocument {
  function inUrl(parameters: Operation['parameters'] = []): Operation['parameters'] {
    return parameters.flatMap((parameter) => {
      if (parameter.name === 'model') return [{ ...parameter, schema: { const: modelId }, example: modelId }]
      if (parameter.name !== 'rowKey') return [parameter]
      return Object.entries(declared.inUrl).map(([name, schema]) => ({
        ...{ name, in: 'query' as const, description: '', required: true as const },
        schema,
      }))
    })
  }

  function inBody(body: NonNullable<Operation['requestBody']>): NonNullable<Operation['requestBody']> {
    const parameters = { type: 'object', properties: declared.inBody, additionalProperties: false }
    const content = Object.entries(body.content).map(([type, { schema }]) => {
      const properties = { ...(schema['properties'] as object), model: { const: modelId }, parameters }
      return [type, { schema: { ...schema, properties } }]
    })
    return { ...body, content: Object.fromEntries(content) }
  }

  function forModel(operation: Operation): Operation {
    const { requestBody, parameters } = operation
    return {
      ...operation,
      ...(parameters === undefined ? {} : { parameters: inUrl(parameters)! }),
      ...(requestBody === undefined ? {} : { requestBody: inBody(requestBody) }),
    }
  }

  const paths = Object.entries(document.paths).map(([path, item]) => {
    const operations = Object.entries(item).map(([method, operation]) => [method, forModel(operation)])
    return [path, Object.fromEntries(operations) as PathItem]
  })
  return { ...document, paths: Object.fromEntries(paths) }
}
