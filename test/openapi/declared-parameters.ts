import type { OpenApiDocument, PathItem } from '../../src/http/openapi/openapi-document.ts'

/** One query parameter as a model declares it, by its schema. */
export type DeclaredParameters = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/**
 * The document leaves open which parameters a model's row key has. With those of one model in their place, and its name, a
 * reader can tell requests that must be answered from those that must be refused.
 */
export function withDeclaredParameters(
  document: OpenApiDocument,
  modelId: string,
  declared: DeclaredParameters,
): OpenApiDocument {
  const rowKey = Object.entries(declared).map(([name, schema]) => ({
    name,
    in: 'query' as const,
    description: '',
    required: true as const,
    schema,
  }))
  const forModel = (item: PathItem): PathItem =>
    Object.fromEntries(
      Object.entries(item).map(([method, operation]) => [
        method,
        {
          ...operation,
          parameters: (operation.parameters ?? []).flatMap((parameter) => {
            if (parameter.name === 'rowKey') return rowKey
            return [
              parameter.name === 'model'
                ? { ...parameter, schema: { const: modelId }, example: modelId }
                : parameter,
            ]
          }),
        },
      ]),
    )
  const paths = Object.entries(document.paths).map(([path, item]) => [path, forModel(item)])
  return { ...document, paths: Object.fromEntries(paths) }
}
