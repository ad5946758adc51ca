// One wave of a search: the ranges of some pieces, scanned for every query that wants them.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "engine/candidates.h"
#include "engine/column_wave.h"
#include "engine/matches.h"
#include "engine/search.h"
#include "ivf/codes.h"

namespace s3v {

// What one query looks for, and what was counted for it.
struct QueryScan {
  QueryScan(const Navigation& navigation, std::span<const float> query, const SearchOptions& options);

  std::vector<float> rotated;  // as codes see the query: at unit length under cosine
  ListQuery list_query;
  Candidates candidates;
  uint64_t scanned = 0;
  uint64_t masked = 0;  // of the scanned
  uint64_t scored = 0;
  uint64_t matched = 0;
  std::vector<uint32_t> matched_in;                  // by list: of those scanned, where the search is narrowed
  std::unordered_set<const std::string*> only_seen;  // keys of `only` that some entry has

  // Of the piece being scanned.
  std::vector<float> lower_bounds;
  std::vector<float> upper_bounds;  // codes of one bit
  std::vector<int32_t> sign_sums;
  std::vector<uint32_t> survivors;  // entries that the sign codes could not rule out
};

// A piece that a query wants; `rank` orders the pieces that are at hand, nearest first.
struct Visit {
  const Piece* piece;
  QueryScan* query;
  float rank;
};

// What all queries of a search share.
struct ScanScope {
  const Navigation& navigation;
  const SearchOptions& options;
  Matches* matches;  // null: no filter

  bool is_narrowed() const { return matches != nullptr || options.only != nullptr; }
  uint32_t NumberOf(const Piece& piece) const { return static_cast<uint32_t>(&piece - navigation.pieces.data()); }
  bool NeedsColumns(const Piece& piece) const { return matches != nullptr && matches->NeedsColumns(NumberOf(piece)); }
  // Bytes of a piece that a scan may read.
  uint64_t BytesOf(const Piece& piece) const {
    const uint64_t codes = piece.scan_length + piece.extension_length;
    return NeedsColumns(piece) ? codes + ColumnBytes(navigation, matches->filter(), piece) : codes;
  }
};

// Pieces that this machine has are read first, their extensions only where a sign code leaves something to decide; all
// others come with one call of GetRanges and are scanned as they arrive, with the columns of a filter where these are
// needed. A piece that arrives damaged is asked for once
// more before kCorrupted is thrown. `visits` are sorted by piece.
void ScanWave(const ScanScope& scope, std::span<const Visit> visits, ObjectStore& store, Stop& stop);

}  // namespace s3v
