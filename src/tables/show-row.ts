import type { RecordCodec } from '../domain/codec/codec.ts'
import { OperationError } from '../domain/errors.ts'
import { bucketOf, joinRowKey, rowKeyFault, rowKeyValueFault } from '../domain/row-key.ts'
import type { KeyPart } from '../domain/snapshot.ts'
import type { TableStore } from './ports.ts'
import type { TableAt } from './retained-keys.ts'

/** One row's record as JSON text. Throws OperationError where there is none, saying which of the reasons it is. */
export async function showRow(
  store: TableStore,
  codec: RecordCodec,
  { address, token, buckets }: TableAt,
  key: readonly KeyPart[],
  values: readonly string[],
): Promise<string> {
  const rowKey = rowKeyOf(key, values)
  const [rows] = await store.readBuckets(address, token, [bucketOf(rowKey, buckets)])
  const name = `generation ${address.generation} of ${address.modelId}`
  if (rows == null) throw new OperationError(`${name} is damaged in Redis: the row's bucket is missing`)
  const row = rows.find((one) => one.rowKey === rowKey)
  if (row !== undefined) return codec.toJsonText(row.packed)
  throw new OperationError(`${name} has no row ${values.map((value) => JSON.stringify(value)).join(', ')}`)
}

function rowKeyOf(key: readonly KeyPart[], values: readonly string[]): string {
  const names = key.map(({ name }) => name).join(', ')
  if (values.length !== key.length)
    throw new OperationError(
      `the row key has ${key.length} ${key.length === 1 ? 'value' : 'values'} (${names}), not ${values.length}`,
    )
  for (const [index, value] of values.entries()) {
    const fault = rowKeyValueFault(value)
    if (fault !== null) throw new OperationError(`the row key's ${key[index]!.name} ${fault}`)
  }
  const rowKey = joinRowKey(values)
  const fault = rowKeyFault(rowKey)
  if (fault !== null) throw new OperationError(`the row key ${fault}`)
  return rowKey
}
