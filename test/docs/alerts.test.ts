import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { metricNames, publishMetricNames } from '../../src/metrics/names.ts'
import { hasPromtool, promtoolFaults } from '../support/promtool.ts'

/** The alerts of docs/operating.md: rules of Prometheus, over metrics that there are. */

interface Rule {
  readonly alert: string
  readonly expr: string
}

let directory: string
let text: string
let rules: readonly Rule[]

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-alerts-'))
  const page = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8')
  text = /```yaml\n(groups:\n.*?)```/s.exec(page)![1]!
  rules = (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules)
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test('name metrics, labels and outcomes that there are', () => {
  const metrics = new Map<string, readonly string[]>(
    [...Object.values(metricNames), ...Object.values(publishMetricNames)].map(({ name, labels }) => [
      name,
      labels,
    ]),
  )
  expect(rules.length).toBeGreaterThan(0)
  for (const { alert, expr } of rules) {
    const named = [...expr.matchAll(/by \(([a-z, ]+)\) \((recgate_\w+)(?:\{(\w+)=)?/g)]
    expect(named.length).toBe(expr.match(/recgate_/g)?.length)
    for (const [, by = '', metric = '', label] of named)
      expect({ alert, metric, labels: metrics.get(metric) }).toEqual({
        alert,
        metric,
        labels: expect.arrayContaining([...by.split(', '), ...(label === undefined ? [] : [label])]),
      })
  }
})

test.skipIf(!hasPromtool)('are rules, and fire when they should', async () => {
  const path = (name: string) => join(directory, name)
  await writeFile(path('rules.yaml'), text)
  expect(promtoolFaults(['check', 'rules', path('rules.yaml')])).toBe('')
  await writeFile(path('tests.yaml'), JSON.stringify(situations))
  expect(promtoolFaults(['test', 'rules', path('tests.yaml')])).toBe('')
})

const of = (version: string, more = '') => `{tenant="t",model="m",version="${version}"${more}}`
/** Values at each minute of three hours, of a clock that begins at 0. */
const series = (name: string, labels: string, values: string) => ({ series: name + labels, values })
const firing = (alertname: string, version: string, labels: Record<string, string> = {}) => ({
  eval_time: '3h',
  alertname,
  exp_alerts: [{ exp_labels: { alertname, tenant: 't', model: 'm', version, ...labels } }],
})

/** `old` is too old; `none` has no table; `good` is fine. */
const situations = {
  rule_files: ['rules.yaml'],
  evaluation_interval: '1m',
  tests: [
    {
      interval: '1m',
      input_series: [
        ...['old', 'none', 'good'].map((version) =>
          series('recgate_table_max_age_seconds', of(version), '3600x180'),
        ),
        series('recgate_table_age_seconds', of('old'), '0+60x180'),
        series('recgate_table_age_seconds', of('good'), '5x180'),
        series('recgate_publish_timestamp_seconds', of('old'), '0x180'),
        series('recgate_publish_timestamp_seconds', of('good'), '0+60x180'),
        series('recgate_publish_outcome', of('old', ',outcome="failed"'), '0x180'),
        series('recgate_publish_outcome', of('good', ',outcome="failed"'), '1x180'),
        series('recgate_publish_refused', of('old', ',by="gates"'), '1x180'),
        series('recgate_publish_refused', of('old', ',by="rollback"'), '0x180'),
        series('recgate_publish_generations', of('old', ',state="collecting"'), '1x180'),
        series('recgate_publish_generations', of('good', ',state="collecting"'), '1x30 0x150'),
      ],
      alert_rule_test: [
        firing('RecgateTableTooOld', 'old'),
        firing('RecgateTableNeverPublished', 'none'),
        firing('RecgatePublishRefused', 'old', { by: 'gates' }),
        firing('RecgatePublishFailed', 'good'),
        firing('RecgatePublishMissed', 'old'),
        firing('RecgateCollectionStuck', 'old'),
      ],
    },
  ],
}
