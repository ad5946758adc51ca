// What a step of k-means does besides the dense product: choosing each row's centroid, and summing rows.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/clusters.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <limits>

#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using DI = hn::RebindToSigned<D>;

Nearest NearestCentroid(const float* products, const float* lengths, size_t count) {
  const D d;
  const DI di;
  const size_t lanes = hn::Lanes(d);
  Nearest nearest{.centroid = 0, .score = std::numeric_limits<float>::max()};
  size_t c = 0;
  if (count >= lanes) {
    const auto step = hn::Set(di, static_cast<int32_t>(lanes));
    auto numbers = hn::Iota(di, 0);
    auto best = hn::Zero(di);
    auto least = hn::Set(d, nearest.score);
    for (; c + lanes <= count; c += lanes, numbers = hn::Add(numbers, step)) {
      const auto product = hn::LoadU(d, products + c);
      const auto score = hn::Sub(hn::LoadU(d, lengths + c), hn::Add(product, product));
      const auto less = hn::Lt(score, least);
      least = hn::IfThenElse(less, score, least);
      best = hn::IfThenElse(hn::RebindMask(di, less), numbers, best);
    }
    // Of the lanes with the least score the smallest number; a lane that saw nothing less holds number 0.
    const auto all_least = hn::MinOfLanes(d, least);
    nearest.score = hn::GetLane(all_least);
    const auto has_it = hn::RebindMask(di, hn::Eq(least, all_least));
    const auto none = hn::Set(di, std::numeric_limits<int32_t>::max());
    nearest.centroid = static_cast<uint32_t>(hn::GetLane(hn::MinOfLanes(di, hn::IfThenElse(has_it, best, none))));
  }
  for (; c < count; ++c) {
    const float score = lengths[c] - 2 * products[c];
    if (score < nearest.score) nearest = {.centroid = static_cast<uint32_t>(c), .score = score};
  }
  return nearest;
}

void AddToSums(const float* values, size_t count, double* sums) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, sums + i), hn::PromoteTo(d, hn::LoadU(df, values + i))), d, sums + i);
  }
  for (; i < count; ++i) sums[i] += values[i];
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(NearestCentroid);
HWY_EXPORT(AddToSums);

Nearest NearestCentroid(const float* products, const float* lengths, size_t count) {
  return HWY_DYNAMIC_DISPATCH(NearestCentroid)(products, lengths, count);
}

void AddToSums(const float* values, size_t count, double* sums) {
  HWY_DYNAMIC_DISPATCH(AddToSums)(values, count, sums);
}

}  // namespace s3v::kernels
#endif
