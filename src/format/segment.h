// A segment: pieces of lists, packed in list order; each plane of a piece is one range with its own checksum.
//
// What the coarse scan needs (norms, keys, codes) is one range; metadata lies apart, after all scan ranges of the
// segment, so that a query without a filter never reads it. In format 1 the codes are the raw vectors (encoding 1,
// f32). FORMAT.md has the grammar and a worked example.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace s3v {

// What writers keep to and readers insist on.
inline constexpr uint32_t kMaxDimensions = 16000;
inline constexpr uint32_t kMaxLists = 16u << 20;
inline constexpr size_t kMaxKeyBytes = 65535;

inline constexpr uint64_t kMaxSegmentBytes = 64ull << 20;
inline constexpr uint64_t kMaxPieceBytes = 4ull << 20;  // target; a piece of one entry may be larger

// How codes represent vectors. Numbers are stored.
enum class Encoding : uint8_t { kFloat32 = 1 };

// Keys are byte strings whose memcmp order is the key type's order. Numbers are stored.
enum class KeyKind : uint8_t {
  kInteger = 1,  // 8 bytes: int64 with the sign bit flipped, big-endian
  kUuid = 2,     // 16 bytes
  kText = 3,     // as they are, at most 65,535 bytes
};
size_t KeyWidth(KeyKind kind);  // 0: variable

// Where one piece of a list lies. Stored in the navigation delta.
struct Piece {
  uint32_t list = 0;
  uint32_t segment = 0;  // ordinal in the delta's table of segments
  uint32_t count = 0;    // entries
  uint64_t scan_offset = 0;
  uint64_t scan_length = 0;
  uint64_t metadata_offset = 0;
  uint64_t metadata_length = 0;  // 0: the index carries no metadata
};

struct SegmentShape {
  ObjectId index{};
  ObjectId object{};
  size_t dimensions = 0;
  KeyKind key_kind = KeyKind::kText;
  bool has_metadata = false;
};

// One entry on its way into a segment; views must live until AddPiece returns.
struct Entry {
  ByteView key;
  std::span<const float> vector;
  float norm = 0;
  ByteView metadata;
};

// Bytes one entry takes in a scan range.
uint64_t EntryScanBytes(const SegmentShape& shape, size_t key_size);

// AddPiece* Finish. Pieces must come in list order.
class SegmentWriter {
 public:
  // `expected_bytes` is set aside at once, so that the object does not grow by copying.
  explicit SegmentWriter(const SegmentShape& shape, size_t expected_bytes = 0);
  // Bytes the segment would have if finished now.
  uint64_t size() const;
  // `segment` of the piece is left 0.
  void AddPiece(uint32_t list, std::span<const Entry> entries);
  // Lays the metadata ranges behind the scan ranges. `pieces` in the order added.
  Bytes Finish(std::vector<Piece>* pieces);

 private:
  SegmentShape shape_;
  Bytes object_;                        // header and scan ranges; Finish appends the metadata ranges
  Bytes metadata_;                      // without checksums
  std::vector<size_t> metadata_sizes_;  // one for each piece, when the index has metadata
  std::vector<Piece> pieces_;
};

// A decoded scan range: views into the bytes it was made from.
class ScanRange {
 public:
  // Throws kCorrupted unless checksum, count and lengths fit `piece` and `shape`.
  ScanRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key);
  size_t count() const { return count_; }
  const float* norms() const { return norms_; }      // may be unaligned: read through kernels or memcpy
  const float* vectors() const { return vectors_; }  // count x dimensions, row-major, may be unaligned
  ByteView key(size_t i) const;

 private:
  size_t count_ = 0;
  size_t key_width_ = 0;
  const uint8_t* key_ends_ = nullptr;
  ByteView keys_;
  const float* norms_ = nullptr;
  const float* vectors_ = nullptr;
};

// A decoded metadata range.
class MetadataRange {
 public:
  MetadataRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key);
  ByteView row(size_t i) const;

 private:
  const uint8_t* ends_ = nullptr;
  ByteView rows_;
};

}  // namespace s3v
