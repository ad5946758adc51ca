#include "ivf/neighbour_levels.h"

#include <algorithm>

namespace s3v {
namespace {

constexpr uint64_t kStep = 10;
constexpr uint64_t kLeastRows = 100;  // of a level: fewer say little about where ten of them lie
constexpr size_t kMostLevels = 5;

}  // namespace

size_t CountLevels(uint64_t rows) {
  size_t levels = 1;
  while (levels < kMostLevels && rows / LevelStep(levels) >= kLeastRows) ++levels;
  return levels;
}

uint64_t LevelStep(size_t level) {
  uint64_t step = 1;
  while (level-- > 0) step *= kStep;
  return step;
}

NeighbourLevels::NeighbourLevels(std::span<const float> queries, size_t width, std::span<const uint64_t> own_rows,
                                 size_t k, size_t levels)
    : width_(width), levels_(levels, NeighbourLists(queries, width, own_rows, k)) {}

void NeighbourLevels::Add(std::span<const float> rows, std::span<const uint64_t> numbers,
                          std::span<const uint64_t> marks, std::span<const uint32_t> assignment,
                          std::span<const uint32_t> second_assignment, int threads, Stop& stop) {
  levels_.front().Add(rows, numbers, assignment, second_assignment, threads, stop);
  for (size_t level = 1; level < levels_.size(); ++level) {
    const uint64_t step = LevelStep(level);
    std::vector<float> some_rows;
    std::vector<uint64_t> some_numbers;
    std::vector<uint32_t> firsts, seconds;
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (marks[i] % step != 0) continue;
      const auto row = rows.subspan(i * width_, width_);
      some_rows.insert(some_rows.end(), row.begin(), row.end());
      some_numbers.push_back(numbers[i]);
      firsts.push_back(assignment[i]);
      if (!second_assignment.empty()) seconds.push_back(second_assignment[i]);
    }
    if (!firsts.empty()) levels_[level].Add(some_rows, some_numbers, firsts, seconds, threads, stop);
  }
}

std::vector<std::vector<std::vector<NearRow>>> NeighbourLevels::Take() {
  std::vector<std::vector<std::vector<NearRow>>> levels;
  for (NeighbourLists& level : levels_) levels.push_back(level.Take());
  return levels;
}

}  // namespace s3v
