// The true neighbours of sampled rows among every row, every tenth, every hundredth: what a random filter that lets
// such a part of the rows pass asks for. Calibrations are measured against it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/stop.h"
#include "ivf/neighbours.h"

namespace s3v {

// How many levels leave enough of so many rows in the last.
size_t CountLevels(uint64_t rows);
// A row belongs to level l when its mark is a multiple of this.
uint64_t LevelStep(size_t level);

// Add* Take. As NeighbourLists, and with a tenth of its work on top.
class NeighbourLevels {
 public:
  NeighbourLevels(std::span<const float> queries, size_t width, std::span<const uint64_t> own_rows, size_t k,
                  size_t levels);

  // As NeighbourLists::Add.
  void Add(std::span<const float> rows, std::span<const uint64_t> numbers, std::span<const uint64_t> marks,
           std::span<const uint32_t> assignment, std::span<const uint32_t> second_assignment, int threads, Stop& stop);

  // By level, then query.
  std::vector<std::vector<std::vector<NearRow>>> Take();

 private:
  const size_t width_;
  std::vector<NeighbourLists> levels_;
};

// Entries of each list that belong to each level.
class LevelCounts {
 public:
  LevelCounts(size_t levels, size_t lists) : counts_(levels, std::vector<uint32_t>(lists)) {}
  void Add(uint32_t list, uint64_t mark) {
    for (size_t level = 0; level < counts_.size() && mark % LevelStep(level) == 0; ++level) ++counts_[level][list];
  }
  std::span<const uint32_t> Of(size_t level) const { return counts_[level]; }

 private:
  std::vector<std::vector<uint32_t>> counts_;
};

}  // namespace s3v
