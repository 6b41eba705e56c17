/** Values as JSON would hold them, as C++ expressions of their field's type. */
import { parseInstant } from '../../domain/codec/instant.ts'
import type { CppMember, CppValue } from './cpp-model.ts'
import { doubleLiteral, integerLiteral, textLiteral } from './literals.ts'

/** Of the type without the std::optional around it; `value` is one of the field's. */
export function expressionOf({ type, typeName }: CppValue, value: unknown): string {
  switch (type.kind) {
    case 'bool':
      return String(value)
    case 'integer':
      return integerLiteral(value as number)
    case 'fixed':
      return doubleLiteral(value as number)
    case 'timestamp':
      return integerLiteral(parseInstant(value as string)!)
    case 'enum':
      return `${typeName}::${type.enumerators[type.values.indexOf(value as string)]}`
    case 'string':
      return stringOf(value as string)
    case 'bytes':
      return `${typeName}{${[...Buffer.from(value as string, 'base64')].join(', ')}}`
    case 'list':
      return `${typeName}{${(value as unknown[]).map((item) => expressionOf(type.item, item)).join(', ')}}`
    case 'struct':
      return `${typeName}{${type.members.map((member) => memberOf(member, value)).join(', ')}}`
  }
}

function stringOf(text: string): string {
  // Without its length a text would end at its first NUL.
  const size = text.includes('\0') ? `, ${Buffer.byteLength(text)}` : ''
  return `std::string(${textLiteral(text)}${size})`
}

/** A field of a record or struct; undefined: it is absent. A field may be named `toString`, which every object has. */
export function fieldOf(struct: unknown, field: string): unknown {
  return Object.hasOwn(struct as object, field)
    ? (struct as Readonly<Record<string, unknown>>)[field]
    : undefined
}

function memberOf({ value, name, field }: CppMember, struct: unknown): string {
  const given = fieldOf(struct, field)
  return `/* ${name} */ ${given === undefined ? 'std::nullopt' : expressionOf(value, given)}`
}
