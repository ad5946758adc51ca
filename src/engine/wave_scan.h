// One wave of a search: the ranges of some pieces, scanned as they arrive.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "engine/candidates.h"
#include "engine/search.h"
#include "ivf/distance.h"

namespace s3v {

// What a scan looks for, and what it counts.
struct ScanTarget {
  const Navigation& navigation;
  ScoredQuery query;
  const Expression* filter = nullptr;
  const KeySet* only = nullptr;
  const KeySet* without = nullptr;
  Candidates& candidates;
  uint64_t scanned = 0;
  uint64_t matched = 0;
  std::unordered_set<const std::string*> only_seen;  // keys of `only` that some entry has

  bool is_narrowed() const { return filter != nullptr || only != nullptr; }
  // Bytes of a piece that this scan reads.
  uint64_t BytesOf(const Piece& piece) const {
    return piece.scan_length + (filter != nullptr ? piece.metadata_length : 0);
  }
};

// Reads all pieces with one call of GetRanges. A piece that arrives damaged is asked for once more before kCorrupted is
// thrown.
void ScanWave(ScanTarget& target, std::span<const Piece* const> pieces, ObjectStore& store, Stop& stop);

}  // namespace s3v
