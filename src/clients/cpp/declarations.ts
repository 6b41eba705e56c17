/** Enums and structs as C++ declares them. */
import { formatInstant } from '../../domain/codec/instant.ts'
import { type CppEnum, type CppMember, type CppStruct, type CppType, memberTypeOf } from './cpp-model.ts'
import { capital, commentText, shownText, textLiteral } from './literals.ts'
import { expressionOf, fieldOf } from './value-expressions.ts'

export function enumDeclaration(type: CppEnum): string {
  const { name, path, values, enumerators, room } = type
  const lines = enumerators.map((enumerator, index) => {
    const value = values[index]!
    const about = enumerator === value ? '' : `  /// ${shownText(value)}\n`
    return `${about}  ${enumerator} = ${index},`
  })
  const texts = values.map((value) => `      {${textLiteral(value)}, ${Buffer.byteLength(value)}},`)
  return `/// Values of \`${path}\`.${newerValues(type)}
enum class ${name} : ${room <= 256 ? 'std::uint8_t' : 'std::uint16_t'} {
${lines.join('\n')}
};

/// The value's text, as JSON would hold it.
inline std::string_view to_string(${name} value) noexcept {
  static constexpr detail::Text texts[] = {
${texts.join('\n')}
  };
  const auto index = static_cast<std::size_t>(value);
  return index < ${values.length} ? std::string_view(texts[index].bytes, texts[index].size) : std::string_view{};
}
`
}

/** What becomes of values that only a newer schema has. */
function newerValues({ values, room, unknown, enumerators }: CppEnum): string {
  if (room === values.length) return ''
  const standIn = unknown === null ? 'nothing' : enumerators[unknown]!
  return ` Values that a newer schema adds read as ${standIn}.`
}

export function structDeclaration({ name, path, members }: CppStruct): string {
  return `/// ${capital(itemsOf(path))}.
struct ${name} {
${members.map(memberDeclaration).join('\n')}
};
`
}

export function recordDeclaration(members: readonly CppMember[], about: string): string {
  return `/// ${about}
struct Record {
${members.map(memberDeclaration).join('\n')}
};
`
}

function itemsOf(path: string): string {
  return `the fields of \`${path}\``
}

function memberDeclaration({ name, field, since, value }: CppMember): string {
  const parts = [
    name === field ? '' : `\`${field}\` in the schema.`,
    valuesOf(value.type),
    value.optional ? 'May be absent.' : '',
    growthOf(since, value.standIn),
  ]
  const about = parts.filter((part) => part !== '').join(' ')
  const comment = about === '' ? '' : `  /// ${about}\n`
  return `${comment}  ${memberTypeOf(value)} ${name}{};`
}

function growthOf(since: number, standIn: unknown): string {
  if (since === 1) return ''
  const older = standIn === undefined ? 'absent' : shownJson(standIn)
  return `Since revision ${since}; in records that are older: ${older}.`
}

const shownCharactersMax = 60

function shownJson(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > shownCharactersMax ? 'what the schema says' : commentText(text)
}

/** A field's range and unit, as a sentence. */
function valuesOf(type: CppType): string {
  const range = rangeOf(type)
  return range === '' ? '' : `${capital(range)}.`
}

function rangeOf(type: CppType): string {
  switch (type.kind) {
    case 'integer':
      return `${type.min} to ${type.max}`
    case 'fixed':
      return `${type.min} to ${type.max} in steps of ${type.step}`
    case 'timestamp': {
      const fraction = type.fromMs % 1000 !== 0 || type.resolutionMs % 1000 !== 0
      const first = formatInstant(type.fromMs, fraction)
      const last = formatInstant(type.fromMs + (2 ** type.bits - 1) * type.resolutionMs, fraction)
      return `Unix milliseconds, ${first} to ${last} in steps of ${type.resolutionMs} ms`
    }
    case 'string':
      return `UTF-8, at most ${type.maxBytes} bytes`
    case 'bytes':
      return `at most ${type.maxBytes} bytes`
    case 'list': {
      const each = rangeOf(type.item.type)
      return `at most ${type.maxItems} items${each === '' ? '' : `, each ${each}`}`
    }
    case 'bool':
    case 'enum':
    case 'struct':
      return ''
  }
}

export function defaultRecordFunction(
  members: readonly CppMember[],
  record: Readonly<Record<string, unknown>> | null,
): string {
  if (record === null) {
    return `/// The model has no default record.
inline std::optional<Record> default_record() { return std::nullopt; }
`
  }
  const lines = members.flatMap(({ name, field, value }) => {
    const given = fieldOf(record, field)
    return given === undefined ? [] : [`  record.${name} = ${expressionOf(value, given)};`]
  })
  return `/// The model's default record, as it was when this file was generated.
inline std::optional<Record> default_record() {
  Record record;
${lines.join('\n')}
  return record;
}
`
}
