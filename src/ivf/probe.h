// Which lists a query reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ivf/kmeans.h"

namespace s3v {

// The squared-gap rule, after so many entries: once the lists read have k entries that match, and `entries` in all, the
// lists are read whose squared distance is at most that of the last of them plus `gap`, `most` lists in all. A rule on
// the difference of squares keeps its shape over data sets where a ratio does not (docs/design/probing.md).
struct ProbePoint {
  uint32_t entries = 1;
  float gap = 0;
  uint32_t most = 1;
  bool operator==(const ProbePoint&) const = default;
};

// Points ascending by entries, at least one. Between them gap and most follow the logarithm of the entries, beyond them
// they stay.
struct ProbeRule {
  std::vector<ProbePoint> points{ProbePoint{}};
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
