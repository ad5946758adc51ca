#include "ivf/lloyd.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <numeric>
#include <string_view>
#include <unordered_set>

#include "base/parallel.h"
#include "ivf/kernels/kernels.h"
#include "ivf/rounded_rows.h"

namespace s3v {
namespace {

std::string_view BytesOf(std::span<const float> row) {
  return {reinterpret_cast<const char*>(row.data()), row.size_bytes()};
}

// Up to `wanted` distinct rows, drawn at random.
std::vector<uint32_t> DrawDistinct(const RowSet& rows, size_t wanted, Random& random, Stop& stop) {
  std::vector<uint32_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0u);
  std::unordered_set<std::string_view> seen;
  size_t drawn = 0;
  for (size_t i = 0; i < order.size() && drawn < wanted; ++i) {
    if (i % 1024 == 0) stop.Check();
    std::swap(order[i], order[i + random.Below(order.size() - i)]);
    if (seen.insert(BytesOf(rows.row(order[i]))).second) order[drawn++] = order[i];
  }
  order.resize(drawn);
  return order;
}

// Rows by cluster: those of cluster c are numbers[first[c]..first[c + 1]), ascending.
struct Clusters {
  std::vector<uint32_t> first;
  std::vector<uint32_t> numbers;

  size_t count() const { return first.size() - 1; }
  size_t size(size_t c) const { return first[c + 1] - first[c]; }
  std::span<const uint32_t> members(size_t c) const { return std::span(numbers).subspan(first[c], size(c)); }
};

Clusters GroupByCluster(std::span<const uint32_t> assignment, size_t count) {
  Clusters clusters;
  clusters.first.assign(count + 1, 0);
  for (const uint32_t c : assignment) ++clusters.first[c + 1];
  std::partial_sum(clusters.first.begin(), clusters.first.end(), clusters.first.begin());
  clusters.numbers.resize(assignment.size());
  std::vector<uint32_t> next(clusters.first.begin(), clusters.first.end() - 1);
  for (size_t i = 0; i < assignment.size(); ++i) clusters.numbers[next[assignment[i]]++] = static_cast<uint32_t>(i);
  return clusters;
}

class LloydRun {
 public:
  LloydRun(const RowSet& rows, int threads, Random& random, Stop& stop)
      : rows_(rows),
        threads_(threads),
        random_(random),
        stop_(stop),
        origin_(OriginOf(rows)),
        centred_(std::make_unique_for_overwrite<float[]>(rows.size() * rows.width)),
        rounded_(rows.size(), rows.width) {
    ParallelFor(rows.size(), kRowsAtOnce, threads, stop, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        Centre(rows.row(i), origin_, Row(i));
        rounded_.Set(i, Row(i));
      }
    });
  }

  LloydResult Run(size_t wanted, int iterations) {
    const std::vector<uint32_t> seeds = DrawDistinct(rows_, wanted, random_, stop_);
    count_ = seeds.size();
    centroids_.resize(count_ * rows_.width);
    for (size_t c = 0; c < count_; ++c) PlaceAtRow(c, seeds[c]);

    assignment_.assign(rows_.size(), 0);
    for (int i = 0; i < iterations; ++i) {
      const bool changed = AssignRows();
      if (i > 0 && !changed) break;
      Clusters clusters = GroupByCluster(assignment_, count_);
      MoveToMeans(clusters);
      FillEmpty(clusters);
    }
    AssignRows();
    for (int round = 0; round < kLastRepairs && FillEmpty(GroupByCluster(assignment_, count_)); ++round) AssignRows();
    DropEmpty();

    LloydResult result{.centroids = std::move(centroids_), .assignment = std::move(assignment_), .count = count_};
    for (size_t i = 0; i < result.centroids.size(); ++i) {
      float& value = result.centroids[i];
      const float origin = origin_[i % rows_.width];
      // Squares of rows near float's limit overflow; such lists are poor, but numbers.
      value = std::isfinite(value + origin) ? value + origin : origin;
    }
    return result;
  }

 private:
  // Repairs after the last iteration. Each puts a centroid on a row, which then is that centroid's; only rows that
  // other repairs take away can leave it empty once more.
  static constexpr int kLastRepairs = 4;
  static constexpr size_t kRowsAtOnce = 256;

  float* Row(size_t i) { return centred_.get() + i * rows_.width; }

  std::span<float> centroid(size_t c) { return std::span(centroids_).subspan(c * rows_.width, rows_.width); }

  void PlaceAtRow(size_t c, uint32_t row) { std::copy_n(Row(row), rows_.width, centroid(c).data()); }

  // The nearest centroid of each row: the least |c|^2 - 2 x.c. True if any row moved.
  bool AssignRows() {
    const std::vector<float> lengths = SquaredLengths(centroids_, std::vector<float>(rows_.width, 0.0f));
    const RoundedRows rounded_centroids(centroids_, rows_.width);
    const size_t chunk = RowsPerChunk(static_cast<double>(count_ * rows_.width), kRowsAtOnce);
    std::atomic<bool> changed = false;
    ParallelFor(rows_.size(), chunk, threads_, stop_, [&](size_t begin, size_t end) {
      NearestByTwoLooks looks(rounded_, begin, end, rounded_centroids, lengths);
      looks.LookAtAll();
      std::vector<uint32_t> nearest(end - begin, 0);
      looks.Settle(
          [&](uint32_t row, uint32_t c) {
            float distance = 0;
            kernels::SquaredL2Rows(Row(begin + row), centroid(c).data(), 1, rows_.width, &distance);
            return distance;
          },
          nearest);
      const auto before = assignment_.begin() + static_cast<ptrdiff_t>(begin);
      if (!std::equal(nearest.begin(), nearest.end(), before)) changed = true;
      std::copy(nearest.begin(), nearest.end(), before);
    });
    return changed;
  }

  // A thread sums some columns of all rows in their order, so that the number of threads changes no bit.
  void MoveToMeans(const Clusters& clusters) {
    constexpr size_t kElements = 4u << 20;
    const size_t a_share = rows_.width / static_cast<size_t>(std::max(threads_, 1)) + 1;
    const size_t columns = std::max<size_t>(std::min(kElements / std::max<size_t>(rows_.size(), 1), a_share), 16);
    ParallelFor(rows_.width, columns, threads_, stop_, [&](size_t begin, size_t end) {
      const size_t width = end - begin;
      std::vector<double> sums(count_ * width, 0.0);
      for (size_t i = 0; i < rows_.size(); ++i)
        kernels::AddToSums(Row(i) + begin, width, sums.data() + assignment_[i] * width);
      for (size_t c = 0; c < count_; ++c) {
        if (clusters.size(c) == 0) continue;
        const auto members = static_cast<double>(clusters.size(c));
        for (size_t j = 0; j < width; ++j) centroid(c)[begin + j] = static_cast<float>(sums[c * width + j] / members);
      }
    });
  }

  // Puts each empty cluster on a row of the cluster that is then the largest, the farther from its centroid the
  // likelier. True if any was filled.
  bool FillEmpty(const Clusters& clusters) {
    std::vector<size_t> sizes(count_);
    for (size_t c = 0; c < count_; ++c) sizes[c] = clusters.size(c);
    bool filled = false;
    for (size_t empty = 0; empty < count_; ++empty) {
      if (clusters.size(empty) > 0) continue;
      for (;;) {
        const size_t largest = static_cast<size_t>(std::max_element(sizes.begin(), sizes.end()) - sizes.begin());
        if (sizes[largest] < 2) return filled;
        uint32_t row = 0;
        if (DrawFarRow(largest, clusters.members(largest), &row)) {
          PlaceAtRow(empty, row);
          sizes[empty] = sizes[largest] / 2;
          sizes[largest] -= sizes[empty];
          filled = true;
          break;
        }
        sizes[largest] = 0;  // all its rows are equal: nothing to split
      }
    }
    return filled;
  }

  bool DrawFarRow(size_t c, std::span<const uint32_t> members, uint32_t* row) {
    std::vector<double> distances(members.size());
    double total = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      if (i % 1024 == 0) stop_.Check();
      float distance = 0;
      kernels::SquaredL2Rows(centroid(c).data(), Row(members[i]), 1, rows_.width, &distance);
      total += distances[i] = distance;
    }
    double drawn = random_.Unit() * total;
    for (size_t i = 0; i < members.size() && drawn >= 0; ++i) {
      if (distances[i] == 0) continue;
      *row = members[i];
      drawn -= distances[i];
    }
    return total > 0;
  }

  void DropEmpty() {
    const Clusters clusters = GroupByCluster(assignment_, count_);
    std::vector<uint32_t> renumbered(count_);
    uint32_t kept = 0;
    for (size_t c = 0; c < count_; ++c) {
      if (clusters.size(c) == 0) continue;
      std::copy_n(centroid(c).begin(), rows_.width, centroid(kept).begin());
      renumbered[c] = kept++;
    }
    for (uint32_t& c : assignment_) c = renumbered[c];
    count_ = kept;
    centroids_.resize(count_ * rows_.width);
  }

  const RowSet& rows_;
  const int threads_;
  Random& random_;
  Stop& stop_;
  const std::vector<float> origin_;
  const std::unique_ptr<float[]> centred_;  // the rows less the origin, in the order of the set
  RoundedRows rounded_;
  size_t count_ = 0;
  std::vector<float> centroids_;  // less the origin
  std::vector<uint32_t> assignment_;
};

}  // namespace

std::vector<float> OriginOf(const RowSet& rows) {
  constexpr size_t kMostRows = 101;
  const size_t step = std::max<size_t>((rows.size() + kMostRows - 1) / kMostRows, 1);
  const size_t taken = (rows.size() + step - 1) / step;
  std::vector<float> origin(rows.width, 0.0f);
  if (taken == 0) return origin;
  std::vector<float> column(taken);
  const auto middle = column.begin() + static_cast<ptrdiff_t>(taken / 2);
  for (size_t j = 0; j < rows.width; ++j) {
    for (size_t i = 0; i < taken; ++i) column[i] = rows.row(i * step)[j];
    std::nth_element(column.begin(), middle, column.end());
    origin[j] = *middle;
  }
  return origin;
}

void Centre(std::span<const float> row, std::span<const float> origin, float* out) {
  kernels::Subtract(row.data(), origin.data(), row.size(), out);
}

std::vector<float> SquaredLengths(std::span<const float> matrix, std::span<const float> origin) {
  const size_t width = origin.size();
  std::vector<float> lengths(width == 0 ? 0 : matrix.size() / width);
  kernels::SquaredL2Rows(origin.data(), matrix.data(), lengths.size(), width, lengths.data());
  return lengths;
}

size_t RowsPerChunk(double multiply_adds_per_row, size_t most) {
  constexpr double kMultiplyAdds = 3e8;
  return static_cast<size_t>(std::clamp(kMultiplyAdds / multiply_adds_per_row, 64.0, static_cast<double>(most)));
}

LloydResult Lloyd(const RowSet& rows, size_t wanted, int iterations, int threads, Random& random, Stop& stop) {
  return LloydRun(rows, threads, random, stop).Run(std::max<size_t>(wanted, 1), iterations);
}

}  // namespace s3v
