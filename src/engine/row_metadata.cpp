#include "engine/row_metadata.h"

#include <map>

#include "engine/key_reading.h"
#include "format/column.h"

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

uint64_t BytesOf(const Navigation& navigation, const Piece& piece) {
  uint64_t bytes = 0;
  for (const ColumnPlace& place : navigation.ColumnsOf(piece)) bytes += place.length;
  return bytes;
}

// All columns of some pieces, held together: rows take a value of each.
class ColumnWave {
 public:
  ColumnWave(const Navigation& navigation, std::span<const Wanted> groups)
      : navigation_(navigation), groups_(groups), columns_(navigation.shape.metadata_columns) {}

  void Read(ObjectStore& store, Stop& stop) {
    std::vector<RangeRequest> requests;
    for (const Wanted& wanted : groups_) {
      const ObjectKey& key = navigation_.segments[wanted.piece->segment].key;
      for (const ColumnPlace& place : navigation_.ColumnsOf(*wanted.piece)) {
        requests.push_back({key, place.offset, place.length});
      }
    }
    ranges_.resize(requests.size());
    ReadDecoded(
        requests,
        [&](size_t i, ByteView bytes) {
          Open(i, bytes, Trust::kVerify);
          ranges_[i].assign(bytes.begin(), bytes.end());
        },
        store, stop);
  }

  void AppendRows(std::span<const EntryPlace> places, std::vector<Bytes>* rows) const {
    for (size_t i = 0; i < ranges_.size(); ++i) {
      const ColumnRange range = Open(i, ranges_[i], Trust::kVerified);
      for (const size_t place : groups_[i / columns_].places) {
        range.AppendValue(places[place].entry, (*rows)[place]);
      }
    }
  }

 private:
  ColumnRange Open(size_t i, ByteView bytes, Trust trust) const {
    const Piece& piece = *groups_[i / columns_].piece;
    const auto column = static_cast<uint32_t>(i % columns_);
    const LiveSegment& segment = navigation_.segments[piece.segment];
    return {bytes, navigation_.ColumnsOf(piece)[column], column, piece, navigation_.segment_shape(segment), segment.key,
            trust};
  }

  const Navigation& navigation_;
  const std::span<const Wanted> groups_;
  const size_t columns_;
  std::vector<Bytes> ranges_;  // of each piece, column after column
};

}  // namespace

std::vector<Bytes> ReadMetadata(const Navigation& navigation, std::span<const EntryPlace> places,
                                uint64_t bytes_at_once, ObjectStore& store, Stop& stop) {
  std::vector<Bytes> rows(places.size());
  if (navigation.shape.metadata_columns == 0 || places.empty()) return rows;
  const std::vector<Wanted> groups = GroupByPiece(navigation, places);
  for (size_t begin = 0; begin < groups.size();) {
    uint64_t bytes = 0;
    size_t end = begin;
    for (; end < groups.size(); ++end) {
      const uint64_t more = BytesOf(navigation, *groups[end].piece);
      if (end > begin && bytes + more > bytes_at_once) break;
      bytes += more;
    }
    ColumnWave wave(navigation, std::span(groups).subspan(begin, end - begin));
    wave.Read(store, stop);
    wave.AppendRows(places, &rows);
    begin = end;
  }
  return rows;
}

}  // namespace s3v
