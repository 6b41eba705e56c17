import { describe, expect, it } from 'vitest'
import { CodecError, compileRecordSchema } from '../../../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../../../src/domain/codec/record-schema.ts'
import golden from '../../../golden/codec.json' with { type: 'json' }

/**
 * Bytes that no change may change: gateways and generated clients of other releases read them. `record` is null
 * where the bytes are another revision's, which only decoding meets; `json` is the exact text.
 */
describe('pinned records', () => {
  it('are many, and each has a name of its own', () => {
    expect(golden.cases.length).toBeGreaterThanOrEqual(25)
    expect(golden.hostile.length).toBeGreaterThanOrEqual(15)
    const names = [...golden.cases, ...golden.hostile].map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  it.each(golden.cases)('$name', ({ schema, record, hex, json }) => {
    const codec = compileRecordSchema(recordSchemaDocument.parse(schema))
    const packed = Buffer.from(hex, 'hex')
    expect(codec.toJsonText(packed)).toBe(json)
    expect(codec.decode(packed)).toEqual(JSON.parse(json))
    if (record !== null) expect(Buffer.from(codec.encode(record)).toString('hex')).toBe(hex)
  })
})

describe('pinned hostile bytes', () => {
  it.each(golden.hostile)('$name: $error', ({ schema, hex, error }) => {
    const codec = compileRecordSchema(recordSchemaDocument.parse(schema))
    for (const read of [codec.decode, codec.toJsonText]) {
      expect(() => read(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ code: error }))
      expect(() => read(Buffer.from(hex, 'hex'))).toThrow(CodecError)
    }
  })
})
