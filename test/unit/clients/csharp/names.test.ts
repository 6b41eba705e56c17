import { describe, expect, test } from 'vitest'
import { camelCase, NameScope, namespacePart, pascalCase } from '../../../../src/clients/csharp/names.ts'

describe('names in C# spelling', () => {
  test.each([
    ['hours_played', 'HoursPlayed'],
    ['hoursPlayed', 'HoursPlayed'],
    ['HOURS_PLAYED', 'HoursPlayed'],
    ['URLOfShop', 'URLOfShop'],
    ['x', 'X'],
    ['_private', 'Private'],
    ['a__b', 'AB'],
    ['level2_up', 'Level2Up'],
    ['2nd-hand', '_2ndHand'],
    ['18+', '_18'],
    ['null', 'Null'],
    ['São Paulo & Söhne', 'SãoPauloSöhne'],
    ['プロ', 'プロ'],
    ['A\u030angstrom', 'Ångstrom'],
    ['a·b×c÷d・e', 'ABCDE'],
    ['😀', 'Value7'],
    ['_', 'Value7'],
    ['"', 'Value7'],
  ])('%s is %s', (text, name) => {
    expect(pascalCase(text, 'Value7')).toBe(name)
  })

  test('words of C# are marked where they begin small', () => {
    expect(camelCase('class', 'x')).toBe('@class')
    expect(camelCase('Class-Name', 'x')).toBe('className')
    expect(pascalCase('class', 'x')).toBe('Class')
  })

  test('the first of a name keeps it', () => {
    const scope = new NameScope(['Taken'])
    expect(['A', 'A', 'A_2', 'A', 'Taken'].map((name) => scope.take(name))).toEqual([
      'A',
      'A_2',
      'A_2_2',
      'A_3',
      'Taken_2',
    ])
  })

  test('ids that differ have namespaces that differ', () => {
    const ids = ['a-b', 'a_b', 'ab', 'offers1', 'offers-1', 'offers_1', 'offers-x', 'a-', 'a_', 'a']
    const parts = ids.map(namespacePart)
    expect(parts.slice(0, 6)).toEqual(['AB', 'A_b', 'Ab', 'Offers1', 'Offers__1', 'Offers_1'])
    expect(new Set(parts).size).toBe(ids.length)
  })
})
