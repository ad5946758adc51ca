// One wave of a search: the ranges of some pieces, scanned for every query that wants them.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "engine/candidates.h"
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

  bool is_narrowed() const { return options.filter != nullptr || options.only != nullptr; }
  // Bytes of a piece that a scan may read.
  uint64_t BytesOf(const Piece& piece) const {
    return piece.scan_length + piece.extension_length + (options.filter != nullptr ? piece.metadata_length : 0);
  }
};

// Pieces that this machine has are read first, their extensions only where a sign code leaves something to decide; all
// others come with one call of GetRanges and are scanned as they arrive. A piece that arrives damaged is asked for once
// more before kCorrupted is thrown. `visits` are sorted by piece.
void ScanWave(const ScanScope& scope, std::span<const Visit> visits, ObjectStore& store, Stop& stop);

}  // namespace s3v
