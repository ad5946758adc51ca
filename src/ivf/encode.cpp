// Coding of residuals (codes.h).
//
// The best code of more than one bit is that of the scale whose rounded residual has the greatest cosine with the
// residual. The paper (arXiv 2409.09913, section 3.2) walks through every scale at which an element changes; trying a
// few scales around the two that bound the best one finds codes as good but for a thousandth (docs/design/codes.md).
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "ivf/codes.h"
#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

// Lengths between which a residual and its factors keep float's precision.
constexpr double kLeastLength = 1e-36;
constexpr double kMostLength = 1e38;

// The width of a step, in standard deviations, of the uniform quantizer with the least squared error for normal
// numbers: Max, "Quantizing for minimum distortion" (1960), table II; from 6 bits on computed the same way.
constexpr double kNormalStep[kMaxBits + 1] = {0, 0, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308};

struct ScaleSearch {
  const float* magnitudes;
  size_t size;
  float most;
  double best_scale = 1;
  double best_fit = 0;

  // Tries `trials` scales in geometric steps.
  void Try(double from, double to, int trials) {
    const double ratio = std::pow(to / from, 1.0 / (trials - 1));
    double scale = from;
    for (int i = 0; i < trials; ++i, scale *= ratio) {
      const kernels::CodeFit fit = kernels::FitCode(magnitudes, size, static_cast<float>(scale), most);
      const double squared_cosine = fit.dot * fit.dot / fit.squares;
      if (squared_cosine <= best_fit) continue;
      best_fit = squared_cosine;
      best_scale = scale;
    }
  }
};

// REQUIRES: the root of the magnitudes' mean square is 1.
float BestScale(const float* magnitudes, size_t size, int bits) {
  if (bits == 1) return 1;
  const float most = static_cast<float>((1 << (bits - 1)) - 1);
  // Of normal numbers; and the largest at which no element is cut off, which few dimensions or many bits prefer.
  const double normal = 1 / kNormalStep[bits];
  const double uncut = (most + 0.999) / kernels::LargestAbsolute(magnitudes, size);
  const double from = 0.8 * std::min(normal, uncut);
  const double to = 1.05 * std::max(normal, uncut);
  const int trials = size < 128 ? 16 : 8;
  ScaleSearch search{magnitudes, size, most};
  search.Try(from, to, trials);
  const double gap = std::pow(to / from, 1.0 / trials);
  search.Try(search.best_scale / gap, search.best_scale * gap, trials);
  return static_cast<float>(search.best_scale);
}

}  // namespace

void EncodeResidual(const CodeShape& shape, std::span<const float> residual, std::span<uint64_t> signs,
                    std::span<uint64_t> extension, SignFactors* sign_factors, CodeFactors* code_factors) {
  const size_t size = shape.dimensions;
  const size_t words = shape.words();
  assert(residual.size() == size && signs.size() == words && extension.size() * 8 == shape.extension_bytes());
  const kernels::ResidualSums sums = kernels::SumResidual(residual.data(), size);
  const double length = std::sqrt(sums.squares);
  const bool fits = length >= kLeastLength && length <= kMostLength;

  const auto magnitudes = std::make_unique_for_overwrite<float[]>(size);
  const auto codes = std::make_unique_for_overwrite<uint8_t[]>(64 * words);
  std::fill(codes.get() + size, codes.get() + 64 * words, uint8_t{0});
  const float to_unit = fits ? static_cast<float>(std::sqrt(static_cast<double>(size)) / length) : 0;
  float scale = 1;
  if (fits) {
    kernels::ScaledMagnitudes(residual.data(), size, to_unit, magnitudes.get());
    scale = BestScale(magnitudes.get(), size, shape.bits);
  } else {
    std::fill_n(magnitudes.get(), size, 0.0f);
  }
  const kernels::CodeFit fit =
      kernels::WriteCode(residual.data(), magnitudes.get(), size, scale, shape.bits, codes.get());
  kernels::CutPlane(codes.get(), words, shape.bits - 1, signs.data());
  for (int plane = 1; plane < shape.bits; ++plane) {
    kernels::CutPlane(codes.get(), words, shape.bits - 1 - plane, extension.data() + (plane - 1) * words);
  }

  if (!fits) {
    // Bounds are infinite for the one and for the other (ScoreTerms), but for a residual of nothing.
    const float norm = length < kLeastLength ? static_cast<float>(length) : std::numeric_limits<float>::infinity();
    *sign_factors = {norm, 0};
    if (shape.bits > 1) *code_factors = {0, 0};
    return;
  }
  *sign_factors = {static_cast<float>(length), static_cast<float>(sums.squares / (sums.absolutes / 2))};
  if (shape.bits == 1) return;
  const double squared_tangent = std::max(0.0, sums.squares / fit.dot * fit.squares / fit.dot - 1);
  const double error = size == 1 ? 0 : length * std::sqrt(squared_tangent / static_cast<double>(size - 1));
  *code_factors = {static_cast<float>(sums.squares / fit.dot), static_cast<float>(error)};
}

}  // namespace s3v
