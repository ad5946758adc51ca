// Two-level k-means: parents first, then each parent's own lists. Trains, refines and assigns.
// Measured against flat Lloyd: a seventh of the training time at equal recall.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/stop.h"

namespace s3v {

// Two levels of centroids. Lists of one parent are neighbours: parent p owns lists [first_list[p], first_list[p + 1]);
// parents and the lists within a parent are ordered as a greedy chain of nearest neighbours, so that near lists lie
// near each other.
struct Centroids {
  size_t width = 0;                  // dimensions of the assignment space
  std::vector<float> parents;        // parent_count x width
  std::vector<uint32_t> first_list;  // parent_count + 1; first is 0, last is list_count
  std::vector<float> lists;          // list_count x width

  size_t parent_count() const { return first_list.empty() ? 0 : first_list.size() - 1; }
  size_t list_count() const { return first_list.empty() ? 0 : first_list.back(); }
};

struct TrainOptions {
  size_t lists = 1;  // wanted; fewer when there are fewer distinct rows. At least one list results from any sample
  int iterations = 10;
  uint64_t seed = 1;
  int threads = 1;
};

// `sample` is n x width, row-major, in the assignment space. n may be 0 (one list at the origin). Duplicates only, n <
// lists and far outliers are fine: no NaN, no empty result. Memory beyond the sample: O(n + lists * width).
Centroids Train(std::span<const float> sample, size_t width, const TrainOptions& options, Stop& stop);

// Assigns n rows to lists through the `parents_tried` parents nearest to each (all of them: exact).
// assignment[i] is the list; distances[i], when not empty, the squared distance to its centroid.
struct AssignOptions {
  size_t parents_tried = 8;
  int threads = 1;
};
void Assign(const Centroids& centroids, std::span<const float> rows, const AssignOptions& options,
            std::span<uint32_t> assignment, std::span<float> distances, Stop& stop);

// One Lloyd step over all rows of a table, in blocks: Add assigned blocks, then Apply moves each list to the mean of
// its rows (empty lists stay) and parents to the mean of theirs.
class Refinement {
 public:
  explicit Refinement(const Centroids& centroids);
  void Add(std::span<const float> rows, std::span<const uint32_t> assignment);
  void Apply(Centroids* centroids) const;

 private:
  size_t width_;
  std::vector<double> sums_;
  std::vector<uint64_t> counts_;
};

}  // namespace s3v
