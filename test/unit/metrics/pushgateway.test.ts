import { Gauge, Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { pushgatewayFault, pushMetrics } from '../../../src/metrics/pushgateway.ts'
import { type PushAnswer, type StandInPushgateway, startPushgateway } from '../../support/pushgateway.ts'

let gateway: StandInPushgateway
const published = { tenant: 'studio', model: 'games', version: 'itemcf' }
const path = '/metrics/job/recgate_publish/tenant/studio/model/games/version/itemcf'

beforeAll(async () => {
  gateway = await startPushgateway()
})
afterEach(() => gateway.answerWith((response) => void response.writeHead(200).end()))
afterAll(() => gateway.stop())

function push(url = gateway.url, timeoutMs = 15_000): Promise<void> {
  const registry = new Registry()
  new Gauge({ name: 'rows', help: 'Rows', registers: [registry] }).set(3)
  return pushMetrics(registry, url, published, { timeoutMs })
}

/** Why it failed. */
function failureOf(pushing: Promise<void>): Promise<string> {
  return pushing.then(
    () => 'it did not fail',
    ({ message }: Error) => message,
  )
}

test('replaces what the group had', async () => {
  await push()
  await push(`${gateway.url}/behind/a/prefix/`)
  await push(gateway.url.replace('//', '//ci:geheim%21@'))
  const pushes = gateway.taken()
  expect(pushes.map(({ method, path: sent, body }) => ({ method, path: sent, body }))).toEqual(
    [path, `/behind/a/prefix${path}`, path].map((sent) => ({
      method: 'PUT',
      path: sent,
      body: '# HELP rows Rows\n# TYPE rows gauge\nrows 3\n',
    })),
  )
  const credentials = `Basic ${Buffer.from('ci:geheim!').toString('base64')}`
  expect(pushes.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined, credentials])
})

describe('fails with the reason', () => {
  const cases: [what: string, answer: PushAnswer, reason: string][] = [
    [
      'what the Pushgateway says, in one line',
      (response) =>
        void response.writeHead(400).end(`pushed metrics\nare inconsistent ${'.'.repeat(10_000)}`),
      `push failed with status 400, pushed metrics are inconsistent ${'.'.repeat(200)}`.slice(0, 200),
    ],
    [
      'a redirect, which nobody follows',
      (response) => void response.writeHead(302, { location: 'https://login.example' }).end(),
      'it answered 302, which is no success',
    ],
    ['a connection that breaks', (response) => void response.destroy(), 'socket hang up'],
  ]
  test.each(cases)('%s', async (_, answer, reason) => {
    gateway.answerWith(answer)
    expect(await failureOf(push())).toBe(reason)
  })

  test('where nobody listens', async () => {
    expect(await failureOf(push('http://127.0.0.1:1'))).toBe('connect ECONNREFUSED 127.0.0.1:1')
    expect(await failureOf(push('http://localhost:1'))).toMatch(/^connect ECONNREFUSED /)
  })

  const hanging: [what: string, answer: PushAnswer][] = [
    ['nothing comes', () => undefined],
    ['half an answer comes', (response) => void response.writeHead(200).write('half')],
  ]
  test.each(hanging)('after its time, where %s', async (_, answer) => {
    let cut = false
    gateway.answerWith((response) => {
      response.on('close', () => {
        cut = true
      })
      answer(response)
    })
    expect(await failureOf(push(gateway.url, 200))).toBe('no answer within 0.2 s')
    await expect.poll(() => cut, { timeout: 15_000 }).toBe(true)
  })
})

const unlike = "must be a Pushgateway's URL, e.g. http://pushgateway:9091"
const tooLong =
  "must be the Pushgateway's own URL, e.g. http://pushgateway:9091, without /metrics, query and fragment"
test.each<[url: string, fault: string | null]>([
  ['http://pushgateway:9091', null],
  ['https://ci:geheim@pushgateway.example/prefix/', null],
  ['pushgateway:9091', unlike],
  ['', unlike],
  ['http://ci:geheim@pushgateway:9091/metrics', tooLong],
  ['http://pushgateway:9091/metrics/job/nightly', tooLong],
  ['http://pushgateway:9091/?x=1', tooLong],
  ['http://pushgateway:9091/#x', tooLong],
])('%s as a Pushgateway’s URL: %s', (url, fault) => {
  expect(pushgatewayFault(url)).toBe(fault)
})
