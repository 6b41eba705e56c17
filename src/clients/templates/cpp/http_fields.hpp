// What a fetcher writes into requests and reads from answers. `recgate client cpp` writes this into each fetcher, in the
// model's own namespace instead of recgate::model.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "recgate_http.hpp"

namespace recgate::model {
namespace detail {

inline constexpr std::string_view packed_type = "application/vnd.recgate.packed";
inline constexpr std::string_view problem_type = "application/problem+json";

inline bool is_digit(char character) noexcept { return character >= '0' && character <= '9'; }

inline char lower(char character) noexcept {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

inline bool is_letter(char character) noexcept { return lower(character) >= 'a' && lower(character) <= 'z'; }

inline bool same_ignoring_case(std::string_view one, std::string_view other) noexcept {
  if (one.size() != other.size()) return false;
  for (std::size_t index = 0; index < one.size(); ++index) {
    if (lower(one[index]) != lower(other[index])) return false;
  }
  return true;
}

inline std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

/// Up to `separator`, which goes with it from `rest`.
inline std::string_view cut(std::string_view& rest, char separator) noexcept {
  const std::size_t end = rest.find(separator);
  const std::string_view piece = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return piece;
}

/// Empty where there is none.
inline std::string_view header(const ::recgate::HttpResponse& response, std::string_view name) noexcept {
  for (const auto& field : response.headers) {
    if (same_ignoring_case(trimmed(field.first), name)) return trimmed(field.second);
  }
  return {};
}

/// Without its parameters.
inline bool has_type(const ::recgate::HttpResponse& response, std::string_view type) noexcept {
  std::string_view rest = header(response, "Content-Type");
  return same_ignoring_case(trimmed(cut(rest, ';')), type);
}

/// The gateway gives seconds; a proxy may give something else, or a time that is no use.
inline std::optional<std::chrono::milliseconds> retry_after(const ::recgate::HttpResponse& response) noexcept {
  const std::string_view text = header(response, "Retry-After");
  if (text.empty() || text.size() > 9) return std::nullopt;
  std::int64_t seconds = 0;
  for (const char digit : text) {
    if (!is_digit(digit)) return std::nullopt;
    seconds = seconds * 10 + (digit - '0');
  }
  return std::chrono::seconds(seconds);
}

/// `Recgate: v=itemcf, r=split`, a structured field (RFC 8941); there may be more of it one day.
inline std::string experiment_member(const ::recgate::HttpResponse& response, std::string_view key) {
  std::string_view rest = header(response, "Recgate");
  while (!rest.empty()) {
    std::string_view member = cut(rest, ',');
    std::string_view value = trimmed(cut(member, ';'));
    if (cut(value, '=') == key) return std::string(value);
  }
  return {};
}

/// Everything but letters, digits and `-._~` as `%XX` (RFC 3986).
inline std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char character : text) {
    if (is_letter(character) || is_digit(character) || character == '-' || character == '.' || character == '_' ||
        character == '~') {
      encoded += character;
      continue;
    }
    const unsigned byte = static_cast<unsigned char>(character);
    encoded += '%';
    encoded += digits[byte >> 4];
    encoded += digits[byte & 15U];
  }
  return encoded;
}

/// Adds `name=value` to a query.
inline void add_parameter(std::string& query, std::string_view name, std::string_view value) {
  if (!query.empty()) query += '&';
  query += percent_encoded(name);
  query += '=';
  query += percent_encoded(value);
}

inline bool is_among(std::string_view text, std::initializer_list<std::string_view> values) noexcept {
  return std::find(values.begin(), values.end(), text) != values.end();
}

/// 1 to `bytes_max` of letters, digits and `_.-`.
inline bool is_id(std::string_view text, std::size_t bytes_max) noexcept {
  for (const char character : text) {
    const bool fits = is_letter(character) || is_digit(character);
    if (!fits && character != '_' && character != '.' && character != '-') return false;
  }
  return !text.empty() && text.size() <= bytes_max;
}

/// Whether it can stand in a header as a bearer token: visible ASCII.
inline bool is_token(std::string_view text) noexcept {
  for (const char character : text) {
    if (character <= ' ' || character > '~') return false;
  }
  return !text.empty();
}

/// Whether a path and a query may follow it: http or https, a host, and neither `?`, `#`, white space nor anything else
/// that isn't visible ASCII.
inline bool is_base_url(std::string_view url) noexcept {
  const std::string_view scheme = url.substr(0, url.find("://"));
  if (!same_ignoring_case(scheme, "http") && !same_ignoring_case(scheme, "https")) return false;
  if (scheme.size() == url.size()) return false;
  const std::string_view rest = url.substr(scheme.size() + 3);
  return is_token(rest) && rest.front() != '/' && rest.find_first_of("?#") == std::string_view::npos;
}

/// From behind the opening quote to behind the closing one. Escapes other than `\"`, `\\` and `\/` become `?`: codes have
/// none, and what is for people can be read without them.
inline std::string json_string(std::string_view& rest) {
  std::string text;
  while (!rest.empty()) {
    const char character = rest.front();
    rest.remove_prefix(1);
    if (character == '"') break;
    if (character != '\\') {
      text += character;
      continue;
    }
    if (rest.empty()) break;
    const char escaped = rest.front();
    rest.remove_prefix(1);
    text += escaped == '"' || escaped == '\\' || escaped == '/' ? escaped : '?';
  }
  return text;
}

/// A text member of a JSON object (RFC 9457's are flat); empty where it has none of that name.
inline std::string json_member(std::string_view json, std::string_view name) {
  std::size_t depth = 0;
  std::string last;
  bool awaited = false;
  while (!json.empty()) {
    const char character = json.front();
    json.remove_prefix(1);
    if (character == '"') {
      std::string text = json_string(json);
      if (awaited) return text;
      last = std::move(text);
      continue;
    }
    if (character == '{' || character == '[') ++depth;
    if ((character == '}' || character == ']') && depth > 0) --depth;
    const bool blank = character == ' ' || character == '\t' || character == '\r' || character == '\n';
    if (!blank) awaited = character == ':' && depth == 1 && last == name;
  }
  return {};
}

}  // namespace detail
}  // namespace recgate::model
