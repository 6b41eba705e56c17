// Values as the JSON in which recgate's codec tells them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace json {

inline void put_number(std::string& out, std::int64_t value) { out += std::to_string(value); }

/// 17 digits read as the very same double.
inline void put_number(std::string& out, double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  out += text;
}

inline void put_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      out += '\\';
      out += character;
    } else if (static_cast<unsigned char>(character) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(character));
      out += escape;
    } else {
      out += character;
    }
  }
  out += '"';
}

/// Base64 with padding (RFC 4648, section 4).
inline void put_bytes(std::string& out, const std::vector<std::uint8_t>& bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out += '"';
  for (std::size_t index = 0; index < bytes.size(); index += 3) {
    const std::size_t left = bytes.size() - index;
    std::uint32_t three = std::uint32_t{bytes[index]} << 16;
    if (left > 1) three |= std::uint32_t{bytes[index + 1]} << 8;
    if (left > 2) three |= std::uint32_t{bytes[index + 2]};
    out += digits[(three >> 18) & 63U];
    out += digits[(three >> 12) & 63U];
    out += left > 1 ? digits[(three >> 6) & 63U] : '=';
    out += left > 2 ? digits[three & 63U] : '=';
  }
  out += '"';
}

/// RFC 3339 in UTC, with three decimals where the field has them.
inline void put_instant(std::string& out, std::int64_t unix_ms, bool fraction) {
  const std::int64_t milliseconds = ((unix_ms % 1000) + 1000) % 1000;
  const std::time_t seconds = static_cast<std::time_t>((unix_ms - milliseconds) / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[80];
  std::snprintf(text, sizeof text, "\"%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  out += text;
  if (fraction) {
    std::snprintf(text, sizeof text, ".%03d", static_cast<int>(milliseconds));
    out += text;
  }
  out += "Z\"";
}

}  // namespace json
