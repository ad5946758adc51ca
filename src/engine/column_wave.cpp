#include "engine/column_wave.h"

namespace s3v {
namespace {

// The columns of one piece on their way.
struct Arriving {
  uint32_t piece = 0;
  size_t missing = 0;
  std::vector<Bytes> ranges;
};

std::vector<ByteView> ViewsOf(const std::vector<Bytes>& ranges) { return {ranges.begin(), ranges.end()}; }

bool DecideLocally(const Navigation& navigation, uint32_t piece, Matches& matches, ObjectStore& store) {
  std::vector<Bytes> ranges;
  for (const RangeRequest& request : ColumnRequests(navigation, matches.filter(), navigation.pieces[piece])) {
    if (!store.GetLocal(request, &ranges.emplace_back())) return false;
  }
  try {
    // The cache checked them.
    DecideByColumns(navigation, piece, ViewsOf(ranges), Trust::kVerified, matches);
  } catch (const Error& error) {
    if (error.code() != Code::kCorrupted) throw;
    store.Forget(ColumnRequests(navigation, matches.filter(), navigation.pieces[piece]));
    return false;
  }
  return true;
}

// Answers the pieces that arrived damaged; with `is_last_try` it throws instead.
std::vector<uint32_t> DecideRemotely(const Navigation& navigation, std::span<const uint32_t> pieces, bool is_last_try,
                                     Matches& matches, ObjectStore& store, Stop& stop) {
  std::vector<RangeRequest> requests;
  std::vector<std::pair<size_t, size_t>> asked;  // which piece, which of its ranges
  std::vector<Arriving> arriving(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    auto ranges = ColumnRequests(navigation, matches.filter(), navigation.pieces[pieces[i]]);
    arriving[i] = {.piece = pieces[i], .missing = ranges.size(), .ranges = std::vector<Bytes>(ranges.size())};
    for (size_t range = 0; range < ranges.size(); ++range) {
      requests.push_back(std::move(ranges[range]));
      asked.emplace_back(i, range);
    }
  }
  std::vector<uint32_t> damaged;
  store.GetRanges(
      requests,
      [&](size_t request, ByteView bytes) {
        stop.Check();
        const auto [number, range] = asked[request];
        Arriving& piece = arriving[number];
        piece.ranges[range].assign(bytes.begin(), bytes.end());
        if (--piece.missing > 0) return;
        try {
          DecideByColumns(navigation, piece.piece, ViewsOf(piece.ranges), Trust::kVerify, matches);
        } catch (const Error& error) {
          if (error.code() != Code::kCorrupted || is_last_try) throw;
          damaged.push_back(piece.piece);
          // Here: what a sink accepts is kept, and taken for checked.
          store.Forget(ColumnRequests(navigation, matches.filter(), navigation.pieces[piece.piece]));
        }
        piece.ranges = {};
      },
      stop);
  return damaged;
}

}  // namespace

uint64_t ColumnBytes(const Navigation& navigation, const Expression& filter, const Piece& piece) {
  uint64_t bytes = 0;
  const std::span<const ColumnPlace> places = navigation.ColumnsOf(piece);
  for (const uint32_t column : filter.columns()) bytes += places[column].length;
  return bytes;
}

std::vector<RangeRequest> ColumnRequests(const Navigation& navigation, const Expression& filter, const Piece& piece) {
  std::vector<RangeRequest> requests;
  const std::span<const ColumnPlace> places = navigation.ColumnsOf(piece);
  for (const uint32_t column : filter.columns())
    requests.push_back({navigation.segments[piece.segment].key, places[column].offset, places[column].length});
  return requests;
}

void DecideByColumns(const Navigation& navigation, uint32_t number, std::span<const ByteView> ranges, Trust trust,
                     Matches& matches) {
  const Piece& piece = navigation.pieces[number];
  const LiveSegment& segment = navigation.segments[piece.segment];
  const SegmentShape shape = navigation.segment_shape(segment);
  const std::span<const ColumnPlace> places = navigation.ColumnsOf(piece);
  std::vector<ColumnRange> columns;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const uint32_t column = matches.filter().columns()[i];
    columns.emplace_back(ranges[i], places[column], column, piece, shape, segment.key, trust);
  }
  matches.Decide(number, columns);
}

void ReadColumns(const Navigation& navigation, std::span<const uint32_t> pieces, Matches& matches, ObjectStore& store,
                 Stop& stop) {
  std::vector<uint32_t> missing;
  {
    const LocalReads reading(&store);
    for (const uint32_t piece : pieces) {
      stop.Check();
      if (!DecideLocally(navigation, piece, matches, store)) missing.push_back(piece);
    }
  }
  if (missing.empty()) return;
  const std::vector<uint32_t> damaged = DecideRemotely(navigation, missing, false, matches, store, stop);
  if (!damaged.empty()) DecideRemotely(navigation, damaged, true, matches, store, stop);
}

}  // namespace s3v
