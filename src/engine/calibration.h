// Choosing how a version will be probed: rows of the source as queries, their true neighbours, and where these lie.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/stop.h"
#include "ivf/centroid_table.h"
#include "ivf/neighbours.h"
#include "ivf/probe.h"
#include "ivf/space.h"

namespace s3v {

// What sampled rows have to reach so that queries reach `recall`: sampled rows are not queries.
double CalibrationTarget(double recall);

// Add* once for every block of rows, then Rank and Choose.
class Calibration {
 public:
  // `queries` are the rows with the numbers `own_rows`, placed as queries are, in the assignment space.
  Calibration(std::vector<float> queries, std::vector<uint64_t> own_rows, const AssignmentSpace& space);

  // Rows in the assignment space, from number `first_row` on, and their lists; `seconds` empty: one list each.
  void Add(std::span<const float> rows, uint64_t first_row, std::span<const uint32_t> lists,
           std::span<const uint32_t> seconds, int threads, Stop& stop) {
    truth_.Add(rows, first_row, lists, seconds, threads, stop);
  }

  // The ranking of the lists that searches will see.
  void Rank(const CentroidTables& tables, const Rotation& rotation, int threads, Stop& stop);

  struct Choice {
    ProbeRule rule;
    RuleOutcome outcome;
  };
  // The cheapest rule that reaches `recall` and a margin for what sampled rows cannot tell, with every row in its first
  // list only, or in both. list_sizes are of that case.
  Choice ChooseSingle(double recall, std::span<const uint32_t> list_sizes) const;
  Choice ChooseDouble(double recall, std::span<const uint32_t> list_sizes) const;

  size_t query_count() const { return own_rows_; }

 private:
  static Choice Choose(std::span<const CalibrationQuery> queries, double recall, std::span<const uint32_t> list_sizes);

  const AssignmentSpace& space_;
  const std::vector<float> query_vectors_;
  const size_t own_rows_;
  NeighbourLists truth_;
  std::vector<CalibrationQuery> queries_;
};

}  // namespace s3v
