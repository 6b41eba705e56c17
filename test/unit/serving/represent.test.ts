import { describe, expect, test } from 'vitest'
import { CodecError } from '../../../src/domain/codec/codec.ts'
import { murmur3, murmur3Bytes } from '../../../src/domain/murmur3.ts'
import { type Format, formats, type Reason, reasons } from '../../../src/domain/reasons.ts'
import type { Recommendation } from '../../../src/serving/ladder.ts'
import { represent } from '../../../src/serving/represent.ts'
import { codec, compiledModel } from './model.ts'

const model = compiledModel('games')

function recommendation(title: string, reason: Reason = 'split', version = 'v1'): Recommendation {
  const packed = codec.encode({ title, level: 7 })
  return { model, version: model.versions.get(version)!, reason, cause: null, packed }
}

/** Two 32-bit hashes, most significant byte first, in base64url. */
function expectedTag(high: number, low: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(high, 0)
  bytes.writeUInt32BE(low, 4)
  return `"${bytes.toString('base64url')}"`
}

function seeds(format: Format, reason: Reason, version = 'v1'): [number, number] {
  const identity = `${format}\0games\0${version}\0${reason}`
  return [murmur3(identity, 0), murmur3(identity, 1)]
}

describe('the ETag', () => {
  test.each(reasons)('is 64 bits of the two hashes, reason %s', (reason) => {
    for (let length = 0; length <= 64; length++) {
      const answer = recommendation('x'.repeat(length), reason)
      const packed = represent(answer, 'packed')
      const [first, second] = seeds('packed', reason)
      expect(packed.etag).toBe(
        expectedTag(murmur3Bytes(answer.packed, first), murmur3Bytes(answer.packed, second)),
      )
      const json = represent(answer, 'json')
      const record = codec.toJsonText(answer.packed)
      const [jsonFirst, jsonSecond] = seeds('json', reason)
      expect(json.etag).toBe(expectedTag(murmur3(record, jsonFirst), murmur3(record, jsonSecond)))
    }
  })

  test('differs by format, version, reason and record', () => {
    const tags = formats.flatMap((format) =>
      reasons.flatMap((reason) =>
        ['v1', 'v2'].flatMap((version) =>
          ['a', 'b', 'ab', ''].map((title) => represent(recommendation(title, reason, version), format).etag),
        ),
      ),
    )
    expect(new Set(tags).size).toBe(formats.length * reasons.length * 2 * 4)
    for (const tag of tags) expect(tag).toMatch(/^"[\w-]{11}"$/)
  })
})

describe('the body', () => {
  test('packed: the stored bytes, not copied', () => {
    const answer = recommendation('row')
    expect(represent(answer, 'packed').body).toBe(answer.packed)
  })

  test.each(['row', '', '"quoted" \\ \n', '推薦 🎮'])(
    'JSON: %j, compact, with its members in order',
    (title) => {
      const { body } = represent(recommendation(title, 'sibling', 'v2'), 'json')
      expect(body).toBe(
        JSON.stringify({
          model: 'games',
          version: 'v2',
          reason: 'sibling',
          recommendation: { title, level: 7 },
        }),
      )
    },
  )

  test('damaged bytes: an error as JSON', () => {
    const answer = { ...recommendation('row'), packed: new Uint8Array([1, 255]) }
    expect(() => represent(answer, 'json')).toThrow(CodecError)
  })
})
