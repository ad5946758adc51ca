// Which lists a query reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ivf/kmeans.h"

namespace s3v {

// Which lists are read, of a query that looks at so many entries of lists with matches until it has k
// (docs/design/probing.md).
//
// Without a filter: lists whose squared distance is at most that of the list with the k-th entry plus `gap`, at most
// `most` of them. A rule on the difference of squares keeps its shape over data sets where a ratio does not.
//
// With one: first lists at most `margin` farther than the list with the k-th match; once they were read, lists at most
// `bound` farther than the k-th match itself. Filters that follow the vectors mislead the one or the other, not both.
struct ProbePoint {
  float entries = 1;
  float gap = 0;  // of squared distances
  uint32_t most = 1;
  float margin = 0;
  float bound = 0;  // often negative: a row is nearer than the centroid of its list
  bool operator==(const ProbePoint&) const = default;
};

// Points ascending by entries, at least one. Between them all else follows the logarithm of the entries, beyond them it
// stays.
struct ProbeRule {
  std::vector<ProbePoint> points = std::vector<ProbePoint>(1);
  ProbePoint At(double entries) const;
  bool operator==(const ProbeRule&) const = default;
};
inline constexpr size_t kMostProbePoints = 8;

// A rule that reads all of so many lists.
ProbeRule EveryList(size_t lists);

struct RankedList {
  uint32_t list = 0;
  float squared_distance = 0;
};

// How many of the ranked lists, nearest first, an unfiltered query reads where the one of rank `start` holds the k-th
// entry: up to the first beyond the gap.
size_t CountProbes(std::span<const RankedList> ranked, size_t start, const ProbePoint& point);

// A true neighbour of a sampled query: found as soon as either of its lists is read.
struct NearRow {
  ListPair lists;
  float squared_distance = 0;
  bool operator==(const NearRow&) const = default;
};

// One sampled query of a calibration: its ranked lists, all of them, in the order in which they would be read (a view),
// and its k nearest matches, nearest first.
struct CalibrationQuery {
  std::span<const RankedList> ranked;
  std::vector<NearRow> neighbours;
};

// The cheapest gap and cap (fewest entries scanned on average, `list_sizes` known) with which the mean recall over the
// queries, unfiltered, reaches `target_recall`. `most` is at most twice what any of these queries reads. No queries:
// reads everything.
ProbePoint Calibrate(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes, size_t k,
                     double target_recall);

// What a filter asks for that lets some entries of each list pass.
struct FilteredLists {
  std::span<const uint32_t> sizes;    // entries of each list, duplicates included
  std::span<const uint32_t> matches;  // those of them that match
  size_t k = 0;                       // nearest matches that each query wants
  size_t copies = 1;                  // matching entries of each row
};

// Sets `entries`, and `margin` and `bound` so that either alone finds such a part of all neighbours.
void CalibrateFiltered(std::span<const CalibrationQuery> queries, const FilteredLists& lists, double margin_recall,
                       double bound_recall, ProbePoint* point);

// What a point does, unfiltered, with the queries of a calibration, on average.
struct RuleOutcome {
  double recall = 0;   // over the queries that have neighbours
  double entries = 0;  // scanned, duplicates included
  double probes = 0;
};
RuleOutcome OutcomeOf(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes, size_t k,
                      const ProbePoint& point);

}  // namespace s3v
