// Assign: rows to lists, through the parents nearest to each.
#include <algorithm>
#include <limits>
#include <numeric>

#include "base/parallel.h"
#include "ivf/kernels/kernels.h"
#include "ivf/kmeans.h"
#include "ivf/lloyd.h"

namespace s3v {
namespace {

class Assigner {
 public:
  Assigner(const Centroids& centroids, size_t parents_tried)
      : centroids_(centroids),
        tried_(std::clamp<size_t>(parents_tried, 1, centroids.parent_count())),
        origin_(OriginOfParents()),
        parent_lengths_(SquaredLengths(centroids.parents, origin_)),
        list_lengths_(SquaredLengths(centroids.lists, origin_)) {}

  double multiply_adds_per_row() const {
    const double parents = static_cast<double>(centroids_.parent_count());
    const double lists = static_cast<double>(centroids_.list_count());
    return static_cast<double>(centroids_.width) * (parents + lists * static_cast<double>(tried_) / parents);
  }

  // distances may be empty.
  void Run(std::span<const float> rows, std::span<uint32_t> assignment, std::span<float> distances) const {
    const size_t width = centroids_.width;
    const size_t count = assignment.size();
    std::vector<float> centred(rows.size());
    for (size_t i = 0; i < count; ++i) Centre(rows.subspan(i * width, width), origin_, centred.data() + i * width);
    std::vector<float> best(count, std::numeric_limits<float>::max());
    std::fill(assignment.begin(), assignment.end(), 0u);

    const std::vector<std::vector<uint32_t>> trying = RowsByParent(centred, count);
    std::vector<float> gathered, products;
    for (size_t p = 0; p < centroids_.parent_count(); ++p) {
      const std::vector<uint32_t>& members = trying[p];
      const uint32_t first = centroids_.first_list[p];
      const uint32_t lists = centroids_.first_list[p + 1] - first;
      if (members.empty() || lists == 0) continue;
      gathered.resize(members.size() * width);
      for (size_t i = 0; i < members.size(); ++i) {
        std::copy_n(centred.data() + members[i] * width, width, gathered.data() + i * width);
      }
      products.resize(members.size() * lists);
      kernels::DotMatrix(gathered.data(), members.size(), centroids_.lists.data() + first * width, lists, width,
                         products.data(), lists);
      for (size_t i = 0; i < members.size(); ++i) {
        const uint32_t row = members[i];
        for (uint32_t l = 0; l < lists; ++l) {
          const float score = list_lengths_[first + l] - 2 * products[i * lists + l];
          if (score >= best[row]) continue;
          best[row] = score;
          assignment[row] = first + l;
        }
      }
    }
    for (size_t i = 0; i < distances.size(); ++i) {
      kernels::SquaredL2Rows(rows.data() + i * width, centroids_.lists.data() + assignment[i] * width, 1, width,
                             &distances[i]);
    }
  }

 private:
  std::vector<float> OriginOfParents() const {
    std::vector<uint32_t> all(centroids_.parent_count());
    std::iota(all.begin(), all.end(), 0u);
    return OriginOf({centroids_.parents, centroids_.width, all});
  }

  // For each parent the rows that try its lists, ascending.
  std::vector<std::vector<uint32_t>> RowsByParent(std::span<const float> centred, size_t count) const {
    const size_t parents = centroids_.parent_count();
    std::vector<std::vector<uint32_t>> trying(parents);
    if (tried_ == parents) {
      for (std::vector<uint32_t>& rows : trying) {
        rows.resize(count);
        std::iota(rows.begin(), rows.end(), 0u);
      }
      return trying;
    }
    std::vector<float> products(count * parents);
    kernels::DotMatrix(centred.data(), count, centroids_.parents.data(), parents, centroids_.width, products.data(),
                       parents);
    std::vector<std::pair<float, uint32_t>> ranked(parents);
    for (size_t row = 0; row < count; ++row) {
      for (uint32_t p = 0; p < parents; ++p) ranked[p] = {parent_lengths_[p] - 2 * products[row * parents + p], p};
      std::nth_element(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(tried_) - 1, ranked.end());
      for (size_t i = 0; i < tried_; ++i) trying[ranked[i].second].push_back(static_cast<uint32_t>(row));
    }
    return trying;
  }

  const Centroids& centroids_;
  const size_t tried_;
  const std::vector<float> origin_;
  const std::vector<float> parent_lengths_;  // squared, less the origin
  const std::vector<float> list_lengths_;
};

}  // namespace

void Assign(const Centroids& centroids, std::span<const float> rows, const AssignOptions& options,
            std::span<uint32_t> assignment, std::span<float> distances, Stop& stop) {
  const Assigner assigner(centroids, options.parents_tried);
  const size_t width = centroids.width;
  // Few of a chunk's rows try the same parent, and the product needs several to pay for bringing the lists into place.
  constexpr size_t kRows = 1024;
  ParallelFor(assignment.size(), RowsPerChunk(assigner.multiply_adds_per_row(), kRows), options.threads, stop,
              [&](size_t begin, size_t end) {
                assigner.Run(rows.subspan(begin * width, (end - begin) * width), assignment.subspan(begin, end - begin),
                             distances.empty() ? distances : distances.subspan(begin, end - begin));
              });
}

}  // namespace s3v
