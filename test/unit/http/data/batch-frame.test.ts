import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type FramedItem, frameBatch } from '../../../../src/http/data/batch-frame.ts'
import { unframed } from '../../../http/batch-client.ts'

const page = readFileSync(new URL('../../../../docs/http.md', import.meta.url), 'utf8')
const detail = 'the unit is empty, but must have at least one character'
const shown: FramedItem[] = [
  { status: 200, version: 'itemcf', word: 'split', body: Uint8Array.of(0x01, 0xb9, 0x80) },
  { status: 400, version: '', word: 'unit-invalid', body: detail },
]

describe('the frame of a batch', () => {
  test('is that of docs/http.md, byte for byte', () => {
    const example = /refused with a detail of (\d+) bytes:\n\n((?: {4}.+\n)+)/.exec(page)
    const [, length, lines = ''] = example ?? []
    expect(Number(length)).toBe(detail.length)
    expect(page).toContain(JSON.stringify(detail))
    const beginning = lines.replaceAll(/[\s…]/g, '')
    const frame = Buffer.from(frameBatch(shown)).toString('hex')
    expect(frame).toBe(beginning + Buffer.from(detail).toString('hex').slice(14))
    expect(beginning.endsWith(Buffer.from(detail).toString('hex').slice(0, 14))).toBe(true)
  })

  test('is read back, whatever is in it', () => {
    const long = new Uint8Array(70_000).fill(7)
    const items: FramedItem[] = [
      ...shown,
      { status: 200, version: 'a', word: 'default', body: new Uint8Array() },
      { status: 404, version: '', word: 'record-not-found', body: 'größer – 😀' },
      { status: 200, version: 'x'.repeat(32), word: 'override', body: long },
    ]
    const read = unframed(Buffer.from(frameBatch(items)))
    expect(read.map(({ body, ...item }) => ({ ...item, body: body.toString('hex') }))).toEqual(
      items.map(({ body, ...item }) => ({ ...item, body: Buffer.from(body).toString('hex') })),
    )
  })
})
