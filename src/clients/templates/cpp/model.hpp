// The shape of a generated decoder, so that the fetcher beside this file compiles as it stands: `recgate client cpp`
// writes it for a model of its own, and this file is no part of it.
#pragma once

#include "http_fields.hpp"
#include "packed.hpp"

namespace recgate::model {

inline constexpr std::string_view model_id = "model";

struct Record {
  bool flag = false;
};

struct Decoded {
  std::optional<Record> record;
  DecodeError error;
};

inline Decoded decode(std::string_view body) {
  Decoded decoded;
  detail::BitReader reader(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
  unsigned revision = 0;
  Record record;
  if (reader.read_revision(revision) && reader.read_bool("flag", record.flag) && reader.read_end()) {
    decoded.record = record;
  } else {
    decoded.error = reader.error();
  }
  return decoded;
}

inline std::optional<Record> default_record() { return std::nullopt; }

/// Of the row key, as a request's query says them.
struct Parameters {};

namespace detail {

/// Answers what is wrong with a parameter, or nothing where all fit.
inline std::string write_query(const Parameters&, std::string&) { return {}; }

}  // namespace detail

}  // namespace recgate::model
