// Which of many values are small enough to be looked at again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/select.cpp"
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

// Most vectors hold nothing that is selected, so that one comparison passes over them.
size_t SelectAtMost(const float* values, size_t count, float limit, uint32_t* selected, float* least_rest) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto limits = hn::Set(d, limit);
  auto rest = hn::Set(d, *least_rest);
  size_t found = 0;
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto value = hn::LoadU(d, values + i);
    const auto above = hn::Gt(value, limits);
    rest = hn::IfThenElse(above, hn::Min(rest, value), rest);
    if (hn::AllTrue(d, above)) continue;
    for (size_t lane = 0; lane < lanes; ++lane) {
      selected[found] = static_cast<uint32_t>(i + lane);
      found += values[i + lane] > limit ? 0 : 1;
    }
  }
  float least = hn::GetLane(hn::MinOfLanes(d, rest));
  for (; i < count; ++i) {
    if (values[i] > limit) {
      least = values[i] < least ? values[i] : least;
    } else {
      selected[found++] = static_cast<uint32_t>(i);
    }
  }
  *least_rest = least;
  return found;
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(SelectAtMost);

size_t SelectAtMost(const float* values, size_t count, float limit, uint32_t* selected, float* least_rest) {
  return HWY_DYNAMIC_DISPATCH(SelectAtMost)(values, count, limit, selected, least_rest);
}

}  // namespace s3v::kernels
#endif
