// The key plane of a segment: its keys in order, each with the entry's position and the hash of what was indexed.
//
// Blocks of at most kKeysPerBlock entries, each with a checksum of its own, then an index of the blocks. A sync finds
// the entries that it makes stale by reading the index and the blocks that its keys fall into; a comparison with the
// source reads all blocks, in key order, and neither codes nor vectors. FORMAT.md has the grammar.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "format/segment.h"

namespace s3v {

inline constexpr size_t kKeysPerBlock = 256;
inline constexpr size_t kKeyBytesPerBlock = 64u << 10;  // as written: room for one of any length

// One entry. Of a row that lies in two lists of the segment there are two, with one key and one hash.
struct KeyEntry {
  ByteView key{};
  uint32_t position = 0;
  uint64_t content_hash = 0;
  // By key, then position.
  bool operator<(const KeyEntry& other) const;
};

// Appends the plane to `object`, whose end is where it begins: blocks, then the index. `entries` are sorted.
// Keys may be views into `object`.
KeyPlanePlace AppendKeyPlane(Bytes& object, const SegmentShape& shape, std::span<const KeyEntry> entries);

// Bytes that a plane of `entries` keys has at most, when they are `key_bytes` together (looked at where keys are text)
// and none is longer than `longest_key`. Exact for keys of fixed width, and for empty ones; so with zeros, what it has
// at least.
uint64_t MostKeyPlaneBytes(KeyKind kind, uint64_t entries, uint64_t key_bytes, uint64_t longest_key);

// A decoded index of blocks; owns what it says.
struct KeyBlockPlace {
  uint64_t offset = 0;  // in the segment
  uint64_t length = 0;
  uint32_t count = 0;
  std::string first_key;
};

// `bytes` are the index range of a segment of `entries` entries. Throws kCorrupted unless checksum, counts (they add up
// to `entries`) and lengths (blocks fill the plane up to the index) fit, and first keys ascend (equal ones may follow
// each other).
std::vector<KeyBlockPlace> DecodeKeyIndex(ByteView bytes, const SegmentShape& shape, const KeyPlanePlace& place,
                                          uint64_t segment_length, uint32_t entries, const std::string& key);

// The blocks [first, last) in which a key may lie.
std::pair<size_t, size_t> BlocksOf(std::span<const KeyBlockPlace> blocks, ByteView key);

// A decoded block: views into the bytes it was made from, any alignment.
class KeyBlock {
 public:
  // Throws kCorrupted unless checksum, count, first key and lengths fit, positions are below `entries` and keys ascend
  // (with positions ascending among equal ones).
  KeyBlock(ByteView bytes, const KeyBlockPlace& place, const SegmentShape& shape, uint32_t entries,
           const std::string& key, Trust trust = Trust::kVerify);
  size_t count() const { return count_; }
  KeyEntry entry(size_t i) const;
  // The first i whose key is not below `key`; count() when there is none.
  size_t LowerBound(ByteView key) const;

 private:
  size_t count_ = 0;
  size_t key_width_ = 0;
  const uint8_t* positions_ = nullptr;
  const uint8_t* hashes_ = nullptr;
  const uint8_t* key_ends_ = nullptr;
  ByteView keys_;
};

}  // namespace s3v
