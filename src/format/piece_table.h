// The pieces of a navigation delta as bytes: where their ranges lie, and what is known of their columns.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "format/coding.h"
#include "format/navigation.h"

namespace s3v {

// What a piece takes, and for each metadata column at least: a length and a summary of two bytes.
inline constexpr uint64_t kPieceSize = 7 * sizeof(uint32_t);
inline constexpr uint64_t kPieceColumnSize = 1 + 2;

// An offset in a segment, or the length of a part of it. Throws kInternal.
uint32_t Narrow(uint64_t value);

void AppendPiece(Bytes& out, const Piece& piece, const NavigationDelta& delta);

// Pieces come segment after segment, and so do their ranges in each: the planes of a segment (scan ranges with their
// extensions, each metadata column, raw vectors) lie one behind the other, and all before its keys.
class PieceReader {
 public:
  // Reads the columns into `delta`, which has its segments; `column_offsets`: where the columns of each begin.
  PieceReader(NavigationDelta& delta, std::span<const std::vector<uint32_t>> column_offsets);
  // Throws kCorrupted unless the piece follows the one before.
  Piece Read(Decoder& decoder);
  // After the last piece.
  void RequireWholeSegments(const Decoder& decoder) const;

 private:
  // What the pieces of a segment that were read so far take of it.
  struct Plane {
    uint64_t start = 0;  // 0: nothing yet
    uint64_t end = 0;
    bool Extend(uint64_t offset, uint64_t length);
  };
  bool IsWhole() const { return segments_.empty() || entries_ == segments_[segment_].entries; }
  void StartColumns();
  void ReadColumns(Decoder& decoder, Piece& piece);
  const char* PlaceFault(const Piece& piece);
  const char* LengthFault(const Piece& piece) const;
  const char* OverlapFault(const Piece& piece);

  const std::vector<SegmentInfo>& segments_;
  std::span<const std::vector<uint32_t>> column_offsets_;  // of each segment
  ColumnTable& columns_;
  SegmentShape shape_;
  uint32_t segment_ = 0;  // the one that pieces are read of, and what they take of it
  uint32_t entries_ = 0;
  Plane codes_{.start = 0, .end = kHeaderSize};
  std::vector<uint64_t> column_ends_;
  Plane raw_;
};

}  // namespace s3v
