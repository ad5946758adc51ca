// Choosing how a version will be probed: rows of the source as queries, their true neighbours, and where these lie.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/stop.h"
#include "ivf/centroid_table.h"
#include "ivf/neighbour_levels.h"
#include "ivf/probe.h"
#include "ivf/space.h"

namespace s3v {

// By level, then query.
using NeighboursByLevel = std::vector<std::vector<std::vector<NearRow>>>;

// What sampled rows have to reach so that queries reach `recall`: sampled rows are not queries.
double CalibrationTarget(double recall);

// Add* once for every block of rows, then Rank and Choose.
class Calibration {
 public:
  // `queries` are the rows with the numbers `own_rows` of `rows` rows in `lists` lists, placed as queries are, in the
  // assignment space.
  Calibration(std::vector<float> queries, std::vector<uint64_t> own_rows, uint64_t rows, size_t lists,
              const AssignmentSpace& space);

  // Rows in the assignment space, from number `first_row` on, and their lists; `seconds` empty: one list each.
  void Add(std::span<const float> rows, uint64_t first_row, std::span<const uint32_t> lists,
           std::span<const uint32_t> seconds, int threads, Stop& stop);

  // The ranking of the lists that searches will see.
  void Rank(const CentroidTables& tables, const Rotation& rotation, int threads, Stop& stop);

  struct Choice {
    ProbeRule rule;
    RuleOutcome outcome;  // without a filter
  };
  // The cheapest rule that reaches `recall` and a margin for what sampled rows cannot tell, among all rows and among
  // fewer and fewer of them, with every row in its first list only, or in both. list_sizes are of that case.
  Choice ChooseSingle(double recall, std::span<const uint32_t> list_sizes) const;
  Choice ChooseDouble(double recall, std::span<const uint32_t> list_sizes) const;

  size_t query_count() const { return own_rows_; }

 private:
  const AssignmentSpace& space_;
  const std::vector<float> query_vectors_;
  const size_t own_rows_;
  NeighbourLevels truth_;
  LevelCounts single_counts_;
  LevelCounts double_counts_;
  std::vector<std::vector<RankedList>> rankings_;  // of each query
  NeighboursByLevel neighbours_;                   // by level, then query
};

// The points of a rule that shall reach `recall` with queries like these sampled ones, whose neighbours among the rows
// of each level are known; lists hold `counts` of the levels' entries. `copies`: 2 where rows lie in two lists.
ProbeRule ChooseRule(std::span<const std::vector<RankedList>> rankings, const NeighboursByLevel& neighbours,
                     std::span<const uint32_t> list_sizes, const LevelCounts& counts, size_t copies, double recall);

inline constexpr size_t kCalibrationNeighbours = 10;

}  // namespace s3v
