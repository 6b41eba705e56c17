import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { gateDefaults } from '../../src/domain/gates.ts'
import { generationStates } from '../../src/domain/generation-states.ts'
import { causes, reasons } from '../../src/domain/reasons.ts'
import { statusOf } from '../../src/http/problem.ts'
import { metricNames, publishMetricNames } from '../../src/metrics/names.ts'
import { settingsOfEnvironment, settingsSchema } from '../../src/settings/schema.ts'

/** The reference pages under docs/ say what the code says: no name too many, none too few. */

function page(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
}

/** The cells of every table row whose first cell is code, without backticks. */
function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
    .map((cells) => cells.slice(1, -1))
}

describe('docs/http.md', () => {
  const table = rows(page('http.md'))

  test('lists every error code with its status', () => {
    const codes = table.flatMap(([code, status]) =>
      /^\d{3}$/.test(status ?? '') ? [[code, Number(status)]] : [],
    )
    expect(Object.fromEntries(codes)).toEqual(statusOf)
  })

  test('lists every reason', () => {
    const named = table.flatMap(([reason, text]) => (/^\d{3}$/.test(text ?? '') ? [] : [reason]))
    expect(named).toEqual([...reasons])
  })
})

test('docs/settings.md lists every variable with its setting and default', () => {
  const defaults = settingsSchema.parse({ redis: { url: 'redis://x' } })
  const expected = Object.entries(settingsOfEnvironment).map(([variable, { path }]) => {
    const value = path.reduce<unknown>(
      (inner, key) => (inner as Record<string, unknown> | undefined)?.[key],
      defaults,
    )
    return { setting: path.join('.'), variable, value: value === undefined ? '' : String(value) }
  })
  const described = rows(page('settings.md'))
    .filter(([, variable]) => variable !== '')
    .map(([setting = '', variable = '', value = '']) => ({ setting, variable, value }))
  const special = { 'redis.url': '(required)', 'catalogRedis.url': 'redis.url' } as Record<string, string>
  const byVariable = (a: { variable: string }, b: { variable: string }) => (a.variable < b.variable ? -1 : 1)
  expect(described.sort(byVariable)).toEqual(
    expected.map((entry) => ({ ...entry, value: special[entry.setting] ?? entry.value })).sort(byVariable),
  )
})

test('docs/settings.md’s example of a file is one', () => {
  const [, example = ''] = /^```yaml\n(.*?)^```$/ms.exec(page('settings.md')) ?? []
  expect(settingsSchema.parse(parse(example))).toMatchObject({ data: { port: 8180 }, drainMs: 5_000 })
})

describe('docs/metrics.md', () => {
  test('lists every metric with its labels', () => {
    const described = rows(page('metrics.md')).map(([name, labels = '']) => [
      name,
      labels.split(', ').filter(Boolean),
    ])
    const metrics = [...Object.values(metricNames), ...Object.values(publishMetricNames)]
    expect(described).toEqual(metrics.map(({ name, labels }) => [name, [...labels]]))
  })

  test('explains every reason and cause', () => {
    for (const word of [...reasons, ...causes]) expect(page('metrics.md')).toContain(`\`${word}\``)
  })
})

test('docs/publishing.md has every state of a generation with those that may follow', () => {
  const described = rows(page('publishing.md')).map(([state, next = '']) => [
    state,
    next.split(', ').filter(Boolean),
  ])
  expect(described).toEqual(Object.entries(generationStates).map(([state, next]) => [state, [...next]]))
})

test('docs/clients.md has every code of the decoder and of the fetcher', () => {
  const described = rows(page('clients.md')).filter(([, whose]) => whose === 'decoder' || whose === 'fetcher')
  const template = (name: string) =>
    readFileSync(new URL(`../../src/clients/templates/typescript/${name}`, import.meta.url), 'utf8')
  const decoder = [...template('decoder/decode-error.ts').matchAll(/^ {2}\| '([a-z0-9-]+)'$/gm)]
  const fetcher = /the fetcher's own: (.*?)\./s
    .exec(template('fetcher.ts'))?.[1]
    ?.match(/[a-z]+(-[a-z]+)?(?=`)/g)
  expect(described.map(([code, whose]) => [code, whose])).toEqual([
    ...decoder.map(([, code]) => [code, 'decoder']),
    ...(fetcher ?? []).map((code) => [code, 'fetcher']),
  ])
})

test('docs/tenants.md has every gate with its default', () => {
  const described = rows(page('tenants.md')).filter(([name = '']) => Object.hasOwn(gateDefaults, name))
  expect(described.map(([name, value]) => [name, value])).toEqual(
    Object.entries(gateDefaults).map(([name, value]) => [name, value === null ? '' : String(value)]),
  )
})

describe('docs/commands.md', () => {
  const sections = page('commands.md')
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      command: /`recgate ([a-z ]+)/.exec(section)?.[1]?.trim().split(' ') ?? [],
      flags: new Set(section.match(/--[a-z][a-z-]+/g) ?? []),
    }))

  async function help(command: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['src/cli.ts', ...command, '--help'])
    return stdout
  }

  test('has a section for every command', async () => {
    const commandsIn = (text: string) =>
      [...text.split('Example:')[0]!.matchAll(/^ {2}([a-z]+) /gm)]
        .map(([, name]) => name!)
        .filter((name) => name !== 'help')
    const groups = ['tables', 'catalog']
    const single = commandsIn((await help([])).split('Commands:')[1]!).filter(
      (name) => !groups.includes(name),
    )
    const grouped = await Promise.all(
      groups.map(async (group) =>
        commandsIn((await help([group])).split('Commands:')[1]!).map((n) => `${group} ${n}`),
      ),
    )
    expect(sections.map(({ command }) => command.join(' ')).sort()).toEqual(
      [...single, ...grouped.flat()].sort(),
    )
  })

  test.each(sections)('names every option of $command', async ({ command, flags }) => {
    const options = (await help(command)).split('Options:')[1]!.split('Example:')[0]!
    const known = new Set([...options.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag!))
    known.delete('--help')
    expect([...flags].sort()).toEqual([...known].sort())
  })
})
