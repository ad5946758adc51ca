// A row's metadata as bytes: one tagged value for each declared column, in the declared order. The shim writes it, the
// filter reads it, segments store it.
//
//   row    := value{columns}
//   value  := 0x00                       NULL: the key is absent
//           | 0x01 | 0x02                false, true
//           | 0x03 i64                   integer
//           | 0x04 f64                   binary floating point; NaN and infinities allowed
//           | 0x05 u32 length, ascii     decimal, as PostgreSQL prints a numeric ("NaN", "Infinity" included)
//           | 0x06 u32 length, utf-8     text (text, varchar, uuid, enum label)
//           | 0x07 i64                   microseconds since 2000-01-01 (date, timestamp, timestamptz); the least
//                                      and the greatest int64 are -infinity and infinity
//           | 0x08 u32 count, value{count}
//                                      list; elements are scalars (tags 1 to 7); SQL NULL elements are left out
//           | 0x09 u32 length, json    jsonb text that is an object, a null, or a list with such elements: exists,
//                                      equals nothing
// All integers little-endian. Lengths are checked against the bytes at hand before use.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace s3v {

enum class ValueTag : uint8_t {
  kNull = 0,
  kFalse = 1,
  kTrue = 2,
  kInteger = 3,
  kFloat = 4,
  kDecimal = 5,
  kText = 6,
  kTime = 7,
  kList = 8,
  kJson = 9,
};

// One decoded value; text and list are views into the row.
struct MetadataValue {
  ValueTag tag = ValueTag::kNull;
  int64_t integer = 0;    // kInteger, kTime
  double number = 0;      // kFloat
  std::string_view text;  // kDecimal, kText, kJson
  ByteView list;          // kList: the encoded elements
  uint32_t list_count = 0;
};

// Reads values one after another. Throws kCorrupted on an unknown tag or a length that leaves the bytes.
class MetadataReader {
 public:
  explicit MetadataReader(ByteView row) : rest_(row) {}
  bool AtEnd() const { return rest_.empty(); }
  ByteView rest() const { return rest_; }
  MetadataValue Next();
  // The bytes of the next value, which it reads all the same.
  ByteView NextEncoded();

 private:
  ByteView rest_;
};

// `bytes` are one value and nothing else. Throws kCorrupted.
MetadataValue ReadValue(ByteView bytes);

}  // namespace s3v
