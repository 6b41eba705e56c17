import { describe, expect, it } from 'vitest'
import { createContentHash } from '../../../src/tables/content-hash.ts'

function contentOf(rows: readonly string[]) {
  const content = createContentHash()
  for (const row of rows) content.add(Buffer.from(row), 0, Buffer.byteLength(row))
  return content
}

describe('the hash of a table’s content', () => {
  it('is the same in whatever order the rows come', () => {
    expect(contentOf(['a1', 'b2', 'c3']).digest()).toBe(contentOf(['c3', 'a1', 'b2']).digest())
  })

  it('differs by one byte of one row', () => {
    expect(contentOf(['a1', 'b2']).digest()).not.toBe(contentOf(['a1', 'b3']).digest())
  })

  it('tells the number of rows from two rows that cancel each other out', () => {
    expect(contentOf(['']).digest()).not.toBe(contentOf(['', '']).digest())
  })

  it('of all rows is made from those of its parts', () => {
    const whole = createContentHash()
    whole.merge(contentOf(['a1', 'b2']).digest())
    whole.merge(contentOf(['c3']).digest())
    expect(whole.digest()).toBe(contentOf(['a1', 'b2', 'c3']).digest())
    expect(whole.rows).toBe(3)
  })

  it('of what is left is made by taking a row out', () => {
    const whole = createContentHash()
    whole.merge(contentOf(['a1', 'b2', 'c3']).digest())
    whole.remove(Buffer.from('b2'), 0, 2)
    expect(whole.digest()).toBe(contentOf(['a1', 'c3']).digest())
  })
})
