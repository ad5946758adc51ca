// Coding of residuals: sums of a residual, the fit of a code at a scale, the code itself, its bit planes.
//
// Trial fits are summed in float, since they are only compared with each other; what becomes a factor is summed in
// double.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/residual_codes.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <cmath>
#include <cstring>

#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using D64 = hn::ScalableTag<double>;
using V64 = hn::Vec<D64>;
using DN = hn::Rebind<float, D64>;  // as many floats as a vector holds doubles
using VN = hn::Vec<DN>;

ResidualSums SumResidual(const float* residual, size_t size) {
  const D64 d64;
  const DN dn;
  const size_t lanes = hn::Lanes(dn);
  V64 squares = hn::Zero(d64);
  V64 absolutes = squares;
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const V64 r = hn::PromoteTo(d64, hn::LoadU(dn, residual + i));
    squares = hn::MulAdd(r, r, squares);
    absolutes = hn::Add(absolutes, hn::Abs(r));
  }
  ResidualSums sums;
  sums.squares = hn::GetLane(hn::SumOfLanes(d64, squares));
  sums.absolutes = hn::GetLane(hn::SumOfLanes(d64, absolutes));
  for (; i < size; ++i) {
    const double r = residual[i];
    sums.squares += r * r;
    sums.absolutes += std::abs(r);
  }
  return sums;
}

void ScaledMagnitudes(const float* residual, size_t size, float scale, float* magnitudes) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V s = hn::Set(d, scale);
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    hn::StoreU(hn::Mul(hn::Abs(hn::LoadU(d, residual + i)), s), d, magnitudes + i);
  }
  for (; i < size; ++i) magnitudes[i] = std::abs(residual[i]) * scale;
}

CodeFit FitCode(const float* magnitudes, size_t size, float scale, float most) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V s = hn::Set(d, scale);
  const V top = hn::Set(d, most);
  const V half = hn::Set(d, 0.5f);
  V dot0 = hn::Zero(d), dot1 = dot0, squares0 = dot0, squares1 = dot0;
  size_t i = 0;
  for (; i + 2 * lanes <= size; i += 2 * lanes) {
    const V y0 = hn::LoadU(d, magnitudes + i);
    const V y1 = hn::LoadU(d, magnitudes + i + lanes);
    const V x0 = hn::Add(hn::Min(hn::Floor(hn::Mul(y0, s)), top), half);
    const V x1 = hn::Add(hn::Min(hn::Floor(hn::Mul(y1, s)), top), half);
    dot0 = hn::MulAdd(x0, y0, dot0);
    dot1 = hn::MulAdd(x1, y1, dot1);
    squares0 = hn::MulAdd(x0, x0, squares0);
    squares1 = hn::MulAdd(x1, x1, squares1);
  }
  CodeFit fit;
  fit.dot = hn::GetLane(hn::SumOfLanes(d, hn::Add(dot0, dot1)));
  fit.squares = hn::GetLane(hn::SumOfLanes(d, hn::Add(squares0, squares1)));
  for (; i < size; ++i) {
    const float x = std::min(std::floor(magnitudes[i] * scale), most) + 0.5f;
    fit.dot += x * magnitudes[i];
    fit.squares += x * x;
  }
  return fit;
}

CodeFit WriteCode(const float* residual, const float* magnitudes, size_t size, float scale, int bits, uint8_t* codes) {
  const int half = 1 << (bits - 1);
  const float most = static_cast<float>(half - 1);
  const D64 d64;
  const DN dn;
  const hn::Rebind<int32_t, DN> di;
  const hn::Rebind<uint8_t, DN> d8;
  const size_t lanes = hn::Lanes(dn);
  const VN s = hn::Set(dn, scale);
  const VN top = hn::Set(dn, most);
  V64 dot = hn::Zero(d64);
  V64 squares = dot;
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const VN y = hn::LoadU(dn, magnitudes + i);
    const VN level = hn::Min(hn::Floor(hn::Mul(y, s)), top);
    const V64 x = hn::PromoteTo(d64, hn::Add(level, hn::Set(dn, 0.5f)));
    const VN r = hn::LoadU(dn, residual + i);
    dot = hn::MulAdd(x, hn::PromoteTo(d64, hn::Abs(r)), dot);
    squares = hn::MulAdd(x, x, squares);
    const auto up = hn::ConvertTo(di, level);
    const auto down = hn::Sub(hn::Set(di, -1), up);
    const auto negative = hn::RebindMask(di, hn::Lt(r, hn::Zero(dn)));
    const auto code = hn::Add(hn::Set(di, half), hn::IfThenElse(negative, down, up));
    hn::StoreU(hn::DemoteTo(d8, code), d8, codes + i);
  }
  CodeFit fit;
  fit.dot = hn::GetLane(hn::SumOfLanes(d64, dot));
  fit.squares = hn::GetLane(hn::SumOfLanes(d64, squares));
  for (; i < size; ++i) {
    const float level = std::min(std::floor(magnitudes[i] * scale), most);
    const double x = level + 0.5;
    fit.dot += x * std::abs(residual[i]);
    fit.squares += x * x;
    const int up = static_cast<int>(level);
    codes[i] = static_cast<uint8_t>(half + (residual[i] < 0 ? -1 - up : up));
  }
  return fit;
}

void CutPlane(const uint8_t* bytes, size_t words, int bit, uint64_t* plane) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t w = 0; w < words; ++w) {
    uint64_t word = 0;
    for (size_t i = 0; i < 64; ++i) word |= static_cast<uint64_t>(bytes[64 * w + i] >> bit & 1) << i;
    plane[w] = word;
  }
#else
  const hn::ScalableTag<uint8_t> d8;
  const auto wanted = hn::Set(d8, static_cast<uint8_t>(1 << bit));
  for (size_t w = 0; w < words; ++w) {
    uint8_t word[8];
    for (size_t i = 0; i < 64; i += hn::Lanes(d8)) {
      hn::StoreMaskBits(d8, hn::TestBit(hn::LoadU(d8, bytes + 64 * w + i), wanted), word + i / 8);
    }
    std::memcpy(plane + w, word, sizeof word);
  }
#endif
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(SumResidual);
HWY_EXPORT(ScaledMagnitudes);
HWY_EXPORT(FitCode);
HWY_EXPORT(WriteCode);
HWY_EXPORT(CutPlane);

ResidualSums SumResidual(const float* residual, size_t size) {
  return HWY_DYNAMIC_DISPATCH(SumResidual)(residual, size);
}

void ScaledMagnitudes(const float* residual, size_t size, float scale, float* magnitudes) {
  HWY_DYNAMIC_DISPATCH(ScaledMagnitudes)(residual, size, scale, magnitudes);
}

CodeFit FitCode(const float* magnitudes, size_t size, float scale, float most) {
  return HWY_DYNAMIC_DISPATCH(FitCode)(magnitudes, size, scale, most);
}

CodeFit WriteCode(const float* residual, const float* magnitudes, size_t size, float scale, int bits, uint8_t* codes) {
  return HWY_DYNAMIC_DISPATCH(WriteCode)(residual, magnitudes, size, scale, bits, codes);
}

void CutPlane(const uint8_t* bytes, size_t words, int bit, uint64_t* plane) {
  HWY_DYNAMIC_DISPATCH(CutPlane)(bytes, words, bit, plane);
}

}  // namespace s3v::kernels
#endif
