// Which lists a query reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ivf/kmeans.h"

namespace s3v {

// The squared-gap rule: lists whose squared distance is at most the nearest list's plus `gap`, at least `least`, at
// most `most`. A rule on the difference of squares keeps its shape over data sets where a ratio does not
// (docs/design/probing.md).
struct ProbeRule {
  float gap = 0;
  uint32_t least = 1;
  uint32_t most = 1;
};

struct RankedList {
  uint32_t list = 0;
  float squared_distance = 0;
};

// All lists, nearest to the query first (ties by number). `query` is in the assignment space.
std::vector<RankedList> RankLists(const Centroids& centroids, std::span<const float> query);

// How many of the ranked lists the rule reads. fixed_probes > 0 overrides the rule.
size_t CountProbes(std::span<const RankedList> ranked, const ProbeRule& rule, size_t fixed_probes);

// One sampled query of a calibration: its ranked lists and in which lists its true nearest neighbours lie.
struct CalibrationQuery {
  std::vector<RankedList> ranked;
  std::vector<uint32_t> neighbour_lists;  // one for each of its k nearest
};

// The cheapest rule (fewest entries scanned on average, list_sizes known) whose mean recall over the queries reaches
// `target_recall`. The cap `most` is chosen with it. No queries: reads everything.
ProbeRule Calibrate(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes,
                    double target_recall);

}  // namespace s3v
