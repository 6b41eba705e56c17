// Reading packed records: what every generated decoder is made of. `recgate client cpp` writes this into each decoder,
// in the model's own namespace instead of recgate::model, so that a decoder needs no other file.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recgate::model {

/// Why bytes are no record of this model.
enum class DecodeErrorCode : std::uint8_t {
  none,
  /// There are no bytes.
  packed_empty,
  /// Byte 0 is 0, which is no revision.
  revision_zero,
  /// The bytes end inside a field.
  packed_truncated,
  /// Bytes are left over after the last field of a known revision.
  packed_trailing,
  /// The bits between the last field and the end of its byte aren't zero.
  padding_nonzero,
  /// A bit pattern that stands for no value of its field.
  bits_range,
  /// More bytes or items than the field may have.
  length_range,
  /// Text that isn't UTF-8.
  utf8_invalid,
};

/// The code as recgate's own tools name it, such as `packed-truncated`.
inline std::string_view to_string(DecodeErrorCode code) noexcept {
  switch (code) {
    case DecodeErrorCode::none:
      return "none";
    case DecodeErrorCode::packed_empty:
      return "packed-empty";
    case DecodeErrorCode::revision_zero:
      return "revision-zero";
    case DecodeErrorCode::packed_truncated:
      return "packed-truncated";
    case DecodeErrorCode::packed_trailing:
      return "packed-trailing";
    case DecodeErrorCode::padding_nonzero:
      return "padding-nonzero";
    case DecodeErrorCode::bits_range:
      return "bits-range";
    case DecodeErrorCode::length_range:
      return "length-range";
    case DecodeErrorCode::utf8_invalid:
      return "utf8-invalid";
  }
  return {};
}

struct DecodeError {
  DecodeErrorCode code = DecodeErrorCode::none;
  /// Path of the field at fault, such as `home.x`, without places in lists; empty where the record as a whole is.
  std::string_view field;
};

/// Timestamps are Unix milliseconds in UTC. The clock's own duration may be too fine for the years 0000 to 9999, so
/// the time point counts milliseconds.
inline std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds> to_time_point(
    std::int64_t unix_ms) noexcept {
  return std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>(
      std::chrono::milliseconds(unix_ms));
}

namespace detail {

/// A text in a table. Compilers count each step of making std::string_view of a constant, and an enum may have 65,536
/// values.
struct Text {
  const char* bytes;
  std::size_t size;
};

/// UTF-8 as RFC 3629 has it: nothing overlong, no surrogates, nothing above U+10FFFF.
inline bool is_utf8(const std::string& text) noexcept {
  const std::size_t size = text.size();
  const auto byte_at = [&text](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
  std::size_t index = 0;
  while (index < size) {
    const std::uint8_t lead = byte_at(index++);
    if (lead < 0x80) continue;
    std::size_t more = 0;
    // What the second byte may be; the later ones are always 80 to bf.
    std::uint8_t least = 0x80;
    std::uint8_t greatest = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) least = 0xa0;
      if (lead == 0xed) greatest = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) least = 0x90;
      if (lead == 0xf4) greatest = 0x8f;
    } else {
      return false;
    }
    for (; more > 0; --more) {
      if (index == size) return false;
      const std::uint8_t next = byte_at(index++);
      if (next < least || next > greatest) return false;
      least = 0x80;
      greatest = 0xbf;
    }
  }
  return true;
}

/// Reads bits, most significant first, without alignment; never past the end, however wrong the bytes are. Each
/// function answers false after it has noted why in `error`.
class BitReader {
 public:
  BitReader(const std::uint8_t* bytes, std::size_t size) noexcept : bytes_(bytes), size_(size) {}

  const DecodeError& error() const noexcept { return error_; }

  /// Byte 0.
  bool read_revision(unsigned& revision) noexcept {
    if (size_ == 0) return fail(DecodeErrorCode::packed_empty, {});
    std::uint64_t bits = 0;
    if (!read_bits({}, 8, bits)) return false;
    if (bits == 0) return fail(DecodeErrorCode::revision_zero, {});
    revision = static_cast<unsigned>(bits);
    return true;
  }

  /// After the last field: nothing but zero bits to the end of its byte.
  bool read_end() noexcept {
    const std::uint64_t rest = bits_left();
    if (rest >= 8) return fail(DecodeErrorCode::packed_trailing, {});
    std::uint64_t bits = 0;
    if (!read_bits({}, static_cast<unsigned>(rest), bits)) return false;
    return bits == 0 || fail(DecodeErrorCode::padding_nonzero, {});
  }

  bool read_bool(std::string_view field, bool& value) noexcept {
    std::uint64_t bits = 0;
    if (!read_bits(field, 1, bits)) return false;
    value = bits == 1;
    return true;
  }

  /// The bit before an optional field's own; makes room for the field where it is there.
  template <class Value>
  bool read_present(std::string_view field, std::optional<Value>& value) {
    bool present = false;
    if (!read_bool(field, present)) return false;
    if (present) value.emplace();
    return true;
  }

  /// `least` and the bits, which are at most `offset_max`. Integer is std::int32_t or std::int64_t.
  template <class Integer>
  bool read_integer(std::string_view field, unsigned width, std::uint64_t offset_max, std::int64_t least,
                    Integer& value) noexcept {
    std::uint64_t offset = 0;
    if (!read_up_to(field, width, offset_max, offset)) return false;
    value = static_cast<Integer>(least + static_cast<std::int64_t>(offset));
    return true;
  }

  /// Steps on a decimal grid: `(least + k * step) / units_per_one`, where the division rounds once, and so gives the
  /// double that the decimal text would be read as.
  bool read_fixed(std::string_view field, unsigned width, std::uint64_t steps, std::int64_t least,
                  std::int64_t step, double units_per_one, double& value) noexcept {
    std::uint64_t taken = 0;
    if (!read_up_to(field, width, steps, taken)) return false;
    // Compilers that may trade exactness for speed (-ffast-math, /fp:fast) multiply by the inverse of a divisor that
    // they know, which rounds twice.
    const volatile double divisor = units_per_one;
    value = static_cast<double>(least + static_cast<std::int64_t>(taken) * step) / divisor;
    return true;
  }

  /// An index below `room`; from `known` on it is a newer schema's value, for which `unknown` stands.
  template <class Enum>
  bool read_enum(std::string_view field, unsigned width, std::uint64_t known, std::uint64_t room, Enum unknown,
                 Enum& value) noexcept {
    std::uint64_t index = 0;
    if (!read_up_to(field, width, room - 1, index)) return false;
    value = index < known ? static_cast<Enum>(index) : unknown;
    return true;
  }

  /// The same where a newer schema's value is absent.
  template <class Enum>
  bool read_enum(std::string_view field, unsigned width, std::uint64_t known, std::uint64_t room,
                 std::nullopt_t, std::optional<Enum>& value) noexcept {
    std::uint64_t index = 0;
    if (!read_up_to(field, width, room - 1, index)) return false;
    if (index < known) {
      value = static_cast<Enum>(index);
    } else {
      value.reset();
    }
    return true;
  }

  bool read_timestamp(std::string_view field, unsigned width, std::int64_t from_ms, std::int64_t resolution_ms,
                      std::int64_t& unix_ms) noexcept {
    std::uint64_t count = 0;
    if (!read_bits(field, width, count)) return false;
    unix_ms = from_ms + static_cast<std::int64_t>(count) * resolution_ms;
    return true;
  }

  /// How many bytes or items follow.
  bool read_length(std::string_view field, unsigned width, std::uint64_t length_max,
                   std::size_t& length) noexcept {
    std::uint64_t bits = 0;
    if (!read_bits(field, width, bits)) return false;
    if (bits > length_max) return fail(DecodeErrorCode::length_range, field);
    length = static_cast<std::size_t>(bits);
    return true;
  }

  bool read_string(std::string_view field, unsigned width, std::uint64_t length_max, std::string& text) {
    if (!read_sized(field, width, length_max, text)) return false;
    return is_utf8(text) || fail(DecodeErrorCode::utf8_invalid, field);
  }

  bool read_bytes(std::string_view field, unsigned width, std::uint64_t length_max,
                  std::vector<std::uint8_t>& bytes) {
    return read_sized(field, width, length_max, bytes);
  }

 private:
  bool fail(DecodeErrorCode code, std::string_view field) noexcept {
    error_ = DecodeError{code, field};
    return false;
  }

  std::uint64_t bits_left() const noexcept { return static_cast<std::uint64_t>(size_) * 8 - position_; }

  bool read_up_to(std::string_view field, unsigned width, std::uint64_t greatest, std::uint64_t& value) noexcept {
    if (!read_bits(field, width, value)) return false;
    return value <= greatest || fail(DecodeErrorCode::bits_range, field);
  }

  /// `width` is 0 to 53: with the up to 7 bits before it in its first byte, it lies within 8 bytes.
  bool read_bits(std::string_view field, unsigned width, std::uint64_t& value) noexcept {
    value = 0;
    if (width == 0) return true;
    if (bits_left() < width) return fail(DecodeErrorCode::packed_truncated, field);
    const std::uint8_t* from = bytes_ + position_ / 8;
    const std::size_t available = size_ - static_cast<std::size_t>(position_ / 8);
    std::uint64_t window = 0;
    if (available >= 8) {
      // Compilers make one load of it.
      window = std::uint64_t{from[0]} << 56 | std::uint64_t{from[1]} << 48 | std::uint64_t{from[2]} << 40 |
               std::uint64_t{from[3]} << 32 | std::uint64_t{from[4]} << 24 | std::uint64_t{from[5]} << 16 |
               std::uint64_t{from[6]} << 8 | std::uint64_t{from[7]};
    } else {
      for (std::size_t index = 0; index < available; ++index) window = window << 8 | from[index];
      window <<= 8 * (8 - available);
    }
    value = window << (position_ % 8) >> (64 - width);
    position_ += width;
    return true;
  }

  /// A length, and so many bytes from the next bit on.
  template <class Bytes>
  bool read_sized(std::string_view field, unsigned width, std::uint64_t length_max, Bytes& bytes) {
    std::size_t length = 0;
    if (!read_length(field, width, length_max, length)) return false;
    if (bits_left() / 8 < length) return fail(DecodeErrorCode::packed_truncated, field);
    bytes.resize(length);
    if (length == 0) return true;
    const std::uint8_t* from = bytes_ + position_ / 8;
    const unsigned shift = static_cast<unsigned>(position_ % 8);
    for (std::size_t index = 0; index < length; ++index) {
      unsigned both = static_cast<unsigned>(from[index]) << 8;
      if (shift > 0) both |= from[index + 1];
      bytes[index] = static_cast<typename Bytes::value_type>(both >> (8 - shift) & 0xffU);
    }
    position_ += static_cast<std::uint64_t>(length) * 8;
    return true;
  }

  const std::uint8_t* bytes_;
  std::size_t size_;
  /// In bits.
  std::uint64_t position_ = 0;
  DecodeError error_;
};

}  // namespace detail
}  // namespace recgate::model
