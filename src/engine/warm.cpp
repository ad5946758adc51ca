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
  std::vector<uint32_t> segments;      // that each lies in
  std::vector<uint64_t> part_lengths;  // of what in each has a checksum of its own
};

Ranges RangesOf(const Navigation& navigation) {
  Ranges ranges;
  const auto add = [&](const Piece& piece, uint64_t offset, uint64_t length, uint64_t part_length) {
    if (length == 0) return;
    ranges.requests.push_back({navigation.segments[piece.segment].key, offset, length});
    ranges.segments.push_back(piece.segment);
    ranges.part_lengths.push_back(part_length);
  };
  for (const Piece& piece : navigation.pieces) {
    add(piece, piece.scan_offset, piece.scan_length, piece.scan_length);
    add(piece, piece.extension_offset(), piece.extension_length, piece.extension_length);
  }
  for (size_t column = 0; column < navigation.shape.metadata_columns; ++column) {
    for (const Piece& piece : navigation.pieces) {
      const ColumnPlace& place = navigation.ColumnsOf(piece)[column];
      add(piece, place.offset, place.length, place.length);
    }
  }
  const uint64_t vector = RawBytes(navigation.shape.raw, navigation.shape.dimensions);
  for (const Piece& piece : navigation.pieces) add(piece, piece.raw_offset, piece.count * vector, vector);
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
            const ObjectId& segment = navigation.segments[all.segments[first + i]].info.id;
            const uint64_t length = all.part_lengths[first + i];
            for (uint64_t from = 0; from < range.size(); from += length)
              CheckRange(range.subspan(from, length), segment, request.offset + from, request.key);
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
