import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileTenant } from '../../src/catalog/compile.ts'
import { parseStoredTenant } from '../../src/catalog/live-tenant.ts'
import { planDocument } from '../../src/catalog/plan.ts'
import { FaultsError } from '../../src/domain/errors.ts'
import { checkTenantDocument } from '../../src/domain/tenant-document.ts'
import { gamesModel } from '../http/games.ts'
import { makeKey } from '../support/tokens.ts'

/** Whatever lies in the catalog, reading it gives a tenant or faults with their paths: never another error, never a hang. */

const input = {
  format: 1,
  tenant: 'studio',
  issuers: [
    {
      issuer: 'https://studio.example',
      audience: 'recgate',
      jwks: { keys: [(await makeKey('ES256', 'k')).publicJwk] },
    },
  ],
  claims: { model: 'model', unit: 'sub', version: 'arm' },
  models: {
    games: { ...gamesModel, overrides: { itemcf: ['player-1', '😀'] }, ignoredParameters: ['debug'] },
    offers: {
      ...gamesModel,
      public: true,
      key: [
        { query: 'country', values: ['DE', 'FR'] },
        { query: 'level', uint: { max: 9 } },
        { query: 'platform', id: { maxBytes: 8 } },
      ],
    },
  },
}
const { document } = checkTenantDocument(input)
if (document === null) throw new Error('the sample is sound')
const planned = planDocument(null, document, () => 'salt')
const sound = { document: JSON.stringify(document), state: JSON.stringify(planned.state) }

/** A value at a random place in the tree becomes another, or goes away; or a place is added. */
type Path = readonly string[]
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, [...path, name]))]
}

function changedAt(
  tree: unknown,
  path: Path,
  change: (parent: Record<string, unknown>, name: string) => void,
) {
  const copy = structuredClone({ root: tree }) as Record<string, unknown>
  const [last = 'root', ...rest] = ['root', ...path].reverse()
  const parent = rest.reverse().reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], copy)
  change(parent as Record<string, unknown>, last)
  return JSON.stringify(copy['root']) ?? ''
}

const strange = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    null,
    '',
    -1,
    0,
    Number.POSITIVE_INFINITY,
    Number.MAX_SAFE_INTEGER + 2,
    [],
    {},
    '__proto__',
    'constructor',
    '\0',
    '\ud800',
    ['popular'],
    { popular: 100 },
    'x'.repeat(1_000),
  ),
)

function mutated(text: string): fc.Arbitrary<string> {
  const tree: unknown = JSON.parse(text)
  const place = fc.constantFrom(...pathsOf(tree))
  return fc.oneof(
    fc.tuple(place, strange).map(([path, value]) =>
      changedAt(tree, path, (parent, name) => {
        parent[name] = value
      }),
    ),
    place.map((path) => changedAt(tree, path, (parent, name) => delete parent[name])),
    fc
      .tuple(
        place,
        fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString', ''), fc.string()),
        strange,
      )
      .map(([path, name, value]) =>
        changedAt(tree, path, (parent, at) => {
          const node = parent[at]
          if (typeof node === 'object' && node !== null)
            Object.defineProperty(node, name, { value, enumerable: true, configurable: true, writable: true })
        }),
      ),
    // Text that was cut, or into which something was written.
    fc
      .tuple(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 20 }))
      .map(([at, length, inserted]) => text.slice(0, at) + inserted + text.slice(at + length)),
  )
}

const anyText = fc.oneof(
  fc.string(),
  fc.json(),
  strange.map((value) => JSON.stringify(value) ?? ''),
)

const environment = {
  issuerFor: async () => {
    throw new FaultsError('keys', [])
  },
  bucketPrefix: () => 'rg:t:',
}

async function expectTenantOrFaults(document: string, state: string): Promise<'tenant' | 'faults'> {
  const stored = { tenantId: 'studio', revision: 7, token: 't', document, state }
  try {
    const live = parseStoredTenant(stored)
    expect(live).toMatchObject({ revision: 7, document: { format: 1, tenant: 'studio' } })
    // What was found sound one by one may still not fit together; that is an error, too, and no crash or hang.
    const compiled = await compileTenant({ ...live.document, issuers: [] }, live.state, 7, environment).catch(
      (error: unknown) => error,
    )
    if (compiled instanceof Error) return 'faults'
    expect(compiled).toMatchObject({ tenant: { id: 'studio' } })
    return 'tenant'
  } catch (error) {
    expect(error).toBeInstanceOf(FaultsError)
    const { faults } = error as FaultsError
    expect(faults.length).toBeGreaterThan(0)
    for (const { problem } of faults) expect(problem).not.toBe('')
    return 'faults'
  }
}

describe('what lies in the catalog is a tenant or has faults', () => {
  test('the sample is a tenant', async () => {
    expect(await expectTenantOrFaults(sound.document, sound.state)).toBe('tenant')
  })

  test('random texts', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, anyText, async (document, state) => {
        expect(await expectTenantOrFaults(document, state)).toBe('faults')
      }),
      { numRuns: 500 },
    )
  })

  test('a document that was changed somewhere', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(mutated(sound.document), async (document) => {
        seen.add(await expectTenantOrFaults(document, sound.state))
      }),
      { numRuns: 1_500 },
    )
    expect(seen).toEqual(new Set(['tenant', 'faults']))
  })

  test('a state that was changed somewhere', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(mutated(sound.state), async (state) => {
        seen.add(await expectTenantOrFaults(sound.document, state))
      }),
      { numRuns: 1_500 },
    )
    expect(seen).toEqual(new Set(['tenant', 'faults']))
  })

  test('nested however deep', async () => {
    const deep = (open: string, middle: string, close: string, depth: number) =>
      open.repeat(depth) + middle + close.repeat(depth)
    const field = (depth: number) =>
      deep('{"type":"list","maxItems":1,"items":', '{"type":"bool"}', '}', depth)
    for (const depth of [10, 1_000, 20_000]) {
      const inField = changedAt(document, ['models', 'games', 'record'], (parent, name) => {
        parent[name] = 'PLACE'
      }).replace('"PLACE"', `{"f":${field(depth)}}`)
      const inDefault = changedAt(document, ['models', 'games', 'default'], (parent, name) => {
        parent[name] = 'PLACE'
      }).replace('"PLACE"', deep('[', '', ']', depth))
      const inState = changedAt(planned.state, ['models', 'games', 'record'], (parent, name) => {
        parent[name] = 'PLACE'
      }).replace('"PLACE"', `{"f":${field(depth)}}`)
      for (const text of [inField, inDefault, deep('[', '', ']', depth), deep('{"a":', '1', '}', depth)])
        expect(await expectTenantOrFaults(text, sound.state)).toBe('faults')
      for (const text of [inState, deep('[', '', ']', depth)])
        await expectTenantOrFaults(sound.document, text)
    }
  })
})
