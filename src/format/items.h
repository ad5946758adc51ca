// Arrays of items inside a range: fixed in width, or byte strings behind a table of their ends. Any alignment.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "base/bytes.h"
#include "format/coding.h"
#include "format/segment.h"

namespace s3v {

inline constexpr uint64_t kEndSize = sizeof(uint32_t);
inline constexpr uint64_t kChecksumSize = sizeof(uint32_t);
inline constexpr uint64_t kFrameSize = 2 * sizeof(uint32_t) + kChecksumSize;  // count, list and checksum of a range

template <class T>
T ReadAt(const uint8_t* array, size_t i) {
  T value;
  std::memcpy(&value, array + i * sizeof(T), sizeof(T));
  return value;
}

inline bool HasEnds(KeyKind kind) { return KeyWidth(kind) == 0; }

// Opens a range of a piece, which lies at `offset` and should have `length` bytes. Throws kCorrupted unless length and
// checksum fit, and the two numbers that it begins with: the piece's count and list.
Decoder OpenRange(ByteView bytes, uint64_t offset, uint64_t length, const Piece& piece, const SegmentShape& shape,
                  const std::string& key, Trust trust);

// `count` items of `size` bytes. Throws kCorrupted when the range does not have them; the product may be beyond any
// number.
const uint8_t* TakeItems(Decoder& decoder, uint64_t count, uint64_t size);

// Byte strings of various lengths. `ends` is null where all have the same width.
struct Items {
  const uint8_t* ends = nullptr;
  ByteView bytes;
};
// `count` ends, then the bytes they divide, up to the end of the range. Throws kCorrupted unless ends do not go back,
// no item is longer than `max_item` and the last one ends with the range.
Items TakeDivided(Decoder& decoder, uint64_t count, uint64_t max_item);
ByteView ItemAt(const uint8_t* ends, ByteView bytes, size_t i);

// Keys, last in their range. `width` is KeyWidth(kind).
Items TakeKeys(Decoder& decoder, KeyKind kind, uint64_t count);
inline ByteView KeyAt(size_t width, const uint8_t* ends, ByteView keys, size_t i) {
  return width > 0 ? keys.subspan(i * width, width) : ItemAt(ends, keys, i);
}

// Appends the ends of items, then their bytes. Throws kLimitExceeded when they are beyond 4 GiB.
template <class Range, class GetItem>
void AppendDivided(Bytes& out, const Range& entries, GetItem get_item) {
  uint64_t end = 0;
  for (const auto& entry : entries) {
    end += get_item(entry).size();
    if (end > UINT32_MAX) throw Error(Code::kLimitExceeded, "a list of the index holds too many bytes");
    Append(out, static_cast<uint32_t>(end));
  }
  for (const auto& entry : entries) Append(out, get_item(entry));
}

template <class Range, class GetKey>
void AppendKeys(Bytes& out, KeyKind kind, const Range& entries, GetKey get_key) {
  if (HasEnds(kind)) return AppendDivided(out, entries, get_key);
  for (const auto& entry : entries) Append(out, get_key(entry));
}

}  // namespace s3v
