/**
 * The model as JSON, for those who write a decoder of their own or check what one gives: `format: 1`. It only gains
 * members; a change of what one means is another format. docs/clients.md describes it.
 */
import type { ClientFile } from '../client-file.ts'
import type { ClientMember, ClientModel, ClientType, ClientValue } from '../client-model.ts'

export function generateJson(model: ClientModel): ClientFile[] {
  const described = {
    format: 1,
    tenant: model.tenantId,
    model: model.modelId,
    revision: model.revision,
    deadlineMs: model.deadlineMs,
    parameters: model.parameters.map(({ name, accepts }) => ({ name, ...accepts })),
    fields: model.members.map((member) => ({ ...fieldOf(member), since: member.since })),
    default: model.defaultRecord,
  }
  return [
    { path: `${model.tenantId}.${model.modelId}.json`, text: `${JSON.stringify(described, null, 2)}\n` },
  ]
}

function fieldOf({ name, value }: ClientMember): Record<string, unknown> {
  return { name, ...bitsOf(value) }
}

function bitsOf({ type, optional, standIn }: ClientValue): Record<string, unknown> {
  // JSON has no undefined: a field without a stand-in has no such member.
  return { ...typeOf(type), optional, standIn }
}

function typeOf(type: ClientType): Record<string, unknown> {
  switch (type.kind) {
    case 'enum': {
      const { kind, bits, values, room, unknown } = type
      return { type: kind, bits, values, room, unknown: unknown === null ? null : values[unknown] }
    }
    case 'timestamp': {
      const { kind, bits, fromMs, resolutionMs } = type
      return { type: kind, bits, from: new Date(fromMs).toISOString(), fromMs, resolutionMs }
    }
    case 'list': {
      const { kind, countBits, maxItems, item } = type
      return { type: kind, countBits, maxItems, items: bitsOf(item) }
    }
    case 'struct':
      return { type: type.kind, fields: type.members.map(fieldOf) }
    default: {
      const { kind, ...rest } = type
      return { type: kind, ...rest }
    }
  }
}
