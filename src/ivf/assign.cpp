// Rows to lists, through the parents nearest to each.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/parallel.h"
#include "ivf/kernels/kernels.h"
#include "ivf/kmeans.h"
#include "ivf/lloyd.h"
#include "ivf/rounded_rows.h"

namespace s3v {
namespace {

constexpr float kSoarLambda = 1;

// Few of a chunk's rows try the same parent, and the product needs several to pay for bringing the lists into place.
constexpr size_t kMostRows = 1024;

}  // namespace

class Assigner::Impl {
 public:
  Impl(const Centroids& centroids, const AssignOptions& options, Stop& stop)
      : centroids_(centroids),
        tried_(std::clamp<size_t>(options.parents_tried, 1, centroids.parent_count())),
        threads_(options.threads),
        origin_(OriginOfParents()),
        parent_lengths_(SquaredLengths(centroids.parents, origin_)),
        list_lengths_(SquaredLengths(centroids.lists, origin_)),
        parents_(Rounded(centroids.parents, stop)),
        lists_(Rounded(centroids.lists, stop)) {}

  int threads() const { return threads_; }
  size_t width() const { return centroids_.width; }
  size_t RowsAtOnce(double passes) const { return RowsPerChunk(passes * multiply_adds_per_row(), kMostRows); }

  // distances may be empty.
  void Run(std::span<const float> rows, std::span<uint32_t> assignment, std::span<float> distances) const {
    const auto centred = Centred(rows);
    const RoundedRows rounded({centred.get(), rows.size()}, width());
    NearestByTwoLooks nearest(rounded, 0, rounded.count(), lists_, list_lengths_);
    const std::vector<std::vector<uint32_t>> trying = RowsByParent(rounded);
    for (size_t p = 0; p < trying.size(); ++p) nearest.Look(trying[p], centroids_.first_list[p], ListsOf(p));
    std::fill(assignment.begin(), assignment.end(), 0u);
    nearest.Settle(
        [&](uint32_t row, uint32_t list) {
          float distance = 0;
          kernels::SquaredL2Rows(rows.data() + row * width(), Centroid(list).data(), 1, width(), &distance);
          return distance;
        },
        assignment);
    for (size_t i = 0; i < distances.size(); ++i) {
      kernels::SquaredL2Rows(rows.data() + i * width(), Centroid(assignment[i]).data(), 1, width(), &distances[i]);
    }
  }

  void RunTwice(std::span<const float> rows, std::span<uint32_t> first, std::span<uint32_t> second) const {
    const auto centred = Centred(rows);
    const std::vector<std::vector<uint32_t>> trying = RowsByParent(RoundedRows({centred.get(), rows.size()}, width()));
    std::fill(first.begin(), first.end(), 0u);
    Least nearest(first);
    std::vector<float> gathered, along;
    std::vector<std::vector<float>> products(centroids_.parent_count());  // both choices need them
    for (size_t p = 0; p < products.size(); ++p) {
      Multiply({centred.get(), rows.size()}, trying[p], p, gathered, products[p]);
      OfferLists(trying[p], p, products[p], nearest);
    }

    const Residuals residuals = ResidualsOf(rows, first);
    std::copy(first.begin(), first.end(), second.begin());
    Least best(second);
    for (size_t p = 0; p < products.size(); ++p) {
      Multiply(residuals.values, trying[p], p, gathered, along);
      OfferSecondLists(trying[p], p, products[p], along, residuals, first, best);
    }
  }

 private:
  double multiply_adds_per_row() const {
    const double parents = static_cast<double>(centroids_.parent_count());
    const double lists = static_cast<double>(centroids_.list_count());
    return static_cast<double>(centroids_.width) * (parents + lists * static_cast<double>(tried_) / parents);
  }

  // For each row the list of the least score so far; what was there before while there is none.
  struct Least {
    explicit Least(std::span<uint32_t> assigned)
        : lists(assigned), scores(assigned.size(), std::numeric_limits<float>::max()) {}

    void Offer(uint32_t row, uint32_t list, float score) {
      if (!(score < scores[row])) return;
      scores[row] = score;
      lists[row] = list;
    }

    std::span<uint32_t> lists;
    std::vector<float> scores;
  };

  // Rows less the first centroid of each.
  struct Residuals {
    std::vector<float> values;
    std::vector<float> inverse_lengths;  // 0 for a row that is its centroid
    std::vector<float> along_first;      // <r, r + first centroid>: less <r, centroid> it is <r, r'>
  };

  std::span<const float> Centroid(uint32_t list) const {
    return std::span(centroids_.lists).subspan(list * centroids_.width, centroids_.width);
  }

  size_t ListsOf(size_t parent) const { return centroids_.first_list[parent + 1] - centroids_.first_list[parent]; }

  std::unique_ptr<float[]> Centred(std::span<const float> rows) const {
    auto centred = std::make_unique_for_overwrite<float[]>(rows.size());
    for (size_t i = 0; i < rows.size(); i += centroids_.width) {
      Centre(rows.subspan(i, centroids_.width), origin_, centred.get() + i);
    }
    return centred;
  }

  // Row by row: there may be as many as fit into memory.
  RoundedRows Rounded(std::span<const float> rows, Stop& stop) const {
    const size_t width = centroids_.width;
    RoundedRows rounded(width == 0 ? 0 : rows.size() / width, width);
    std::vector<float> centred(width);
    for (size_t i = 0; i < rounded.count(); ++i) {
      if (i % 256 == 0) stop.Check();
      Centre(rows.subspan(i * width, width), origin_, centred.data());
      rounded.Set(i, centred.data());
    }
    return rounded;
  }

  // Products of the members among the rows with the parent's lists: members x lists.
  void Multiply(std::span<const float> rows, std::span<const uint32_t> members, size_t parent,
                std::vector<float>& gathered, std::vector<float>& products) const {
    const size_t width = centroids_.width;
    const size_t lists = ListsOf(parent);
    gathered.resize(members.size() * width);
    for (size_t i = 0; i < members.size(); ++i) {
      std::copy_n(rows.data() + members[i] * width, width, gathered.data() + i * width);
    }
    products.resize(members.size() * lists);
    kernels::DotMatrix(gathered.data(), members.size(), centroids_.lists.data() + centroids_.first_list[parent] * width,
                       lists, width, products.data(), lists);
  }

  // |x - c|^2 less what all lists of a row have in common.
  float Score(uint32_t list, float product) const { return list_lengths_[list] - 2 * product; }

  void OfferLists(std::span<const uint32_t> members, size_t parent, std::span<const float> products,
                  Least& nearest) const {
    const uint32_t first = centroids_.first_list[parent];
    const size_t lists = ListsOf(parent);
    for (size_t i = 0; i < members.size(); ++i) {
      const kernels::Nearest offered =
          kernels::NearestCentroid(products.data() + i * lists, list_lengths_.data() + first, lists);
      nearest.Offer(members[i], first + offered.centroid, offered.score);
    }
  }

  // `along` are the products of the residuals.
  void OfferSecondLists(std::span<const uint32_t> members, size_t parent, std::span<const float> products,
                        std::span<const float> along, const Residuals& residuals, std::span<const uint32_t> taken,
                        Least& best) const {
    const uint32_t first = centroids_.first_list[parent];
    const size_t lists = ListsOf(parent);
    for (size_t i = 0; i < members.size(); ++i) {
      const uint32_t row = members[i];
      for (uint32_t l = 0; l < lists; ++l) {
        if (first + l == taken[row]) continue;
        const float parallel = (residuals.along_first[row] - along[i * lists + l]) * residuals.inverse_lengths[row];
        const float loss = Score(first + l, products[i * lists + l]) + kSoarLambda * parallel * parallel;
        best.Offer(row, first + l, loss);
      }
    }
  }

  Residuals ResidualsOf(std::span<const float> rows, std::span<const uint32_t> first) const {
    const size_t width = centroids_.width;
    Residuals residuals{.values = std::vector<float>(rows.size()),
                        .inverse_lengths = std::vector<float>(first.size()),
                        .along_first = std::vector<float>(first.size())};
    for (size_t i = 0; i < first.size(); ++i) {
      float* residual = residuals.values.data() + i * width;
      Centre(rows.subspan(i * width, width), Centroid(first[i]), residual);
      float square = 0;
      float along = 0;
      kernels::DotRows(residual, residual, 1, width, &square);
      kernels::DotRows(residual, Centroid(first[i]).data(), 1, width, &along);
      residuals.inverse_lengths[i] = square > 0 ? 1 / std::sqrt(square) : 0;
      residuals.along_first[i] = square + along;
    }
    return residuals;
  }

  std::vector<float> OriginOfParents() const {
    std::vector<uint32_t> all(centroids_.parent_count());
    std::iota(all.begin(), all.end(), 0u);
    return OriginOf({centroids_.parents, centroids_.width, all});
  }

  // For each parent the rows that try its lists, ascending. Which parents are nearest need not be known exactly.
  std::vector<std::vector<uint32_t>> RowsByParent(const RoundedRows& rows) const {
    const size_t parents = centroids_.parent_count();
    std::vector<std::vector<uint32_t>> trying(parents);
    if (tried_ == parents) {
      for (std::vector<uint32_t>& all : trying) {
        all.resize(rows.count());
        std::iota(all.begin(), all.end(), 0u);
      }
      return trying;
    }
    std::vector<int32_t> dots(rows.count() * parents);
    if (rows.count() > 0)
      kernels::DotMatrixInt8(rows.row(0), rows.count(), parents_.row(0), parents, rows.stride(), dots.data());
    std::vector<float> scores(parents);
    std::vector<std::pair<float, uint32_t>> ranked(parents);
    for (size_t row = 0; row < rows.count(); ++row) {
      kernels::RoundedScores(dots.data() + row * parents, parent_lengths_.data(), parents_.scales().data(),
                             2 * rows.scales()[row], parents, scores.data());
      for (uint32_t p = 0; p < parents; ++p) ranked[p] = {scores[p], p};
      std::nth_element(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(tried_) - 1, ranked.end());
      for (size_t i = 0; i < tried_; ++i) trying[ranked[i].second].push_back(static_cast<uint32_t>(row));
    }
    return trying;
  }

  const Centroids& centroids_;
  const size_t tried_;
  const int threads_;
  const std::vector<float> origin_;
  const std::vector<float> parent_lengths_;  // squared, less the origin
  const std::vector<float> list_lengths_;
  const RoundedRows parents_;  // less the origin
  const RoundedRows lists_;
};

Assigner::Assigner(const Centroids& centroids, const AssignOptions& options, Stop& stop)
    : impl_(std::make_unique<const Impl>(centroids, options, stop)) {}
Assigner::~Assigner() = default;

void Assigner::Assign(std::span<const float> rows, std::span<uint32_t> assignment, std::span<float> distances,
                      Stop& stop) const {
  const size_t width = impl_->width();
  ParallelFor(assignment.size(), impl_->RowsAtOnce(1), impl_->threads(), stop, [&](size_t begin, size_t end) {
    impl_->Run(rows.subspan(begin * width, (end - begin) * width), assignment.subspan(begin, end - begin),
               distances.empty() ? distances : distances.subspan(begin, end - begin));
  });
}

void Assigner::AssignTwice(std::span<const float> rows, std::span<uint32_t> first, std::span<uint32_t> second,
                           Stop& stop) const {
  const size_t width = impl_->width();
  ParallelFor(first.size(), impl_->RowsAtOnce(2), impl_->threads(), stop, [&](size_t begin, size_t end) {
    impl_->RunTwice(rows.subspan(begin * width, (end - begin) * width), first.subspan(begin, end - begin),
                    second.subspan(begin, end - begin));
  });
}

void Assign(const Centroids& centroids, std::span<const float> rows, const AssignOptions& options,
            std::span<uint32_t> assignment, std::span<float> distances, Stop& stop) {
  Assigner(centroids, options, stop).Assign(rows, assignment, distances, stop);
}

void AssignTwice(const Centroids& centroids, std::span<const float> rows, const AssignOptions& options,
                 std::span<uint32_t> first, std::span<uint32_t> second, Stop& stop) {
  Assigner(centroids, options, stop).AssignTwice(rows, first, second, stop);
}

}  // namespace s3v
