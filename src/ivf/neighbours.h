// In which lists the true nearest neighbours of sampled rows lie: what a calibration is measured against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/stop.h"
#include "ivf/kmeans.h"
#include "ivf/probe.h"
#include "ivf/rounded_rows.h"
#include "ivf/topk.h"

namespace s3v {

// Add* Take. Rows come in blocks, in the assignment space, each with the list or the two lists it was
// assigned to. Brute force, but as a dense product of rounded vectors that few rows come out of. Memory:
// O(queries * (width + k)) and a block of at most 1,024 rows.
class NeighbourLists {
 public:
  // `queries` is count x width, placed as queries are. Query i was made from row own_rows[i], which is not its own
  // neighbour.
  NeighbourLists(std::span<const float> queries, size_t width, std::span<const uint64_t> own_rows, size_t k);

  // Row i has the number numbers[i]; it lies in list assignment[i], and in second_assignment[i] too unless that is
  // empty.
  void Add(std::span<const float> rows, std::span<const uint64_t> numbers, std::span<const uint32_t> assignment,
           std::span<const uint32_t> second_assignment, int threads, Stop& stop);

  // For each query its k nearest rows (fewer when fewer rows came), nearest first. Frees the queries.
  std::vector<std::vector<NearRow>> Take();

 private:
  struct Row {
    uint64_t number;
    ListPair lists;
    bool operator<(const Row& other) const { return number < other.number; }
  };

  // Less the origin.
  struct Queries {
    std::vector<float> vectors;
    RoundedRows rounded;
  };

  // Some rows less the origin, and their squared lengths then.
  struct Block {
    std::vector<float> vectors;
    std::vector<float> lengths;
    RoundedRows rounded;
  };

  Block Centred(std::span<const float> rows, int threads, Stop& stop) const;
  void AddToQueries(size_t begin, size_t end, const Block& block, std::span<const uint64_t> numbers,
                    std::span<const uint32_t> assignment, std::span<const uint32_t> second_assignment);

  size_t width_;
  std::vector<float> origin_;                // near the queries: subtracted from both sides
  std::shared_ptr<const Queries> queries_;  // copies of this object ask the same
  std::vector<uint64_t> own_rows_;
  std::vector<TopK<Row>> nearest_;
};

}  // namespace s3v
