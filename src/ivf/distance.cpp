#include "ivf/distance.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "ivf/kernels/kernels.h"

// Compiled with -ffp-contract=off (src/CMakeLists.txt): a fused multiply-add would give other bits on machines that
// have it.

namespace s3v {
namespace {

// Sums term(i) in eight interleaved accumulators, which a compiler may keep in vectors of any width without changing a
// bit.
template <class Term>
double SumInFixedOrder(size_t size, const Term& term) {
  double sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) sums[lane] += term(i + lane);
  }
  for (size_t lane = 0; i < size; ++i, ++lane) sums[lane] += term(i);
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

double Dot(std::span<const float> a, std::span<const float> b) {
  return SumInFixedOrder(a.size(), [&](size_t i) { return static_cast<double>(a[i]) * b[i]; });
}

double SquaredL2(std::span<const float> a, std::span<const float> b) {
  return SumInFixedOrder(a.size(), [&](size_t i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    return difference * difference;
  });
}

// Near 0 the difference 1 - cos has few digits left; half the squared distance of the unit vectors is the same number
// with all of them. Either way equal vectors give exactly 0.
double CosineDistance(std::span<const float> a, std::span<const float> b) {
  constexpr double kFewDigits = 1e-4;
  const double aa = Dot(a, a);
  const double bb = Dot(b, b);
  const double distance = 1.0 - Dot(a, b) / std::sqrt(aa * bb);
  if (distance > kFewDigits) return std::min(distance, 2.0);
  const double a_norm = std::sqrt(aa);
  const double b_norm = std::sqrt(bb);
  return 0.5 * SumInFixedOrder(a.size(), [&](size_t i) {
           const double difference = a[i] / a_norm - b[i] / b_norm;
           return difference * difference;
         });
}

float LoadUnaligned(const float* p) {
  float value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// True when dot products of these two, and all that is summed on the way, keep float's full precision.
bool FitsFloat(double query_norm, float row_norm) {
  const double product = query_norm * row_norm;
  return row_norm > 1e-30f && product > 1e-25 && product < 1e37;
}

float HeldToFloat(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMost, kMost));
}

// The score of one row by way of the exact distance.
float ExactScore(const ScoredQuery& query, const float* row) {
  std::vector<float> aligned(query.values.size());
  std::memcpy(aligned.data(), row, aligned.size() * sizeof(float));
  const double distance = query.metric == Metric::kL2 ? SquaredL2(query.values, aligned)
                                                      : ExactDistance(query.metric, query.values, aligned);
  return HeldToFloat(distance);
}

// Bound of the relative error of a float sum of n terms as the kernels form it (kernels/distance_rows.cpp): at least
// four partial sums, then a tree and a tail; 1 % more than the first-order theory (Higham, "Accuracy and
// Stability", 4.2) for the terms left out, and `roundings` for what else is rounded.
double SumError(size_t n, int roundings) {
  constexpr double kUnit = 0x1.0p-24;
  const double chain = static_cast<double>(n) / 4 + 32;
  return 1.01 * kUnit * (chain + roundings);
}

}  // namespace

double ExactDistance(Metric metric, std::span<const float> a, std::span<const float> b) {
  switch (metric) {
    case Metric::kCosine:
      return CosineDistance(a, b);
    case Metric::kL2:
      return std::sqrt(SquaredL2(a, b));
    case Metric::kInnerProduct:
      break;
  }
  return 0.0 - Dot(a, b);  // never -0
}

void ScoreRows(const ScoredQuery& query, const float* rows, const float* norms, size_t count, float* scores) {
  const size_t dim = query.values.size();
  if (query.metric == Metric::kL2) {
    kernels::SquaredL2Rows(query.values.data(), rows, count, dim, scores);
    for (size_t i = 0; i < count; ++i) {
      if (!std::isfinite(scores[i])) scores[i] = ExactScore(query, rows + i * dim);
    }
    return;
  }
  kernels::DotRows(query.values.data(), rows, count, dim, scores);
  for (size_t i = 0; i < count; ++i) {
    const float norm = LoadUnaligned(norms + i);
    if (!FitsFloat(query.norm, norm)) {
      scores[i] = ExactScore(query, rows + i * dim);
    } else if (query.metric == Metric::kCosine) {
      scores[i] = static_cast<float>(1.0 - scores[i] / (query.norm * norm));
    } else {
      scores[i] = 0.0f - scores[i];
    }
  }
}

double LowerBound(const ScoredQuery& query, float score, float row_norm) {
  const size_t dim = query.values.size();
  constexpr double kTiniest = std::numeric_limits<float>::denorm_min();
  switch (query.metric) {
    case Metric::kCosine:
      return std::max(0.0, score - SumError(dim, 8));
    case Metric::kL2:
      // Differences lose nothing but a rounding each, so the error is relative to the score itself; only squares below
      // float's range are lost.
      return std::sqrt(std::max(0.0, score * (1.0 - SumError(dim, 4)) - static_cast<double>(dim) * kTiniest));
    case Metric::kInnerProduct:
      break;
  }
  if (score <= std::numeric_limits<float>::lowest()) return -std::numeric_limits<double>::infinity();
  return score - SumError(dim, 4) * (query.norm * row_norm) - static_cast<double>(dim) * kTiniest;
}

double Norm(std::span<const float> values) { return std::sqrt(Dot(values, values)); }

bool AllFinite(std::span<const float> values) {
  // Infinity and NaN are the numbers whose exponent is all ones. No early exit: the loop then runs on whole vectors.
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t bad = 0;
  for (const float value : values) bad |= (std::bit_cast<uint32_t>(value) & kExponent) == kExponent ? 1u : 0u;
  return bad == 0;
}

}  // namespace s3v
