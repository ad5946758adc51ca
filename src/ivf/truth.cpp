#include "ivf/truth.h"

#include <algorithm>
#include <cmath>

#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

constexpr size_t kBlock = 128;

double DistanceFrom(Metric metric, double dot, double query_norm, double row_norm) {
  switch (metric) {
    case Metric::kCosine:
      return 1 - dot / (query_norm * row_norm);
    case Metric::kL2:
      return std::sqrt(std::max(0.0, query_norm * query_norm + row_norm * row_norm - 2 * dot));
    case Metric::kInnerProduct:
      break;
  }
  return -dot;
}

// True when a float product of vectors of these lengths keeps its precision.
bool FitsFloat(double a_norm, double b_norm) {
  const double product = a_norm * b_norm;
  return product > 1e-25 && product < 1e37;
}

}  // namespace

Truth::Truth(Metric metric, size_t dimensions, std::span<const float> queries, std::vector<std::string> own_keys,
             size_t k)
    : metric_(metric),
      dimensions_(dimensions),
      k_(k),
      queries_(queries.begin(), queries.end()),
      own_keys_(std::move(own_keys)),
      nearest_(own_keys_.size()) {
  for (size_t q = 0; q < own_keys_.size(); ++q)
    query_norms_.push_back(Norm(queries.subspan(q * dimensions, dimensions)));
  rows_.reserve(kBlock * dimensions);
}

void Truth::Add(std::string_view key, std::span<const float> row) {
  rows_.insert(rows_.end(), row.begin(), row.end());
  keys_.emplace_back(key);
  if (keys_.size() == kBlock) Flush();
}

std::vector<double> Truth::Nearest(size_t query) {
  Flush();
  std::vector<double> distances = nearest_[query];
  std::ranges::sort(distances);
  return distances;
}

void Truth::Flush() {
  const size_t queries = own_keys_.size();
  products_.resize(keys_.size() * queries);
  kernels::DotMatrix(rows_.data(), keys_.size(), queries_.data(), queries, dimensions_, products_.data(), queries);
  // A sum of n products in order is off by at most n unit roundoffs of the vectors' lengths (Higham, 3.1), and a tenth
  // for what is rounded besides.
  const double relative_error = 1.1 * 0x1.0p-24 * (static_cast<double>(dimensions_) + 8);
  for (size_t i = 0; i < keys_.size(); ++i) {
    const auto row = std::span<const float>(rows_).subspan(i * dimensions_, dimensions_);
    const double norm = Norm(row);
    for (size_t q = 0; q < queries; ++q) {
      std::vector<double>& nearest = nearest_[q];
      if (keys_[i] == own_keys_[q]) continue;
      if (nearest.size() == k_ && FitsFloat(query_norms_[q], norm)) {
        const double dot = products_[i * queries + q];
        const double most = dot + relative_error * query_norms_[q] * norm;
        if (DistanceFrom(metric_, most, query_norms_[q], norm) > nearest.front()) continue;
      }
      const double distance = ExactDistance(metric_, std::span(queries_).subspan(q * dimensions_, dimensions_), row);
      if (nearest.size() == k_) {
        if (distance >= nearest.front()) continue;
        std::ranges::pop_heap(nearest);
        nearest.pop_back();
      }
      nearest.push_back(distance);
      std::ranges::push_heap(nearest);
    }
  }
  rows_.clear();
  keys_.clear();
}

}  // namespace s3v
