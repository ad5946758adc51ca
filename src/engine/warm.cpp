#include "engine/warm.h"

#include <span>
#include <vector>

#include "format/coding.h"

namespace s3v {
namespace {

// Of one wave; also what the cache keeps together.
constexpr uint64_t kWaveBytes = 16u << 20;

struct Ranges {
  std::vector<RangeRequest> requests;
  std::vector<uint32_t> segments;  // that each lies in
};

Ranges RangesOf(const Navigation& navigation) {
  Ranges ranges;
  const auto add = [&](const Piece& piece, uint64_t offset, uint64_t length) {
    if (length == 0) return;
    ranges.requests.push_back({navigation.segment_keys[piece.segment], offset, length});
    ranges.segments.push_back(piece.segment);
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
  const Ranges all = RangesOf(navigation);
  const std::span<const RangeRequest> ranges = all.requests;
  uint64_t total = 0;
  for (size_t first = 0; first < ranges.size();) {
    uint64_t bytes = 0;
    size_t last = first;
    for (; last < ranges.size() && bytes < kWaveBytes && total + bytes + ranges[last].length <= max_bytes; ++last)
      bytes += ranges[last].length;
    if (last == first) return;
    store.GetRanges(
        ranges.subspan(first, last - first),
        [&](size_t i, ByteView range) {
          stop.Check();
          const RangeRequest& request = ranges[first + i];
          try {
            CheckRange(range, navigation.delta.segments[all.segments[first + i]].id, request.offset, request.key);
          } catch (const Error& error) {
            // Not kept: a query asks again, and heals or reports it.
            if (error.code() != Code::kCorrupted) throw;
            store.Forget({&request, 1});
          }
        },
        stop);
    total += bytes;
    first = last;
  }
}

}  // namespace s3v
