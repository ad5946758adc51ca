#include "engine/row_metadata.h"

#include <map>

#include "format/segment.h"

namespace s3v {
namespace {

// A piece, and which of the places lie in it.
struct Wanted {
  const Piece* piece = nullptr;
  std::vector<size_t> places;
};

std::vector<Wanted> GroupByPiece(const Navigation& navigation, std::span<const EntryPlace> places) {
  std::map<uint32_t, std::vector<size_t>> by_piece;
  for (size_t i = 0; i < places.size(); ++i) by_piece[places[i].piece].push_back(i);
  std::vector<Wanted> groups;
  for (auto& [piece, some] : by_piece) groups.push_back({&navigation.pieces[piece], std::move(some)});
  return groups;
}

// One call of GetRanges. Answers the pieces that arrived damaged; with `is_last_try` it throws instead.
std::vector<Wanted> ReadWave(const Navigation& navigation, std::span<const EntryPlace> places,
                             std::span<const Wanted> groups, bool is_last_try, ObjectStore& store, Stop& stop,
                             std::vector<Bytes>* rows) {
  std::vector<RangeRequest> requests;
  for (const Wanted& wanted : groups) {
    const Piece& piece = *wanted.piece;
    requests.push_back({navigation.segments[piece.segment].key, piece.metadata_offset, piece.metadata_length});
  }
  std::vector<Wanted> damaged;
  store.GetRanges(
      requests,
      [&](size_t number, ByteView bytes) {
        stop.Check();
        const Wanted& wanted = groups[number];
        const LiveSegment& segment = navigation.segments[wanted.piece->segment];
        try {
          const MetadataRange range(bytes, *wanted.piece, navigation.segment_shape(segment), segment.key);
          for (const size_t i : wanted.places) {
            const ByteView row = range.row(places[i].entry);
            (*rows)[i].assign(row.begin(), row.end());
          }
        } catch (const Error& error) {
          if (error.code() != Code::kCorrupted || is_last_try) throw;
          damaged.push_back(wanted);
          store.Forget({&requests[number], 1});  // here: what a sink accepts is kept, and taken for checked
        }
      },
      stop);
  return damaged;
}

}  // namespace

std::vector<Bytes> ReadMetadata(const Navigation& navigation, std::span<const EntryPlace> places,
                                uint64_t bytes_at_once, ObjectStore& store, Stop& stop) {
  std::vector<Bytes> rows(places.size());
  if (!navigation.shape.has_metadata || places.empty()) return rows;
  const std::vector<Wanted> groups = GroupByPiece(navigation, places);
  for (size_t begin = 0; begin < groups.size();) {
    uint64_t bytes = 0;
    size_t end = begin;
    while (end < groups.size() && (end == begin || bytes + groups[end].piece->metadata_length <= bytes_at_once))
      bytes += groups[end++].piece->metadata_length;
    const auto wave = std::span(groups).subspan(begin, end - begin);
    const std::vector<Wanted> damaged = ReadWave(navigation, places, wave, false, store, stop, &rows);
    if (!damaged.empty()) ReadWave(navigation, places, damaged, true, store, stop, &rows);
    begin = end;
  }
  return rows;
}

}  // namespace s3v
