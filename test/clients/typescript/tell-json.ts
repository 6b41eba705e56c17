import type { ClientMember, ClientModel, ClientType } from '../../../src/clients/client-model.ts'
import { formatInstant } from '../../../src/domain/codec/instant.ts'

/** An answer of `answerAll` as the runners' contract has it: instants and bytes as the codec's JSON tells them. */
export function toldAnswer(model: ClientModel, answer: string): string {
  if (!answer.startsWith('{')) return answer
  return JSON.stringify(toldMembers(model.members, JSON.parse(answer) as Record<string, unknown>))
}

/** What no field is stays, and is a difference. */
function toldMembers(members: readonly ClientMember[], record: Readonly<Record<string, unknown>>): object {
  const types = new Map(members.map(({ name, value }) => [name, value.type]))
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, toldValue(types.get(name), value)]),
  )
}

function toldValue(type: ClientType | undefined, value: unknown): unknown {
  switch (type?.kind) {
    case 'timestamp': {
      const { $ms } = value as { $ms?: number }
      if ($ms === undefined) return value
      return formatInstant($ms, type.fromMs % 1_000 !== 0 || type.resolutionMs % 1_000 !== 0)
    }
    case 'bytes': {
      const { $bytes, $odd } = value as { $bytes?: readonly number[]; $odd?: string }
      return $bytes === undefined || $odd !== undefined ? value : Buffer.from($bytes).toString('base64')
    }
    case 'list':
      return (value as readonly unknown[]).map((item) => toldValue(type.item.type, item))
    case 'struct':
      return toldMembers(type.members, value as Record<string, unknown>)
    default:
      return value
  }
}
