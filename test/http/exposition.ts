import { expect } from 'vitest'
import { ask } from './client.ts'

/** Prometheus' text format, read as strictly as promtool reads it. */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly Sample[]
}

const sampleLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const labelText = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gy

/** Throws at whatever isn't well-formed: a sample without HELP and TYPE before it, a series that stands twice. */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line must end')
  const families = new Map<string, { name: string; type: string; help: string; samples: Sample[] }>()
  const help = new Map<string, string>()
  const series = new Set<string>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      if (help.has(name)) throw new Error(`${name} has two HELP lines`)
      help.set(name, rest)
    } else if (keyword === 'TYPE') {
      if (families.has(name)) throw new Error(`${name} has two TYPE lines`)
      families.set(name, { name, type: rest, help: help.get(name) ?? '', samples: [] })
    } else {
      const sample = parseSample(line)
      const identity = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
      if (series.has(identity)) throw new Error(`stands twice: ${identity}`)
      series.add(identity)
      const family =
        families.get(sample.name) ?? families.get(sample.name.replace(/_(bucket|sum|count)$/, ''))
      if (family === undefined) throw new Error(`no TYPE before ${line}`)
      if (family.name !== sample.name && family.type !== 'histogram') throw new Error(`no histogram: ${line}`)
      family.samples.push(sample)
    }
  }
  return families
}

function parseSample(line: string): Sample {
  const [, name, labelsText = '', valueText] = sampleLine.exec(line) ?? []
  if (name === undefined || valueText === undefined) throw new Error(`no sample: ${line}`)
  const value = valueText === '+Inf' ? Number.POSITIVE_INFINITY : Number(valueText)
  if (Number.isNaN(value)) throw new Error(`no number: ${line}`)
  const labels: Record<string, string> = {}
  let end = 0
  for (const [whole, label = '', labelValue = ''] of labelsText.matchAll(labelText)) {
    if (Object.hasOwn(labels, label)) throw new Error(`the label ${label} stands twice: ${line}`)
    labels[label] = labelValue
    end += whole.length
  }
  if (end !== labelsText.length) throw new Error(`no labels: ${line}`)
  return { name, labels, value }
}

export type Metrics = ReadonlyMap<string, Family>

/** What a gateway tells Prometheus. */
export async function scrape(ops: string): Promise<Metrics> {
  const reply = await ask(`${ops}/metrics`)
  expect(reply.status).toBe(200)
  expect(reply.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  return parseExposition(reply.body.toString())
}

/** `tenant,model,…` → value, in the order of the metric's labels. */
export function valuesOf(
  metrics: Metrics,
  { name, labels }: { readonly name: string; readonly labels: readonly string[] },
): Record<string, number> {
  const samples = metrics.get(name)?.samples ?? []
  return Object.fromEntries(
    samples.map((sample) => [labels.map((label) => sample.labels[label] ?? '?').join(','), sample.value]),
  )
}
