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
  bool operator==(const ProbeRule&) const = default;
};

struct RankedList {
  uint32_t list = 0;
  float squared_distance = 0;
};

// How many of the ranked lists the rule reads, nearest first: up to the first beyond the gap. fixed_probes > 0
// overrides the rule.
size_t CountProbes(std::span<const RankedList> ranked, const ProbeRule& rule, size_t fixed_probes);

// One sampled query of a calibration: its ranked lists, all of them, in the order in which they would be read, and in
// which lists its true nearest neighbours lie.
struct CalibrationQuery {
  std::vector<RankedList> ranked;
  std::vector<ListPair> neighbour_lists;  // one for each of its k nearest, found as soon as either list is read
};

// The cheapest rule (fewest entries scanned on average, list_sizes known) whose mean recall over the queries reaches
// `target_recall`. The cap `most` is chosen with it, at most twice what any of these queries reads. No queries: reads
// everything. list_sizes count duplicates.
ProbeRule Calibrate(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes,
                    double target_recall);

// What a rule does with the queries of a calibration, on average.
struct RuleOutcome {
  double recall = 0;   // over the queries that have neighbours
  double entries = 0;  // scanned, duplicates included
  double probes = 0;
};
RuleOutcome OutcomeOf(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes,
                      const ProbeRule& rule);

}  // namespace s3v
