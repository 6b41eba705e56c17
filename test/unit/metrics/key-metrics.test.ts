import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registerKeyMetrics } from '../../../src/metrics/key-metrics.ts'
import { type KeyServer, startKeyServer } from '../../support/key-server.ts'
import { keyScene } from '../../support/key-sets.ts'
import { makeKey } from '../../support/tokens.ts'
import { until } from '../../support/until.ts'

let server: KeyServer

beforeAll(async () => {
  server = await startKeyServer()
})
afterAll(() => server.stop())

test('ages, stale issuers and fetches of live key sets', async () => {
  const { keySets, issuerFor, swapTo, time } = keyScene(server, { pace: { askedMs: 0 } })
  const registry = new Registry()
  registerKeyMetrics(registry, keySets)
  const values = async () =>
    (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  expect(await values()).toStrictEqual(['recgate_jwks_stale_issuers 0'])

  const key = await makeKey('ES256', 'a')
  server.serve(key.publicJwk)
  const by = (issuer: string) => ({ issuer, audience: 'recgate', jwks: { url: server.url() } })
  const [one, two] = [
    await issuerFor(by('https://one.example'), 'one'),
    await issuerFor(by('https://two.example'), 'two'),
  ]
  swapTo(one, two)
  await until('both are fetched', () => [...keySets.fetches().values()].every(({ ok }) => ok === 1))
  time.ms += 3_600_000
  expect(await values()).toStrictEqual([
    'recgate_jwks_age_seconds{tenant="one",issuer="https://one.example"} 3600',
    'recgate_jwks_age_seconds{tenant="two",issuer="https://two.example"} 3600',
    'recgate_jwks_stale_issuers 0',
    'recgate_jwks_fetches_total{tenant="one",outcome="ok"} 1',
    'recgate_jwks_fetches_total{tenant="one",outcome="failed"} 0',
    'recgate_jwks_fetches_total{tenant="two",outcome="ok"} 1',
    'recgate_jwks_fetches_total{tenant="two",outcome="failed"} 0',
  ])
  time.ms += 1
  expect(await values()).toContain('recgate_jwks_stale_issuers 2')

  await one.keySet.renew()
  server.answerWith((_request, response) => response.writeHead(500).end())
  await two.keySet.renew()
  expect(await values()).toStrictEqual([
    'recgate_jwks_age_seconds{tenant="one",issuer="https://one.example"} 0',
    'recgate_jwks_age_seconds{tenant="two",issuer="https://two.example"} 3600.001',
    'recgate_jwks_stale_issuers 1',
    'recgate_jwks_fetches_total{tenant="one",outcome="ok"} 2',
    'recgate_jwks_fetches_total{tenant="one",outcome="failed"} 0',
    'recgate_jwks_fetches_total{tenant="two",outcome="ok"} 1',
    'recgate_jwks_fetches_total{tenant="two",outcome="failed"} 1',
  ])

  // What is served no more has no age, and its counts stay.
  swapTo(one)
  expect(await values()).toHaveLength(6)
})
