#include "ivf/space.h"

#include <algorithm>
#include <cmath>

#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

void CopyScaled(std::span<const float> from, double factor, std::span<float> to) {
  kernels::ScaleInDouble(from.data(), from.size(), factor, to.data());
}

// `from` at the given length; a zero vector has no direction and stays zero.
void CopyAtLength(std::span<const float> from, double length, std::span<float> to) {
  const double norm = Norm(from);
  CopyScaled(from, norm > 0 ? length / norm : 0.0, to);
}

}  // namespace

void AssignmentSpace::PlaceRow(std::span<const float> row, std::span<float> out) const {
  switch (metric) {
    case Metric::kCosine:
      CopyAtLength(row, 1.0, out);
      return;
    case Metric::kL2:
      std::copy(row.begin(), row.end(), out.begin());
      return;
    case Metric::kInnerProduct:
      break;
  }
  const double norm = Norm(row);
  CopyScaled(row, norm > norm_limit ? norm_limit / norm : 1.0, out);
  const double kept = std::min(norm, norm_limit);
  out.back() = static_cast<float>(std::sqrt((norm_limit - kept) * (norm_limit + kept)));
}

void AssignmentSpace::PlaceQuery(std::span<const float> query, std::span<float> out) const {
  switch (metric) {
    case Metric::kCosine:
      CopyAtLength(query, 1.0, out);
      return;
    case Metric::kL2:
      std::copy(query.begin(), query.end(), out.begin());
      return;
    case Metric::kInnerProduct:
      break;
  }
  CopyAtLength(query, norm_limit, out);
  out.back() = 0.0f;
}

double AssignmentSpace::DistanceOfScore(double score, double query_norm) const {
  double squared = score;
  if (metric == Metric::kCosine) squared = 2 * score;
  if (metric == Metric::kInnerProduct) {
    // The row has the limit's length, and so has the query, unless it is zero.
    const double limit = norm_limit * norm_limit;
    squared = query_norm > 0 ? 2 * limit + 2 * score * norm_limit / query_norm : limit;
  }
  return std::sqrt(std::max(0.0, squared));
}

}  // namespace s3v
