// Searches that go on: candidates by lower bound, more on demand, wider when a filter leaves too few. One query or many
// over the same version: each list is read once for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/bytes.h"
#include "base/stop.h"
#include "engine/raw_vectors.h"
#include "engine/snapshot.h"
#include "filter/expression.h"
#include "store/object_store.h"

namespace s3v {

// Encoded keys, looked up by view.
struct KeyHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
};
using KeySet = std::unordered_set<std::string, KeyHash, std::equal_to<>>;

struct SearchOptions {
  size_t k = 10;
  size_t probes = 0;       // 0: the version's rule; otherwise that many lists (still widened while fewer than k match)
  uint64_t max_bytes = 0;  // 0: no budget; else reading stops before it would be exceeded
  uint64_t in_flight_bytes = 32u << 20;  // ranges asked for at once; more lists than that are read in further waves
  // Distances come from raw vectors wherever the local cache has them. This asks the store for those that it has not,
  // of the candidates that may be among the k nearest: for callers that have no other exact vectors. One more wave.
  bool raw_from_store = false;
  const Expression* filter = nullptr;  // not owned
  const KeySet* only = nullptr;        // not owned: nothing else may come back
  const KeySet* without = nullptr;     // not owned: pending keys, which the caller adds from the source
};

// Bounds and estimates are in the user's units. A bound holds at the probability that kCodeSigmas stands for
// (piece_scan.cpp), but for those from raw vectors, which are certain: both are the exact distance (ivf/distance.h, the
// same bits) where the raw plane has whole floats.
struct Candidate {
  std::string key;
  double estimate = 0;
  double lower_bound = 0;
  EntryPlace place;
};

// A list that is read a second time, because the caller wants more of it than was kept, counts once; a list that
// several queries read counts once, its entries once for each of them.
struct SearchStats {
  uint64_t lists_total = 0;
  uint64_t lists_probed = 0;
  uint64_t entries_scanned = 0;  // entries whose sign code was looked at
  uint64_t entries_scored = 0;  // entries whose whole code was looked at, because the sign code could not rule them out
  uint64_t entries_matched = 0;  // that passed the filter and `only`, and were not found in `without`, where only those
                                 // near enough to be candidates are looked up unless there is a filter or `only`
  bool exhausted = false;        // every list was read
  bool budget_reached = false;   // max_bytes stopped it
};

class Search {
 public:
  // `queries`: one or more, row-major. Copied. Throws kInvalidArgument for numbers that are not finite, zero vectors
  // under cosine, and another number of dimensions.
  Search(std::shared_ptr<const Navigation> navigation, std::span<const float> queries, const SearchOptions& options,
         ObjectStore& store);
  ~Search();

  size_t query_count() const;

  // The next `count` candidates of a query whose lower bound is not above `worst` (the k-th exact distance that the
  // caller has), least bound first; fewer, or none, when the lists that were read hold no more of them. When more is
  // wanted than was kept, the lists are scanned again, and what comes then may lie below what came before. The first
  // call reads the lists of all queries: one wave, unless in_flight_bytes splits it; with a filter or `only` as a rule
  // two, three where columns are worth reading first (engine/query_search.h).
  std::vector<Candidate> Next(size_t query, size_t count, double worst, Stop& stop);
  std::vector<Candidate> Next(size_t count, Stop& stop) {
    return Next(0, count, std::numeric_limits<double>::infinity(), stop);
  }

  // Reads more lists than the rule wants, because the caller dropped candidates; false when all are read or the budget
  // is used up. Candidates that come after it may be nearer than ones given before.
  bool Widen(size_t query, Stop& stop);
  bool Widen(Stop& stop) { return Widen(0, stop); }

  // Encoded metadata of candidates, in the order of their places (engine/row_metadata.h). One wave, which max_bytes
  // does not bound.
  std::vector<Bytes> ReadMetadata(std::span<const EntryPlace> places, Stop& stop);

  SearchStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v
