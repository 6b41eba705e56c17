import { expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import { sayReasonsOnce } from '../../../src/redis/outage-reasons.ts'

function listen() {
  const said: string[] = []
  const { onError, onReady } = sayReasonsOnce((reason) => said.push(reason))('reads')
  const fail = (...reasons: string[]) => {
    for (const reason of reasons) onError(new Error(reason))
  }
  return { said, fail, onReady }
}

test('each reason is said once, however many tries fail with it, and again in the next outage', () => {
  const { said, fail, onReady } = listen()
  fail('ECONNREFUSED', 'ECONNREFUSED', 'ETIMEDOUT', 'ECONNREFUSED')
  expect(said).toEqual(['ECONNREFUSED', 'ETIMEDOUT'])
  onReady()
  fail('ECONNREFUSED')
  expect(said).toEqual(['ECONNREFUSED', 'ETIMEDOUT', 'ECONNREFUSED'])
})

test('roles that meet the same reason say it once, until each of them is ready', () => {
  const said: string[] = []
  const connectionOf = sayReasonsOnce((reason, role: 'reads' | 'catalog') => said.push(`${role}: ${reason}`))
  const [reads, catalog] = [connectionOf('reads'), connectionOf('catalog')]
  reads.onError(new Error('ECONNREFUSED'))
  catalog.onError(new Error('ECONNREFUSED'))
  catalog.onError(new Error('NOPERM'))
  reads.onReady()
  reads.onError(new Error('ECONNREFUSED'))
  expect(said).toEqual(['reads: ECONNREFUSED', 'catalog: NOPERM'])
  reads.onReady()
  catalog.onReady()
  catalog.onError(new Error('ECONNREFUSED'))
  expect(said).toEqual(['reads: ECONNREFUSED', 'catalog: NOPERM', 'catalog: ECONNREFUSED'])
})

test('an outage with ever new reasons says so many of them', () => {
  const { said, fail } = listen()
  const reasons = Array.from({ length: 100 }, (_, node) => `127.0.0.1:${node}: ECONNREFUSED`)
  fail(...reasons)
  expect(said).toEqual(reasons.slice(0, limits.outageReasonsSaidMax))
})

test('the error itself, which may carry a command with its arguments, is not passed on', () => {
  const said: unknown[] = []
  const { onError } = sayReasonsOnce((...given) => said.push(...given))('catalog')
  onError(Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['gateway', 's3cret'] } }))
  expect(said).toEqual(['WRONGPASS', 'catalog'])
})
