#include "ivf/distance.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "ivf/kernels/kernels.h"

// Compiled with -ffp-contract=off (src/CMakeLists.txt): a fused multiply-add would give other bits on machines that
// have it.

namespace s3v {
namespace {

double Dot(std::span<const float> a, std::span<const float> b) {
  return kernels::DotInDouble(a.data(), b.data(), a.size());
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
  double sums[8] = {};
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] / a_norm - b[i] / b_norm;
    sums[i % 8] += difference * difference;
  }
  return 0.5 * (((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])));
}

}  // namespace

double ExactDistance(Metric metric, std::span<const float> a, std::span<const float> b) {
  switch (metric) {
    case Metric::kCosine:
      return CosineDistance(a, b);
    case Metric::kL2:
      return std::sqrt(kernels::SquaredL2InDouble(a.data(), b.data(), a.size()));
    case Metric::kInnerProduct:
      break;
  }
  return 0.0 - Dot(a, b);  // never -0
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
