import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SavedTenant, StoredTenant } from '../../../src/catalog/ports.ts'
import { createSavedCatalog } from '../../../src/disk/saved-catalog.ts'
import {
  openStateDirectory,
  type StateDirectory,
  type StateDirectoryEvent,
} from '../../../src/disk/state-directory.ts'

let path: string
let events: StateDirectoryEvent[]

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'recgate-saved-'))
  events = []
})
afterEach(() => rm(path, { recursive: true, force: true }))

const opened = () => openStateDirectory({ path, report: (event) => events.push(event) })

function tenant(tenantId: string, revision = 7): StoredTenant {
  // Texts come back byte for byte, whatever they are: what they mean is checked when they are loaded.
  return { tenantId, revision, token: 'token', document: '{"😀": "\\u0000"}\n', state: '' }
}

async function savedIn(directory: StateDirectory): Promise<SavedTenant[]> {
  const found: SavedTenant[] = []
  for await (const saved of createSavedCatalog(directory).load()) found.push(saved)
  return found
}

test('tenants are found again as they were saved last, with the time and the file', async () => {
  const before = Date.now()
  const directory = opened()
  const saved = createSavedCatalog(directory)
  for (const revision of [1, 2, 3]) saved.save(tenant('one', revision))
  saved.save(tenant('two'))
  await directory.close()
  expect(directory.writes()).toEqual({ done: 2, failed: 0 })
  const found = await savedIn(opened())
  expect(found.map(({ stored }) => stored)).toEqual([tenant('one', 3), tenant('two')])
  for (const { savedAt, file, stored } of found) {
    expect(savedAt.getTime()).toBeGreaterThanOrEqual(before)
    expect(savedAt.getTime()).toBeLessThanOrEqual(Date.now())
    expect(file).toBe(join(path, `tenant.${stored.tenantId}.state`))
  }
  expect(events).toEqual([])
})

test('a whole file with other contents is passed over, by name and reason; the rest is found', async () => {
  const directory = opened()
  createSavedCatalog(directory).save(tenant('sound'))
  const savedAt = new Date().toISOString()
  directory.write('tenant.foreign', { ...tenant('other'), savedAt })
  directory.write('tenant.half', { ...tenant('half'), state: undefined, savedAt })
  directory.write('tenant.list', [])
  directory.write('tenant.zero', { ...tenant('zero', 0), savedAt })
  directory.write('keys', {})
  await directory.close()
  expect((await savedIn(opened())).map(({ stored }) => stored.tenantId)).toEqual(['sound'])
  const reasons = events.map((event) => ('reason' in event ? event.reason : ''))
  expect(events.map((event) => ('file' in event ? event.file : ''))).toEqual(
    ['foreign', 'half', 'list', 'zero'].map((name) => join(path, `tenant.${name}.state`)),
  )
  expect(reasons[0]).toContain('tenantId: is "other", another tenant than the file\'s')
  expect(reasons[1]).toContain('state: is missing')
  expect(reasons[2]).toContain('must be a mapping')
  expect(reasons[3]).toContain('revision: must be 1 or more')
})
