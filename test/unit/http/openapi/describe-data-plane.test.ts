import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readTenantFile } from '../../../../src/commands/tenant-file.ts'
import { compileRecordSchema } from '../../../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../../../src/domain/codec/record-schema.ts'
import { defaultServer, describeDataPlane } from '../../../../src/http/openapi/describe-data-plane.ts'
import { describedCodes } from '../../../../src/http/openapi/error-codes.ts'
import type { Example, MediaType, Reference } from '../../../../src/http/openapi/openapi-document.ts'
import { statusOf } from '../../../../src/http/problem.ts'
import { closed, createSchemaCheck, operationsOf } from '../../../support/openapi.ts'

/** What the document says of itself; test/http/ holds it against real answers. */

const document = describeDataPlane({ version: '1.2.3', server: defaultServer })
const operations = [...operationsOf(document)]
const responses = operations.flatMap(([name, { responses }]) =>
  Object.entries(responses).map(([status, response]) => ({ name, status, response })),
)

/** Everything in the document, with where it stands. */
function* walk(value: unknown, place: readonly string[] = []): Generator<[readonly string[], unknown]> {
  yield [place, value]
  if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) yield* walk(inner, [...place, key])
}

function resolve({ $ref }: Reference): unknown {
  const parts = $ref.replace(/^#\//, '').split('/')
  return parts.reduce<unknown>((inner, part) => (inner as Record<string, unknown>)?.[part], document)
}

test('every reference leads somewhere, and every component is led to', () => {
  const references = [...walk(document)].flatMap(([, value]) =>
    typeof value === 'object' && value !== null && '$ref' in value ? [value as Reference] : [],
  )
  for (const reference of references) expect({ reference, found: resolve(reference) }).toHaveProperty('found')
  for (const reference of references) expect(resolve(reference), reference.$ref).toBeDefined()
  const used = new Set(references.map(({ $ref }) => $ref))
  const { securitySchemes: _named, ...components } = document.components
  for (const [kind, entries] of Object.entries(components))
    for (const key of Object.keys(entries)) expect(used).toContain(`#/components/${kind}/${key}`)
})

test('is JSON, and names no operation twice', () => {
  expect(JSON.parse(JSON.stringify(document))).toStrictEqual(document)
  const names = operations.map(([, { operationId }]) => operationId)
  expect(new Set(names).size).toBe(names.length)
})

test('says of every operation which token it needs, or none', () => {
  for (const [name, { security }] of operations) {
    const schemes = security.flatMap((one) => Object.keys(one))
    for (const scheme of schemes) expect(document.components.securitySchemes).toHaveProperty(scheme)
    expect({ name, isOpen: schemes.length === 0 }).toEqual({
      name,
      isOpen: name.startsWith('options') || name.endsWith('/healthz'),
    })
    const hasUnauthorized = operations.find(([one]) => one === name)![1].responses['401'] !== undefined
    expect({ name, hasUnauthorized }).toEqual({ name, hasUnauthorized: schemes.length > 0 })
  }
})

test('lets pages read nothing of a batch, except what is answered without a path or at another one', () => {
  const cors = /^(access-control-.*|vary)$/i
  const readable = responses.filter(({ response }) =>
    Object.keys(response.headers).some((one) => cors.test(one)),
  )
  const statusesOf = (path: string, all = readable) =>
    new Set(all.filter(({ name }) => name.endsWith(` ${path}`)).map(({ status }) => status))
  expect(statusesOf('/recommendations/batch')).toEqual(new Set(['400', '404', '408', '414', '431']))
  for (const path of ['/recommendations', '/healthz'])
    expect(statusesOf(path)).toEqual(statusesOf(path, responses))
})

describe('error codes', () => {
  test('stand each under its status, with an example, in some operation', () => {
    const found = responses.flatMap(({ status, response }) =>
      Object.keys(response.content?.['application/problem+json']?.examples ?? {}).map((code) => [
        code,
        Number(status),
      ]),
    )
    // What befalls one unit of a batch stands in an answer that is none.
    const { 'unit-invalid': _alone, ...whole } = statusOf
    expect(Object.fromEntries(found)).toEqual(whole)
    expect(JSON.stringify(document.components.schemas['Batch'])).toContain('"unit-invalid"')
  })

  test('stand in the list of their response, and in its description', () => {
    for (const { name, status, response } of responses) {
      const problem = response.content?.['application/problem+json']
      if (problem === undefined) continue
      const codes = Object.keys(problem.examples)
      expect(JSON.stringify(problem.schema), `${name} ${status}`).toContain(
        `"x-extensible-enum":${JSON.stringify(codes)}`,
      )
      for (const code of codes) expect(response.description).toContain(`\`${code}\``)
    }
  })

  test('are said to come when docs/http.md says it', () => {
    const page = readFileSync(new URL('../../../../docs/http.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| \d{3} \| (.*) \|$/gm)]
    const said = Object.fromEntries(rows.map(([, code, when]) => [code, when]))
    const described = Object.entries(describedCodes).map(([code, { when }]) => [
      code,
      when.replaceAll('’', "'"),
    ])
    expect(Object.fromEntries(described)).toEqual(said)
  })
})

describe('examples', () => {
  const closedDocument = closed(document)
  const faultsOf = createSchemaCheck(closedDocument)
  const bodies = [...operationsOf(closedDocument)].flatMap(([name, { responses }]) =>
    Object.entries(responses).flatMap(([status, { content = {} }]) =>
      Object.entries(content).map(([type, media]) => ({ name, status, type, media })),
    ),
  )

  function examplesOf({ examples }: MediaType): Example[] {
    return Object.values(examples).map((one) => ('$ref' in one ? (resolve(one) as Example) : one))
  }

  test.each(bodies)('$name $status $type: at least one, and all fit their schema', ({ type, media }) => {
    const examples = examplesOf(media)
    expect(examples.length).toBeGreaterThan(0)
    for (const { value, externalValue } of examples) {
      if (externalValue === undefined) expect(faultsOf(media.schema, value)).toEqual([])
      else expect(externalValue).toMatch(new RegExp(`^data:${type};base64,[A-Za-z0-9+/]+=*$`))
    }
  })

  test('of every header fit its schema', () => {
    for (const { schema, example } of Object.values(document.components.headers))
      expect(faultsOf(schema, example)).toEqual([])
  })

  test('of every request’s body fit their schema', () => {
    for (const [, { requestBody }] of operations)
      for (const media of Object.values(requestBody?.content ?? {}))
        for (const { value } of examplesOf(media)) expect(faultsOf(media.schema, value)).toEqual([])
  })

  test('of every parameter fit its schema', () => {
    for (const [, { parameters = [] }] of operations)
      for (const { schema, example } of parameters) expect(faultsOf(schema, example)).toEqual([])
  })

  test('the packed one is the JSON one, by the sample studio’s record schema', async () => {
    const { models } = await readTenantFile('config/demo/tenant.yaml')
    const codec = compileRecordSchema(recordSchemaDocument.parse(models['games']!.record))
    const content = document.paths['/recommendations']!.get!.responses['200']!.content!
    const [json] = examplesOf(content['application/json']!)
    const [packed] = examplesOf(content['application/vnd.recgate.packed']!)
    const bytes = Buffer.from(packed!.externalValue!.split(',')[1]!, 'base64')
    const { recommendation, model } = json!.value as Record<string, unknown>
    expect(codec.decode(bytes)).toStrictEqual(recommendation)
    expect(model).toBe('games')
  })
})
