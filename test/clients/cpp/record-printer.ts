/** C++ that tells a record as the codec's JSON, for a program that tests ask what it reads. */
import type { ClientModel } from '../../../src/clients/client-model.ts'
import {
  type CppMember,
  type CppStruct,
  type CppValue,
  describeCppModel,
} from '../../../src/clients/cpp/cpp-model.ts'
import { namespaceOfModel } from '../../../src/clients/cpp/generate-cpp.ts'

/** In the model's namespace, `print(out, record)`; its decoder and json.hpp are included before it. */
export function printersText(model: ClientModel): string {
  const { members, types } = describeCppModel(model)
  const structs = types.filter((type): type is CppStruct => type.kind === 'struct')
  return `namespace ${namespaceOfModel(model)} {

${structs.map((struct) => printer(struct.name, struct.members)).join('')}${printer('Record', members)}
}  // namespace ${namespaceOfModel(model)}
`
}

/** `const Model NAME`, as answers.hpp has it. */
export function answersText(model: ClientModel, name: string): string {
  const namespace = namespaceOfModel(model)
  return `${printersText(model)}
namespace ${namespace} {
namespace {

void default_answer(std::string& out) {
  const std::optional<Record> record = default_record();
  if (record.has_value()) {
    print(out, *record);
  } else {
    out += "none";
  }
}

void decode_answer(const std::uint8_t* bytes, std::size_t size, std::string& out) {
  const Decoded decoded = decode(bytes, size);
  if (decoded) return print(out, *decoded.record);
  out += "error ";
  out += to_string(decoded.error.code);
  if (!decoded.error.field.empty()) out += ' ';
  out += decoded.error.field;
}

}  // namespace
}  // namespace ${namespace}

extern const Model ${name};
const Model ${name}{&${namespace}::decode_answer, &${namespace}::default_answer};
`
}

function printer(type: string, members: readonly CppMember[]): string {
  return `inline void print(std::string& out, const ${type}& value) {
  const char* next = "{";
${members.map(memberText).join('')}  out += *next == '{' ? "{}" : "}";
}

`
}

function memberText({ name, field, value }: CppMember): string {
  const key = `  out += next;\n  next = ",";\n  out += "\\"${field}\\":";\n`
  if (!value.optional) return `${key}${valueText(value, `value.${name}`, 0)}`
  return `  if (value.${name}) {\n${key}${valueText(value, `*value.${name}`, 0)}  }\n`
}

function valueText({ type }: CppValue, value: string, depth: number): string {
  switch (type.kind) {
    case 'bool':
      return `  out += (${value}) ? "true" : "false";\n`
    case 'integer':
      return `  json::put_number(out, std::int64_t{${value}});\n`
    case 'fixed':
      return `  json::put_number(out, ${value});\n`
    case 'enum':
      return `  json::put_text(out, to_string(${value}));\n`
    case 'timestamp': {
      const fraction = type.fromMs % 1000 !== 0 || type.resolutionMs % 1000 !== 0
      return `  json::put_instant(out, ${value}, ${fraction});\n`
    }
    case 'string':
      return `  json::put_text(out, ${value});\n`
    case 'bytes':
      return `  json::put_bytes(out, ${value});\n`
    case 'struct':
      return `  print(out, ${value});\n`
    case 'list':
      return `  {
  const char* between${depth} = "";
  out += '[';
  for (const auto& item${depth} : ${value}) {
  out += between${depth};
  between${depth} = ",";
${valueText(type.item, `item${depth}`, depth + 1)}  }
  out += ']';
  }
`
  }
}
