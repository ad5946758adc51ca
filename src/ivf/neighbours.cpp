#include "ivf/neighbours.h"

#include <algorithm>
#include <numeric>

#include "base/parallel.h"
#include "ivf/kernels/kernels.h"
#include "ivf/lloyd.h"

namespace s3v {

NeighbourLists::NeighbourLists(std::span<const float> queries, size_t width, std::span<const uint64_t> own_rows,
                               size_t k)
    : width_(width),
      queries_(queries.size()),
      own_rows_(own_rows.begin(), own_rows.end()),
      nearest_(own_rows.size(), TopK<Row>(k)) {
  std::vector<uint32_t> all(own_rows.size());
  std::iota(all.begin(), all.end(), 0u);
  origin_ = OriginOf({queries, width, all});
  for (size_t i = 0; i < all.size(); ++i) {
    Centre(queries.subspan(i * width, width), origin_, queries_.data() + i * width);
  }
}

void NeighbourLists::Add(std::span<const float> rows, std::span<const uint64_t> numbers,
                         std::span<const uint32_t> assignment, std::span<const uint32_t> second_assignment, int threads,
                         Stop& stop) {
  const std::span<const uint32_t> seconds = second_assignment.empty() ? assignment : second_assignment;
  constexpr size_t kQueries = 64;
  constexpr size_t kRowsInCache = 256;
  const size_t block = RowsPerChunk(static_cast<double>(kQueries * width_), kRowsInCache);
  for (size_t begin = 0; begin < assignment.size(); begin += block) {
    const size_t count = std::min(block, assignment.size() - begin);
    ParallelFor(own_rows_.size(), kQueries, threads, stop, [&](size_t first, size_t last) {
      AddToQueries(first, last, rows.subspan(begin * width_, count * width_), numbers.subspan(begin, count),
                   assignment.subspan(begin, count), seconds.subspan(begin, count));
    });
  }
}

void NeighbourLists::AddToQueries(size_t begin, size_t end, std::span<const float> rows,
                                  std::span<const uint64_t> numbers, std::span<const uint32_t> assignment,
                                  std::span<const uint32_t> second_assignment) {
  const size_t count = assignment.size();
  const size_t queries = end - begin;
  std::vector<float> centred(count * width_);
  for (size_t i = 0; i < count; ++i) Centre(rows.subspan(i * width_, width_), origin_, centred.data() + i * width_);
  const std::vector<float> lengths = SquaredLengths(rows, origin_);
  std::vector<float> products(count * queries);
  kernels::DotMatrix(centred.data(), count, queries_.data() + begin * width_, queries, width_, products.data(),
                     queries);
  for (size_t i = 0; i < count; ++i) {
    for (size_t q = begin; q < end; ++q) {
      const float score = lengths[i] - 2 * products[i * queries + q - begin];
      if (score <= nearest_[q].Threshold() && numbers[i] != own_rows_[q]) {
        nearest_[q].Offer(score, {numbers[i], {assignment[i], second_assignment[i]}});
      }
    }
  }
}

std::vector<std::vector<NearRow>> NeighbourLists::Take() {
  std::vector<std::vector<NearRow>> rows(nearest_.size());
  for (size_t q = 0; q < nearest_.size(); ++q) {
    const std::span<const float> query = std::span(queries_).subspan(q * width_, width_);
    float squared_length = 0;
    for (const float value : query) squared_length += value * value;
    for (const auto& item : nearest_[q].TakeSorted())
      rows[q].push_back({item.id.lists, std::max(0.0F, item.score + squared_length)});
  }
  return rows;
}

}  // namespace s3v
