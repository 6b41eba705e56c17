import { describe, expect, it } from 'vitest'
import {
  formatInstant,
  instantMsMax,
  instantMsMin,
  parseInstant,
} from '../../../../src/domain/codec/instant.ts'

describe('parseInstant', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01T00:00:00.5Z', 500],
    ['1970-01-01T00:00:00.123999Z', 123],
    ['1970-01-01t00:00:01z', 1000],
    ['1970-01-01T01:00:00+01:00', 0],
    ['1969-12-31T18:30:00-05:30', 0],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['0000-01-01T00:00:00Z', instantMsMin],
    ['0099-12-31T00:00:00Z', Date.parse('0099-12-31T00:00:00.000Z')],
    ['9999-12-31T23:59:59.999Z', instantMsMax],
  ])('reads %s', (text, ms) => {
    expect(parseInstant(text)).toBe(ms)
  })

  it.each([
    '',
    '2026-01-01',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    '2026-1-1T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-13-10T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2016-12-31T23:59:60Z',
    '2026-01-01T00:00:00.Z',
    '2026-01-01T00:00:00+0100',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+00:60',
    '+02026-01-01T00:00:00Z',
    '2026-01-01T00:00:00Z\n',
    '٢٠٢٦-01-01T00:00:00Z',
  ])('refuses %j', (text) => {
    expect(parseInstant(text)).toBeNull()
  })
})

describe('formatInstant', () => {
  it('gives three decimals or none', () => {
    expect(formatInstant(1500, true)).toBe('1970-01-01T00:00:01.500Z')
    expect(formatInstant(1000, false)).toBe('1970-01-01T00:00:01Z')
    expect(formatInstant(instantMsMin, false)).toBe('0000-01-01T00:00:00Z')
    expect(formatInstant(instantMsMax, true)).toBe('9999-12-31T23:59:59.999Z')
  })
})
