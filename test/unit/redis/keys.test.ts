import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { catalogKeys, tableKeys } from '../../../src/redis/keys.ts'

/** Pinned, never regenerated: under these names lies what a fleet has published, and older gateways read it. */
const golden = JSON.parse(
  readFileSync(new URL('../../golden/redis-keys.json', import.meta.url), 'utf8'),
) as Record<'catalog' | 'tables', Record<string, string>>

const [tenant, model, generation] = ['steam-demo', 'starter_offer', 17] as const

/** Every name that `keys.ts` can spell: one that is added there has no golden name, and fails. */
function spelled(keys: Readonly<Record<string, string | ((...ids: never[]) => string)>>, ...ids: unknown[]) {
  return Object.fromEntries(
    Object.entries(keys).map(([name, key]) => [
      name,
      typeof key === 'string' ? key : Reflect.apply(key, undefined, ids),
    ]),
  )
}

test('each key and channel of the catalog is still called the same', () => {
  expect(spelled(catalogKeys, tenant)).toEqual(golden.catalog)
})

test('each key of the tables is still called the same', () => {
  expect(spelled(tableKeys, tenant, model, generation, 'run:1')).toEqual(golden.tables)
})

test('all keys that one script of the catalog changes share one hash tag', () => {
  for (const key of Object.values(golden.catalog)) expect(/\{(.*?)\}/.exec(key)?.[1], key).toBe('rg-catalog')
})

test('no generation or bucket can be taken for another', () => {
  const keys = [1, 11, 111].flatMap((number) =>
    [1, 11, 111].map((bucket) => tableKeys.bucketPrefix(tenant, model, number) + bucket),
  )
  expect(new Set(keys).size).toBe(9)
})
