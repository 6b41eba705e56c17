import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type ClientValue, describeClientModel } from '../../src/clients/client-model.ts'
import { widthOf } from '../../src/domain/codec/bits.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { type RecordSchema, recordSchemaDocument } from '../../src/domain/codec/record-schema.ts'
import { limits } from '../../src/domain/limits.ts'
import { goldenEntries } from '../support/golden-clients/clients.ts'
import { readAs } from '../support/golden-clients/entry.ts'
import { blocksOf, blockWith, pageText } from '../support/pages.ts'

/** docs/packed-format.md: every number on it is what the codec makes of the sample studio. */

const page = pageText('packed-format.md')
const studio = readFileSync(new URL('../../config/demo/tenant.yaml', import.meta.url), 'utf8')
const sample: RecordSchema = recordSchemaDocument.parse(parse(studio).models.games.record)
const codec = compileRecordSchema(sample)
const body = Buffer.from(blockWith('packed-format.md', 'text', '01 20').replaceAll(/\s/g, ''), 'hex')

/** The rows of the table under this head, cell by cell. */
function tableUnder(head: string): string[][] {
  const [, after = ''] = page.split(`${head}\n`)
  const lines = after.split('\n').slice(1)
  const end = lines.findIndex((line) => !line.startsWith('|'))
  return lines.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** How the page tells a value's bits: the rows of its table. */
function rowsOf(name: string, { type }: ClientValue, value: unknown): string[][] {
  const row = (number: number, count: number, what: string, told: string) => [
    `\`${number.toString(2).padStart(widthOf(count), '0')}\``,
    `\`${name}\`, ${what}width(${count})`,
    told,
  ]
  switch (type.kind) {
    case 'enum': {
      const index = type.values.indexOf(String(value))
      return [row(index, type.room, 'an index, ', `${index}: \`${value}\``)]
    }
    case 'integer':
      return [row(Number(value) - type.min, type.max - type.min + 1, '', `${value}`)]
    case 'fixed': {
      const steps = Math.round((Number(value) - type.min) / type.step)
      return [row(steps, type.steps + 1, 'steps, ', `${steps}: ${value}`)]
    }
    case 'list': {
      const items = value as unknown[]
      const count = row(items.length, type.maxItems + 1, 'a count, ', `${items.length}`)
      return [count, ...items.flatMap((item) => rowsOf(name, type.item, item))]
    }
    default:
      throw new Error(`the sample has no ${type.kind}`)
  }
}

describe('the example', () => {
  test('has the sample studio’s schema', () => {
    const [{ text = '' } = {}] = blocksOf('packed-format.md').filter(({ language }) => language === 'yaml')
    const shown = parse(text)
    expect(shown).toEqual(sample)
    expect(Object.keys(shown)).toEqual(Object.keys(sample))
  })

  test('reads as the record on the page, and is what the codec makes of it', () => {
    const record = JSON.parse(blockWith('packed-format.md', 'json', 'segment'))
    expect(codec.decode(body)).toEqual(record)
    expect(Buffer.from(codec.encode(record))).toEqual(body)
    expect(page).toContain(`The body, ${body.length} bytes:`)
  })

  test('has each of its bits in the table, with what it says', () => {
    const model = describeClientModel({
      tenantId: 'demo-studio',
      modelId: 'games',
      record: sample,
      key: [],
      defaultRecord: null,
      deadlineMs: 50,
    })
    const record = codec.decode(body)
    const rows = [
      ['`00000001`', 'revision', '1'],
      ...model.members.flatMap(({ name, value }) => rowsOf(name, value, record[name])),
    ]
    const bits = Array.from(body, (byte) => byte.toString(2).padStart(8, '0')).join('')
    const told = rows.map(([cell = '']) => cell.replaceAll('`', '')).join('')
    expect(bits.startsWith(told)).toBe(true)
    expect(tableUnder('| bits | what | value |')).toEqual([
      ...rows,
      [`\`${bits.slice(told.length)}\``, 'padding', ''],
    ])
  })

  test('has other bodies beside it that read as they are said to', () => {
    const others = tableUnder('| body | reads as |')
    expect(others.length).toBeGreaterThan(8)
    for (const [hex = '', told = ''] of others) {
      const packed = Buffer.from(hex === '(no bytes)' ? '' : hex.replaceAll('`', ''), 'hex')
      const read = readAs(codec, packed)
      if ('json' in read) expect(told, hex).toBe(`\`${JSON.stringify(read.json)}\``)
      else {
        const { code, field } = read.error
        expect(told, hex).toBe(field === '' ? `\`${code}\`` : `\`${code}\` in \`${field}\``)
      }
    }
  })
})

test('the table of widths is right', () => {
  const counts = page.split('\n').find((line) => line.startsWith('| n | 1 |'))!
  const widths = page.split('\n').find((line) => line.startsWith('| width(n) |'))!
  const cells = (line: string) => line.split('|').slice(2, -1)
  const numbers = cells(counts).map((cell) => {
    const [, power, more = '0'] = /^2\^(\d+)(?: \+ (\d))?$/.exec(cell.trim()) ?? []
    return power === undefined ? Number(cell.replaceAll(',', '')) : 2 ** Number(power) + Number(more)
  })
  expect(cells(widths).map(Number)).toEqual(numbers.map(widthOf))
})

test('the table of errors has every code that bodies can end in', () => {
  const codes = tableUnder('| code | when | field |').map(([code = '']) => code.replaceAll('`', ''))
  const met = goldenEntries().flatMap(({ bodies }) =>
    bodies.flatMap((golden) => ('error' in golden ? [golden.error.code] : [])),
  )
  expect(codes.toSorted()).toEqual([...new Set(met)].toSorted())
})

test('the bounds are those of the schema check', () => {
  const told = (number: number) => number.toLocaleString('en')
  expect(page).toContain(`at most ${limits.recordDepthMax} levels deep`)
  expect(page).toContain(`at most ${limits.recordFieldsMax} named fields`)
  expect(page.replaceAll('\n', ' ')).toContain(
    `needs at most ${told(limits.recordBytesMax)} bytes and ${told(limits.recordValuesMax)} values`,
  )
})
