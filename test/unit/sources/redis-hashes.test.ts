import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { OperationError } from '../../../src/domain/errors.ts'
import { keyPartOf, type LeftOutKeys, openHashes } from '../../../src/sources/redis-hashes.ts'
import type { HashPage, HashSource } from '../../../src/tables/ports.ts'
import { failureOfSource, type ReadRows, readSource } from './workspace.ts'

type Fields = Readonly<Record<string, string>>

function page(hashes: readonly (readonly [key: string, fields: Fields])[], ...otherKeys: string[]): HashPage {
  return { hashes: hashes.map(([key, fields]) => ({ key, fields: Object.entries(fields) })), otherKeys }
}

const sourceOf = (...pages: readonly HashPage[]): HashSource => ({
  async *pages() {
    yield* pages
  },
})

const request = {
  name: 'hashes of redis',
  pattern: 'player:*',
  keyPart: keyPartOf('player:*')!,
  keyColumn: 'key',
}

async function read(source: HashSource, sql?: string): Promise<ReadRows & { leftOut: LeftOutKeys }> {
  const { source: rows, leftOut } = await openHashes(source, request, sql === undefined ? {} : { sql })
  return { ...(await readSource(Promise.resolve(rows))), leftOut }
}

const failure = (source: HashSource, more: Partial<typeof request> = {}) =>
  failureOfSource(async () => (await openHashes(source, { ...request, ...more }, {})).source)

describe('hashes', () => {
  test('become rows of text: the rest of the key, and every field that any of them has', async () => {
    const { columns, rows, leftOut } = await read(
      sourceOf(
        page([['player:1', { game_1: '007', score: '0.50' }]]),
        page([]),
        page([
          ['player:2', { game_1: '2026-01-01', 'a "b"': 'プ😀\n' }],
          ['player:3', {}],
        ]),
      ),
    )
    expect(columns).toEqual(['key', 'a "b"', 'game_1', 'score'])
    expect(rows).toEqual([
      ['1', null, '007', '0.50'],
      ['2', 'プ😀\n', '2026-01-01', null],
      ['3', null, null, null],
    ])
    expect(leftOut).toEqual({ count: 0, shown: [] })
  })

  test('go through --sql', async () => {
    const { columns, rows } = await read(
      sourceOf(page([['player:1', { game_1: '7', game_2: '9' }]])),
      'SELECT key AS player_id, [game_1::INT, game_2::INT] AS games FROM input',
    )
    expect({ columns, rows }).toEqual({ columns: ['player_id', 'games'], rows: [['1', [7, 9]]] })
  })

  test('that SCAN gives again count once, as they were read last', async () => {
    const { rows, rowsExpected } = await read(
      sourceOf(
        page([
          ['player:1', { n: 'old' }],
          ['player:2', { n: '2' }],
          ['player:1', { n: 'old' }],
        ]),
        page([['player:4', { n: '4' }]]),
        page([
          ['player:3', { n: '3' }],
          ['player:1', { n: 'new' }],
        ]),
      ),
    )
    expect([...rows].sort()).toEqual([
      ['1', 'new'],
      ['2', '2'],
      ['3', '3'],
      ['4', '4'],
    ])
    expect(rowsExpected).toBe(4)
  })

  test('may have fields with names that mean something to JavaScript', async () => {
    const fields = Object.fromEntries([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
    const { columns, rows } = await read(sourceOf(page([['player:1', fields]])))
    expect({ columns, rows }).toEqual({
      columns: ['key', '__proto__', 'constructor'],
      rows: [['1', 'a', 'b']],
    })
  })

  test('leave out keys that hold something else, and tell the first of them', async () => {
    const others = Array.from({ length: 30 }, (_, index) => `player:x${index}`)
    const { rows, leftOut } = await read(
      sourceOf(page([['player:1', { n: '1' }]], ...others.slice(0, 15)), page([], ...others.slice(15))),
    )
    expect(rows).toEqual([['1', '1']])
    expect(leftOut).toEqual({ count: 30, shown: others.slice(0, 20) })
  })

  test('leave no temporary file', async () => {
    const spools = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('recgate-spool-'))
    const before = await spools()
    await read(sourceOf(page([['player:1', { n: '1' }]])))
    await failure(sourceOf())
    await failure(sourceOf(page([['player:1', { key: '1' }]])))
    expect((await spools()).filter((name) => !before.includes(name))).toEqual([])
  })
})

describe('hashes are refused', () => {
  test('where there are none', async () => {
    expect(await failure(sourceOf(page([])))).toBe('hashes of redis: no key matches')
    expect(await failure(sourceOf(page([], 'player:a', 'player:b')))).toBe(
      'hashes of redis: 2 keys match, and none of them is a hash: player:a, player:b',
    )
  })

  test('where a field has the name of the column that gets the key', async () => {
    const source = sourceOf(page([['player:1', { Key: 'x' }]]))
    expect(await failure(source)).toBe(
      'hashes of redis: the hash player:1 has a field "Key", as the column is called that gets the key; ' +
        'give that another name with --key-column',
    )
    const { source: rows } = await openHashes(source, { ...request, keyColumn: 'id' }, {})
    expect(await readSource(Promise.resolve(rows))).toMatchObject({
      columns: ['id', 'Key'],
      rows: [['1', 'x']],
    })
  })

  test('where fields differ only in upper and lower case', async () => {
    const source = sourceOf(page([['player:1', { score: '1' }]]), page([['player:2', { Score: '2' }]]))
    expect(await failure(source)).toBe(
      'hashes of redis: the hash player:2 has a field "Score" beside "score"; columns must differ in more than upper and lower case',
    )
  })

  test('where they have so many fields that they are no rows', async () => {
    const fields = Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`f${index}`, 'x']))
    expect(await failure(sourceOf(page([['player:1', fields]])))).toMatch(
      /^hashes of redis: the hashes have more than 1000 different fields, the last of them "f\d+" of player:1; /,
    )
  })

  test('where reading them fails, with what was said', async () => {
    const failing = (error: Error): HashSource => ({
      async *pages() {
        yield page([['player:1', { n: '1' }]])
        throw error
      },
    })
    expect(await failure(failing(new OperationError('player:2: NOPERM no permission')))).toBe(
      'player:2: NOPERM no permission',
    )
    expect(await failure(failing(new Error('Connection is closed.')))).toBe(
      "hashes of redis: can't be read: Connection is closed.",
    )
  })
})

describe('what a pattern leaves of a key', () => {
  test.each([
    ['player:*', 'player:123', '123'],
    ['player:*:recs', 'player:123:recs', '123'],
    ['player:*:recs:*', 'player:123:recs:9', '123:recs:9'],
    ['*', 'player:123', 'player:123'],
    ['player:[0-9]*', 'player:123', '123'],
    ['player:????', 'player:1234', '1234'],
    ['player:[ab]-x', 'player:a-x', 'a'],
    ['a\\*b:*', 'a*b:7', '7'],
    ['*:a\\?b', '7:a?b', '7'],
    ['プ:*:終', 'プ:7:終', '7'],
  ])('%s of %s is %s', (pattern, key, part) => {
    expect(keyPartOf(pattern)?.(key)).toBe(part)
  })

  test.each(['player:', 'a\\*b', ''])('%j has no wildcard', (pattern) => {
    expect(keyPartOf(pattern)).toBeNull()
  })
})
