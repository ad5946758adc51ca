#include "engine/warm.h"

#include <vector>

namespace s3v {
namespace {

// Of one wave; also what the cache keeps together.
constexpr uint64_t kWaveBytes = 16u << 20;

std::vector<RangeRequest> RangesOf(const Navigation& navigation) {
  std::vector<RangeRequest> ranges;
  const auto add = [&](const Piece& piece, uint64_t offset, uint64_t length) {
    if (length == 0) return;
    ranges.push_back({navigation.segment_keys[piece.segment], offset, length});
  };
  for (const Piece& piece : navigation.delta.pieces) {
    add(piece, piece.scan_offset, piece.scan_length);
    add(piece, piece.extension_offset(), piece.extension_length);
  }
  for (const Piece& piece : navigation.delta.pieces) add(piece, piece.metadata_offset, piece.metadata_length);
  return ranges;
}

}  // namespace

void Warm(const Navigation& navigation, uint64_t max_bytes, ObjectStore& store, Stop& stop) {
  if (!store.KeepsRanges()) return;
  const std::vector<RangeRequest> ranges = RangesOf(navigation);
  uint64_t total = 0;
  for (auto first = ranges.begin(); first != ranges.end();) {
    uint64_t bytes = 0;
    auto last = first;
    for (; last != ranges.end() && bytes < kWaveBytes && total + bytes + last->length <= max_bytes; ++last)
      bytes += last->length;
    if (last == first) return;
    store.GetRanges(
        {first, last}, [](size_t, ByteView) {}, stop);
    total += bytes;
    first = last;
  }
}

}  // namespace s3v
