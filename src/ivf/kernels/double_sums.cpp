// Sums in double over floats, the same bits on every machine: what distances and lengths are made of.
//
// Compiled with -ffp-contract=off (src/CMakeLists.txt): a fused multiply-add would give other bits on machines that
// have it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/double_sums.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Term i goes to accumulator i % 8, however many of them a vector holds.
constexpr size_t kAccumulators = 8;
using D = hn::CappedTag<double, kAccumulators>;
using DF = hn::Rebind<float, D>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());
constexpr size_t kVectors = kAccumulators / kLanes;

V Load(const float* values) { return hn::PromoteTo(D(), hn::LoadU(DF(), values)); }

struct DotTerm {
  static V Of(V a, V b) { return hn::Mul(a, b); }
  static double Of(double a, double b) { return a * b; }
};

struct SquaredL2Term {
  static V Of(V a, V b) {
    const V difference = hn::Sub(a, b);
    return hn::Mul(difference, difference);
  }
  static double Of(double a, double b) { return (a - b) * (a - b); }
};

template <class Term>
double Sum(const float* a, const float* b, size_t size) {
  V vectors[kVectors];
  for (V& vector : vectors) vector = hn::Zero(D());
  size_t i = 0;
  for (; i + kAccumulators <= size; i += kAccumulators) {
    for (size_t v = 0; v < kVectors; ++v) {
      vectors[v] = hn::Add(vectors[v], Term::Of(Load(a + i + v * kLanes), Load(b + i + v * kLanes)));
    }
  }
  double sums[kAccumulators];
  for (size_t v = 0; v < kVectors; ++v) hn::StoreU(vectors[v], D(), sums + v * kLanes);
  for (size_t lane = 0; i < size; ++i, ++lane) sums[lane] += Term::Of(double{a[i]}, double{b[i]});
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

double DotInDouble(const float* a, const float* b, size_t size) { return Sum<DotTerm>(a, b, size); }
double SquaredL2InDouble(const float* a, const float* b, size_t size) { return Sum<SquaredL2Term>(a, b, size); }

void ScaleInDouble(const float* values, size_t size, double factor, float* scaled) {
  const V by = hn::Set(D(), factor);
  size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    hn::StoreU(hn::DemoteTo(DF(), hn::Mul(Load(values + i), by)), DF(), scaled + i);
  }
  for (; i < size; ++i) scaled[i] = static_cast<float>(values[i] * factor);
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(DotInDouble);
HWY_EXPORT(SquaredL2InDouble);
HWY_EXPORT(ScaleInDouble);

double DotInDouble(const float* a, const float* b, size_t size) {
  return HWY_DYNAMIC_DISPATCH(DotInDouble)(a, b, size);
}

double SquaredL2InDouble(const float* a, const float* b, size_t size) {
  return HWY_DYNAMIC_DISPATCH(SquaredL2InDouble)(a, b, size);
}

void ScaleInDouble(const float* values, size_t size, double factor, float* scaled) {
  HWY_DYNAMIC_DISPATCH(ScaleInDouble)(values, size, factor, scaled);
}

}  // namespace s3v::kernels
#endif
