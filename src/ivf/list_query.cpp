// A query against the entries of one list (codes.h; docs/design/codes.md derives the bounds).
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "ivf/codes.h"
#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

// Four integers of more bits do not sum to 16; no estimate can tell the difference.
constexpr int kMostQueryBits = 15;
constexpr int kBitsOfOneByteSums = 7;

// Lengths of which float holds squares: of v, and of residuals, whose errors may be a millionth of them.
constexpr double kLeastLength = 1e-18;
constexpr double kMostLength = 1e18;
constexpr double kLeastResidual = 1e-12;
constexpr double kLeastElement = 1e-30;
constexpr double kMostScore = 1e37;
constexpr double kTiniestScore = 1e-36;  // below it float loses digits

constexpr double kUnit = 0x1.0p-24;  // float's relative rounding
// A rotated vector's distance from the exact one, relative to its length; tests/ivf/rotation_test.cpp.
constexpr double kRotationError = 1e-6;
// Of a cosine score, for rows and queries within 1e-6 of unit length.
constexpr double kUnitLengthError = 4.3e-6;
// The variance of the sign plane's estimate is a difference, whose rounding must not make it too small.
constexpr double kVarianceError = 0x1.0p-20;

// Of scores, how often <r, v> counts in it.
double InnerWeight(Metric metric) { return metric == Metric::kL2 ? 2 : 1; }

double SquaredNormWeight(Metric metric) {
  switch (metric) {
    case Metric::kL2:
      return 1;
    case Metric::kCosine:
      return 0.5;
    case Metric::kInnerProduct:
      break;
  }
  return 0;
}

float ToFloat(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return std::isnan(value) ? 0 : static_cast<float>(std::clamp(value, -kMost, kMost));
}

}  // namespace

ListQuery::ListQuery(const CodeShape& shape, Metric metric, int query_bits)
    : shape_(shape), metric_(metric), query_bits_(std::min(query_bits, kMostQueryBits)) {
  assert(shape.dimensions >= 1 && shape.bits >= 1 && shape.bits <= kMaxBits && query_bits >= 4 && query_bits <= 16);
  const size_t padded = 64 * shape.words();
  sum_bytes_ = query_bits_ <= kBitsOfOneByteSums ? 1 : 2;
  code_kernel_ = kernels::CodeKernelFor(shape.bits, query_bits_ > 8);
  values_.resize(shape.dimensions);
  integers_.resize(padded);
  low_.resize(padded);
  high_.resize(padded);
  sign_tables_.resize(shape.words() * kernels::SignTableBytes(sum_bytes_));
}

void ListQuery::Set(std::span<const float> query, std::span<const float> centroid) {
  assert(query.size() == shape_.dimensions && centroid.size() == shape_.dimensions);
  const float* values = query.data();
  if (metric_ != Metric::kInnerProduct) {
    kernels::Subtract(query.data(), centroid.data(), shape_.dimensions, values_.data());
    values = values_.data();
  }
  const kernels::QuerySums sums = kernels::SumQuery(query.data(), centroid.data(), values, shape_.dimensions);
  const double most = (1 << (query_bits_ - 1)) - 1;
  const float to_integers = static_cast<float>(most / std::max(sums.largest, kLeastElement));
  double step = 0;
  if (std::isfinite(sums.value_squares)) {
    step = 1 / double{to_integers};
    element_sum_ =
        kernels::QuantizeValues(values, shape_.dimensions, to_integers, integers_.data(), low_.data(), high_.data());
  } else {
    element_sum_ = 0;
    for (auto* bytes : {&low_, &high_}) std::fill(bytes->begin(), bytes->end(), int8_t{0});
    std::fill(integers_.begin(), integers_.end(), int16_t{0});
  }
  sign_base_ = kernels::BuildSignTables(integers_.data(), shape_.words(), sum_bytes_, sign_tables_.data());
  SetTerms(sums, step);
}

void ListQuery::SetTerms(const kernels::QuerySums& sums, double step) {
  const double d = static_cast<double>(shape_.dimensions);
  const double norm = std::sqrt(sums.value_squares);
  const double query_norm = std::sqrt(sums.query_squares);
  const double centroid_norm = std::sqrt(sums.centroid_squares);
  const double weight = SquaredNormWeight(metric_);
  const double constant = metric_ == Metric::kInnerProduct ? -sums.dot : weight * sums.value_squares;
  terms_ = {};
  terms_.constant = ToFloat(constant);
  terms_.squared_norm_weight = static_cast<float>(weight);
  terms_.half_step = ToFloat(InnerWeight(metric_) * step / 2);
  terms_.element_sum = element_sum_;
  const bool norm_fits = norm == 0 || (norm >= kLeastLength && norm <= kMostLength);
  if (!norm_fits || !(query_norm <= kMostLength) || !(centroid_norm <= kMostLength)) return;  // no bound holds
  terms_.least_norm = static_cast<float>(kLeastResidual);
  terms_.most_norm = static_cast<float>(kMostLength);
  terms_.most = static_cast<float>(kMostScore);

  // The code is off by a vector at right angles to r, of length |r| tan, in a random direction of d - 1; the quantized
  // query by step / sqrt(12) in each element, times scale |x|. Of the sign plane |x|^2 = d / 4 and
  // |r|^2 tan^2 = scale^2 |x|^2 - |r|^2; of the code (d - 1) error^2 = |r|^2 tan^2. One dimension has neither error.
  terms_.deviation = static_cast<float>(InnerWeight(metric_) * norm);
  if (d > 1 && norm > 0) {
    const double query_variance = step / norm * step / norm / 12;
    terms_.sign_scale_variance = static_cast<float>(d / 4 * ((1 + kVarianceError) / (d - 1) + query_variance));
    terms_.sign_norm_variance = static_cast<float>(1 / (d - 1));
    terms_.code_error_variance = static_cast<float>(1 + (d - 1) * query_variance);
    terms_.code_norm_variance = static_cast<float>(query_variance);
  }

  // Rounding. A distance between vectors that are each off by e is off by 2 e, its square by 2 e (2 distance + 2 e);
  // the distance is at most |v| + |r|, and e is kRotationError of |q| or of |c| + |r|.
  constexpr double kError = kRotationError;
  double slack = 4 * kUnit * std::abs(constant) + kTiniestScore;
  double slack_of_norm = 2 * kError * query_norm;
  if (metric_ == Metric::kInnerProduct) {
    slack += 2 * kError * query_norm * centroid_norm;
  } else {
    const double reach = query_norm + centroid_norm;
    slack += weight * 2 * kError * reach * (norm + kError * reach);
    slack_of_norm = weight * 2 * kError * (reach + norm);
  }
  if (metric_ == Metric::kCosine) slack += kUnitLengthError;
  terms_.slack = static_cast<float>(slack);
  terms_.slack_of_norm = static_cast<float>(slack_of_norm);
  terms_.slack_of_square = static_cast<float>(weight * (2 * kError + 8 * kUnit));
  terms_.slack_of_inner = static_cast<float>(16 * kUnit);
}

void ListQuery::ScoreSigns(const uint8_t* plane, const float* norms, const float* scales, size_t count, double sigmas,
                           float* lower_bounds, float* upper_bounds, int32_t* sign_sums) {
  kernels::SumSigns(sign_tables_.data(), sum_bytes_, plane, shape_.words(), count, sign_base_, sign_sums);
  kernels::BoundBySigns(terms_, static_cast<float>(sigmas), norms, scales, sign_sums, count, lower_bounds,
                        upper_bounds);
}

ListQuery::Estimate ListQuery::ScoreCode(int32_t sign_sum, const uint8_t* extension, float residual_norm,
                                         const CodeFactors& factors, double sigmas) const {
  const kernels::QuantizedQuery query{integers_.data(), low_.data(), high_.data(), shape_.words()};
  const kernels::CodeEntry entry{sign_sum, extension, residual_norm, factors.scale, factors.error};
  const kernels::CodeScore score = code_kernel_(terms_, static_cast<float>(sigmas), query, entry);
  return {score.score, score.lower_bound, score.upper_bound};
}

}  // namespace s3v
