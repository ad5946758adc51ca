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
      own_rows_(own_rows.begin(), own_rows.end()),
      nearest_(own_rows.size(), TopK<Row>(k)) {
  std::vector<uint32_t> all(own_rows.size());
  std::iota(all.begin(), all.end(), 0u);
  origin_ = OriginOf({queries, width, all});
  std::vector<float> centred(queries.size());
  for (size_t i = 0; i < all.size(); ++i) {
    Centre(queries.subspan(i * width, width), origin_, centred.data() + i * width);
  }
  RoundedRows rounded(centred, width);
  queries_ = std::make_shared<const Queries>(Queries{std::move(centred), std::move(rounded)});
}

void NeighbourLists::Add(std::span<const float> rows, std::span<const uint64_t> numbers,
                         std::span<const uint32_t> assignment, std::span<const uint32_t> second_assignment, int threads,
                         Stop& stop) {
  const std::span<const uint32_t> seconds = second_assignment.empty() ? assignment : second_assignment;
  constexpr size_t kQueries = 64;
  constexpr size_t kMostRows = 1024;
  const size_t block = RowsPerChunk(static_cast<double>(kQueries * width_), kMostRows);
  for (size_t begin = 0; begin < assignment.size(); begin += block) {
    const size_t count = std::min(block, assignment.size() - begin);
    const Block rows_of_block = Centred(rows.subspan(begin * width_, count * width_), threads, stop);
    ParallelFor(own_rows_.size(), kQueries, threads, stop, [&](size_t first, size_t last) {
      AddToQueries(first, last, rows_of_block, numbers.subspan(begin, count), assignment.subspan(begin, count),
                   seconds.subspan(begin, count));
    });
  }
}

NeighbourLists::Block NeighbourLists::Centred(std::span<const float> rows, int threads, Stop& stop) const {
  constexpr size_t kRows = 256;
  const size_t count = rows.size() / width_;
  Block block{.vectors = std::vector<float>(rows.size()),
              .lengths = std::vector<float>(count),
              .rounded = RoundedRows(count, width_)};
  ParallelFor(count, kRows, threads, stop, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      float* centred = block.vectors.data() + i * width_;
      Centre(rows.subspan(i * width_, width_), origin_, centred);
      block.rounded.Set(i, centred);
    }
    kernels::SquaredL2Rows(origin_.data(), rows.data() + begin * width_, end - begin, width_,
                           block.lengths.data() + begin);
  });
  return block;
}

// A row is near where |row|^2 - 2 <row, query> is at most the query's threshold; rounded vectors tell for most that
// they are not (see NearestByTwoLooks).
void NeighbourLists::AddToQueries(size_t begin, size_t end, const Block& block, std::span<const uint64_t> numbers,
                                  std::span<const uint32_t> assignment, std::span<const uint32_t> second_assignment) {
  const RoundedRows& rows = block.rounded;
  const RoundedRows& queries = queries_->rounded;
  const size_t asked = end - begin;
  std::vector<int32_t> dots(rows.count() * asked);
  kernels::DotMatrixInt8(rows.row(0), rows.count(), queries.row(begin), asked, rows.stride(), dots.data());
  std::vector<float> less_thresholds(asked), scores(asked);
  float longest = 0;
  float worst = 0;
  for (size_t q = begin; q < end; ++q) {
    less_thresholds[q - begin] = -nearest_[q].Threshold();
    longest = std::max(longest, queries.norm(q));
    worst = std::max(worst, queries.error(q));
  }
  std::vector<uint32_t> selected(asked);
  for (size_t i = 0; i < rows.count(); ++i) {
    kernels::RoundedScores(dots.data() + i * asked, less_thresholds.data(), queries.scales().data() + begin,
                           2 * rows.scales()[i], asked, scores.data());
    const float doubt = 2 * (rows.error(i) * longest + (rows.norm(i) + rows.error(i)) * worst);
    float rest = 0;
    const size_t count = kernels::SelectAtMost(scores.data(), asked, doubt - block.lengths[i], selected.data(), &rest);
    for (size_t s = 0; s < count; ++s) {
      const size_t q = begin + selected[s];
      if (numbers[i] == own_rows_[q]) continue;
      float product = 0;
      kernels::DotRows(block.vectors.data() + i * width_, queries_->vectors.data() + q * width_, 1, width_, &product);
      const float score = block.lengths[i] - 2 * product;
      if (!(score <= nearest_[q].Threshold())) continue;
      nearest_[q].Offer(score, {numbers[i], {assignment[i], second_assignment[i]}});
      less_thresholds[selected[s]] = -nearest_[q].Threshold();
    }
  }
}

std::vector<std::vector<NearRow>> NeighbourLists::Take() {
  std::vector<std::vector<NearRow>> rows(nearest_.size());
  for (size_t q = 0; q < nearest_.size(); ++q) {
    const std::span<const float> query = std::span(queries_->vectors).subspan(q * width_, width_);
    float squared_length = 0;
    for (const float value : query) squared_length += value * value;
    for (const auto& item : nearest_[q].TakeSorted())
      rows[q].push_back({item.id.lists, std::max(0.0F, item.score + squared_length)});
  }
  queries_.reset();
  return rows;
}

}  // namespace s3v
