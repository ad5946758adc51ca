#include "ivf/kmeans.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "ivf/kernels/kernels.h"
#include "ivf/lloyd.h"

namespace s3v {
namespace {

// A greedy chain over `points`: starts at the one nearest to `from`, then always the nearest not yet visited.
std::vector<uint32_t> ChainOrder(std::span<const float> points, size_t width, std::span<const float> from, Stop& stop) {
  const size_t count = points.size() / width;
  std::vector<uint32_t> chain;
  std::vector<bool> visited(count, false);
  while (chain.size() < count) {
    stop.Check();
    const std::vector<float> distances = SquaredLengths(points, from);
    size_t nearest = count;
    for (size_t i = 0; i < count; ++i) {
      if (!visited[i] && (nearest == count || distances[i] < distances[nearest])) nearest = i;
    }
    visited[nearest] = true;
    chain.push_back(static_cast<uint32_t>(nearest));
    from = points.subspan(nearest * width, width);
  }
  return chain;
}

// Parts of `total` in proportion to the weights, whole numbers, by largest remainder (ties to the smaller index).
std::vector<size_t> Apportion(size_t total, std::span<const size_t> weights) {
  const size_t sum = std::accumulate(weights.begin(), weights.end(), size_t{0});
  std::vector<size_t> parts(weights.size(), 0);
  if (sum == 0) return parts;
  std::vector<std::pair<double, size_t>> remainders;
  size_t given = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double share = static_cast<double>(total) * static_cast<double>(weights[i]) / static_cast<double>(sum);
    parts[i] = static_cast<size_t>(share);
    given += parts[i];
    if (weights[i] > 0) remainders.emplace_back(static_cast<double>(parts[i]) - share, i);
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < total; ++i, ++given) ++parts[remainders[i % remainders.size()].second];
  return parts;
}

class Training {
 public:
  Training(std::span<const float> sample, size_t width, const TrainOptions& options, Stop& stop)
      : sample_(sample), width_(width), options_(options), stop_(stop), random_(options.seed) {}

  Centroids Run() {
    const size_t rows = width_ == 0 ? 0 : sample_.size() / width_;
    const size_t lists = std::clamp<size_t>(options_.lists, 1, std::max<size_t>(rows, 1));
    if (rows == 0) return OneListAtOrigin();
    TrainParents(rows, lists);
    TrainChildren(lists);
    return Ordered();
  }

 private:
  static constexpr size_t kRowsPerParent = 512;
  static constexpr size_t kFewRowsPerParent = 64;

  struct Parent {
    std::vector<uint32_t> rows;  // numbers in the sample
    std::vector<float> lists;    // count x width
    size_t count = 0;
    bool exhausted = false;  // has as many lists as it has distinct rows
  };

  Centroids OneListAtOrigin() const {
    return {.width = width_,
            .parents = std::vector<float>(width_, 0.0f),
            .first_list = {0, 1},
            .lists = std::vector<float>(width_, 0.0f)};
  }

  RowSet Rows(std::span<const uint32_t> numbers) const { return {sample_, width_, numbers}; }

  // Parents need fewer rows than their lists do: they are trained on a part of the sample, and moved to the means of
  // all of it once.
  void TrainParents(size_t rows, size_t lists) {
    const auto wanted = static_cast<size_t>(std::lround(std::sqrt(static_cast<double>(lists))));
    const size_t enough = std::min(kRowsPerParent * wanted, std::max(rows / 4, kFewRowsPerParent * wanted));
    const size_t part = std::min(rows, enough);
    std::vector<uint32_t> numbers(part);
    for (size_t i = 0; i < part; ++i) numbers[i] = static_cast<uint32_t>(i * rows / part);
    LloydResult trained = Lloyd(Rows(numbers), wanted, options_.iterations, options_.threads, random_, stop_);
    const std::vector<float> amid_rows = OriginOf(Rows(numbers));
    Centroids parents{.width = width_,
                      .parents = amid_rows,
                      .first_list = {0, static_cast<uint32_t>(trained.count)},
                      .lists = std::move(trained.centroids)};
    std::vector<uint32_t> assignment = AssignSample(parents);
    if (part < rows) {
      Refinement refinement(parents);
      constexpr size_t kRowsAtOnce = 1024;
      for (size_t i = 0; i < rows; i += kRowsAtOnce) {
        stop_.Check();
        const size_t count = std::min(kRowsAtOnce, rows - i);
        refinement.Add(sample_.subspan(i * width_, count * width_), std::span(assignment).subspan(i, count));
      }
      refinement.Apply(&parents);
      parents.parents = amid_rows;  // the mean of all rows may be far from them, and cost their products the digits
      assignment = AssignSample(parents);
    }
    std::vector<std::vector<uint32_t>> members(trained.count);
    for (size_t i = 0; i < rows; ++i) members[assignment[i]].push_back(static_cast<uint32_t>(i));
    for (size_t p = 0; p < trained.count; ++p) {
      if (members[p].empty()) continue;  // its rows are as near to another one
      const auto centroid = parents.lists.begin() + static_cast<ptrdiff_t>(p * width_);
      parent_centroids_.insert(parent_centroids_.end(), centroid, centroid + static_cast<ptrdiff_t>(width_));
      parents_.push_back({.rows = std::move(members[p]), .lists = {}});
    }
  }

  std::vector<uint32_t> AssignSample(const Centroids& centroids) {
    std::vector<uint32_t> assignment(sample_.size() / width_);
    Assign(centroids, sample_, {.parents_tried = 1, .threads = options_.threads}, assignment, {}, stop_);
    return assignment;
  }

  // Each parent gets one list, and of the others as many as its rows are in proportion. What parents of few distinct
  // rows cannot use goes to the rest, which are trained again with more.
  void TrainChildren(size_t lists) {
    std::vector<size_t> more = Apportion(lists - parents_.size(), UnexhaustedRows());
    for (size_t& part : more) ++part;
    for (;;) {
      size_t total = 0;
      for (size_t p = 0; p < parents_.size(); ++p) {
        if (more[p] > 0) TrainParent(&parents_[p], parents_[p].count + more[p]);
        total += parents_[p].count;
      }
      const std::vector<size_t> weights = UnexhaustedRows();
      if (total >= lists || std::all_of(weights.begin(), weights.end(), [](size_t rows) { return rows == 0; })) return;
      more = Apportion(lists - total, weights);
    }
  }

  void TrainParent(Parent* parent, size_t wanted) {
    LloydResult trained = Lloyd(Rows(parent->rows), wanted, options_.iterations, options_.threads, random_, stop_);
    parent->lists = std::move(trained.centroids);
    parent->count = trained.count;
    parent->exhausted = trained.count < wanted;
  }

  std::vector<size_t> UnexhaustedRows() const {
    std::vector<size_t> rows;
    rows.reserve(parents_.size());
    for (const Parent& parent : parents_) rows.push_back(parent.exhausted ? 0 : parent.rows.size());
    return rows;
  }

  // Takes parents and their lists into neighbour order.
  Centroids Ordered() {
    Centroids result;
    result.width = width_;
    result.first_list.push_back(0);
    std::vector<float> last(width_, 0.0f);
    for (const uint32_t p : ChainOrder(parent_centroids_, width_, last, stop_)) {
      const auto centroid = std::span<const float>(parent_centroids_).subspan(p * width_, width_);
      result.parents.insert(result.parents.end(), centroid.begin(), centroid.end());
      const std::vector<float>& lists = parents_[p].lists;
      for (const uint32_t list : ChainOrder(lists, width_, last, stop_)) {
        const auto listed = std::span(lists).subspan(list * width_, width_);
        last.assign(listed.begin(), listed.end());
        result.lists.insert(result.lists.end(), last.begin(), last.end());
      }
      result.first_list.push_back(result.first_list.back() + static_cast<uint32_t>(parents_[p].count));
    }
    return result;
  }

  const std::span<const float> sample_;
  const size_t width_;
  const TrainOptions& options_;
  Stop& stop_;
  Random random_;
  std::vector<float> parent_centroids_;
  std::vector<Parent> parents_;
};

}  // namespace

Centroids Train(std::span<const float> sample, size_t width, const TrainOptions& options, Stop& stop) {
  return Training(sample, width, options, stop).Run();
}

Refinement::Refinement(const Centroids& centroids)
    : width_(centroids.width), sums_(centroids.lists.size(), 0.0), counts_(centroids.list_count(), 0) {}

void Refinement::Add(std::span<const float> rows, std::span<const uint32_t> assignment) {
  for (size_t i = 0; i < assignment.size(); ++i) {
    const float* row = rows.data() + i * width_;
    kernels::AddToSums(row, width_, sums_.data() + assignment[i] * width_);
    ++counts_[assignment[i]];
  }
}

void Refinement::Apply(Centroids* centroids) const {
  std::vector<double> parent_sum(width_);
  for (size_t p = 0; p < centroids->parent_count(); ++p) {
    std::fill(parent_sum.begin(), parent_sum.end(), 0.0);
    uint64_t parent_rows = 0;
    for (size_t list = centroids->first_list[p]; list < centroids->first_list[p + 1]; ++list) {
      if (counts_[list] == 0) continue;
      parent_rows += counts_[list];
      for (size_t j = 0; j < width_; ++j) {
        const double sum = sums_[list * width_ + j];
        parent_sum[j] += sum;
        centroids->lists[list * width_ + j] = static_cast<float>(sum / static_cast<double>(counts_[list]));
      }
    }
    if (parent_rows == 0) continue;
    for (size_t j = 0; j < width_; ++j) {
      centroids->parents[p * width_ + j] = static_cast<float>(parent_sum[j] / static_cast<double>(parent_rows));
    }
  }
}

}  // namespace s3v
