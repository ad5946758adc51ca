// Bounds of many scores from their sums over sign planes. What the terms are: ScoreTerms in kernels.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/sign_bounds.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <cstring>
#include <limits>

#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Copies of the lanes that are there; factors lie in byte strings at any address.
template <class D>
HWY_INLINE hn::Vec<D> LoadFirst(D d, const void* p, size_t count) {
  alignas(HWY_MAX_BYTES) hn::TFromD<D> lanes[HWY_MAX_BYTES / sizeof(hn::TFromD<D>)] = {};
  std::memcpy(lanes, p, count * sizeof lanes[0]);
  return hn::Load(d, lanes);
}

template <class D>
HWY_INLINE void StoreFirst(hn::Vec<D> values, D d, hn::TFromD<D>* p, size_t count) {
  alignas(HWY_MAX_BYTES) hn::TFromD<D> lanes[HWY_MAX_BYTES / sizeof(hn::TFromD<D>)];
  hn::Store(values, d, lanes);
  std::memcpy(p, lanes, count * sizeof lanes[0]);
}

void BoundBySigns(const ScoreTerms& terms, float sigmas, const float* norms, const float* scales,
                  const int32_t* sign_sums, size_t count, float* lower_bounds, float* upper_bounds) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < count; i += lanes) {
    const size_t here = count - i < lanes ? count - i : lanes;
    const bool whole = here == lanes && HWY_TARGET != HWY_SCALAR;
    const auto norm = whole ? hn::LoadU(d, norms + i) : LoadFirst(d, norms + i, here);
    const auto scale = whole ? hn::LoadU(d, scales + i) : LoadFirst(d, scales + i, here);
    const auto sum = whole ? hn::LoadU(di, sign_sums + i) : LoadFirst(di, sign_sums + i, here);

    const auto twice = hn::Sub(hn::Add(sum, sum), hn::Set(di, terms.element_sum));
    const auto inner = hn::Mul(hn::Mul(hn::ConvertTo(d, twice), hn::Set(d, terms.half_step)), scale);
    const auto squared_norm = hn::Mul(norm, norm);
    const auto score =
        hn::Sub(hn::MulAdd(squared_norm, hn::Set(d, terms.squared_norm_weight), hn::Set(d, terms.constant)), inner);

    const auto norm_part = hn::Mul(squared_norm, hn::Set(d, terms.sign_norm_variance));
    const auto variance = hn::Sub(hn::Mul(hn::Mul(scale, scale), hn::Set(d, terms.sign_scale_variance)), norm_part);
    const auto deviation = hn::Sqrt(hn::Max(variance, hn::Zero(d)));
    const auto of_norm =
        hn::MulAdd(hn::MulAdd(norm, hn::Set(d, terms.slack_of_square), hn::Set(d, terms.slack_of_norm)), norm,
                   hn::Set(d, terms.slack));
    const auto slack = hn::MulAdd(hn::Abs(inner), hn::Set(d, terms.slack_of_inner), of_norm);
    const auto margin = hn::MulAdd(deviation, hn::Set(d, sigmas * terms.deviation), slack);

    const auto most = hn::Set(d, terms.most);
    const auto norm_fits = hn::And(hn::Le(norm, hn::Set(d, terms.most_norm)),
                                   hn::Or(hn::Ge(norm, hn::Set(d, terms.least_norm)), hn::Eq(norm, hn::Zero(d))));
    const auto sums_fit = hn::And(hn::Le(margin, most), hn::Le(hn::Abs(inner), most));
    const auto holds = hn::And(norm_fits, sums_fit);
    const auto lower = hn::IfThenElse(holds, hn::Sub(score, margin), hn::Set(d, -kInfinity));
    if (whole) {
      hn::StoreU(lower, d, lower_bounds + i);
    } else {
      StoreFirst(lower, d, lower_bounds + i, here);
    }
    if (upper_bounds == nullptr) continue;
    const auto upper = hn::IfThenElse(holds, hn::Add(score, margin), hn::Set(d, kInfinity));
    if (whole) {
      hn::StoreU(upper, d, upper_bounds + i);
    } else {
      StoreFirst(upper, d, upper_bounds + i, here);
    }
  }
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(BoundBySigns);

void BoundBySigns(const ScoreTerms& terms, float sigmas, const float* norms, const float* scales,
                  const int32_t* sign_sums, size_t count, float* lower_bounds, float* upper_bounds) {
  HWY_DYNAMIC_DISPATCH(BoundBySigns)(terms, sigmas, norms, scales, sign_sums, count, lower_bounds, upper_bounds);
}

}  // namespace s3v::kernels
#endif
