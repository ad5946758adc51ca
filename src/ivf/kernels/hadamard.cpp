// The two steps of the random rotation: a Hadamard transform with random signs, and the mixing of two halves.
//
// The transform runs in passes over memory: the first does all strides within four vectors, the others two strides
// each. Numbers are scaled before anything is added, so that no sum on the way is longer than the vector itself.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/hadamard.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <cmath>

#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using DU = hn::RebindToUnsigned<D>;

// `values` at element i of something whose signs are bits: negated where the bit is set. REQUIRES: i is a multiple of
// the number of lanes.
HWY_INLINE V Signed(V values, const uint32_t* signs, size_t i) {
  const D d;
  const DU du;
  const auto bits = hn::Set(du, signs[i / 32] >> (i % 32));
  const auto to_top = hn::Sub(hn::Set(du, 31u), hn::Iota(du, 0u));
  const auto sign = hn::And(hn::Shl(bits, to_top), hn::Set(du, 0x80000000u));
  return hn::Xor(values, hn::BitCast(d, sign));
}

HWY_INLINE void Butterfly(V& a, V& b) {
  const V difference = hn::Sub(a, b);
  a = hn::Add(a, b);
  b = difference;
}

#if HWY_TARGET != HWY_SCALAR
// swapped + values, with those lanes of `values` negated that lie `stride` above their partner.
template <size_t kStride>
HWY_INLINE V AddPartner(V values, V swapped) {
  const D d;
  const DU du;
  const auto upper = hn::TestBit(hn::Iota(du, 0u), hn::Set(du, static_cast<uint32_t>(kStride)));
  const V sign = hn::IfThenElse(hn::RebindMask(d, upper), hn::Set(d, -1.0f), hn::Set(d, 1.0f));
  return hn::MulAdd(values, sign, swapped);
}
#endif

// The strides that lie within one vector.
HWY_INLINE V WithinVector(V v) {
#if HWY_TARGET != HWY_SCALAR
  v = AddPartner<1>(v, hn::Shuffle2301(v));
  v = AddPartner<2>(v, hn::Shuffle1032(v));
#if HWY_MAX_BYTES >= 32
  v = AddPartner<4>(v, hn::SwapAdjacentBlocks(v));
#endif
#if HWY_MAX_BYTES >= 64
  const D d;
  v = AddPartner<8>(v, hn::ConcatLowerUpper(d, v, v));
#endif
#endif
  return v;
}

void SignedHadamard(float* values, size_t size, const uint32_t* signs) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V scale = hn::Set(d, static_cast<float>(1 / std::sqrt(static_cast<double>(size))));
  for (size_t k = 0; k < size; k += 4 * lanes) {
    V v[4];
    HWY_UNROLL(4)
    for (size_t j = 0; j < 4; ++j) {
      const size_t i = k + j * lanes;
      v[j] = WithinVector(Signed(hn::Mul(hn::LoadU(d, values + i), scale), signs, i));
    }
    Butterfly(v[0], v[1]);
    Butterfly(v[2], v[3]);
    Butterfly(v[0], v[2]);
    Butterfly(v[1], v[3]);
    HWY_UNROLL(4)
    for (size_t j = 0; j < 4; ++j) hn::StoreU(v[j], d, values + k + j * lanes);
  }
  size_t stride = 4 * lanes;
  for (; 4 * stride <= size; stride *= 4) {
    for (size_t block = 0; block < size; block += 4 * stride) {
      for (size_t k = block; k < block + stride; k += lanes) {
        V v0 = hn::LoadU(d, values + k);
        V v1 = hn::LoadU(d, values + k + stride);
        V v2 = hn::LoadU(d, values + k + 2 * stride);
        V v3 = hn::LoadU(d, values + k + 3 * stride);
        Butterfly(v0, v1);
        Butterfly(v2, v3);
        Butterfly(v0, v2);
        Butterfly(v1, v3);
        hn::StoreU(v0, d, values + k);
        hn::StoreU(v1, d, values + k + stride);
        hn::StoreU(v2, d, values + k + 2 * stride);
        hn::StoreU(v3, d, values + k + 3 * stride);
      }
    }
  }
  if (stride == size) return;
  for (size_t k = 0; k < stride; k += lanes) {
    V v0 = hn::LoadU(d, values + k);
    V v1 = hn::LoadU(d, values + k + stride);
    Butterfly(v0, v1);
    hn::StoreU(v0, d, values + k);
    hn::StoreU(v1, d, values + k + stride);
  }
}

void MixHalves(float* low, float* high, size_t half, const uint32_t* signs) {
  constexpr float kRootOfHalf = 0.70710678f;
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V scale = hn::Set(d, kRootOfHalf);
  size_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    V a = hn::LoadU(d, low + i);
    V b = Signed(hn::LoadU(d, high + i), signs, i);
    Butterfly(a, b);
    hn::StoreU(hn::Mul(a, scale), d, low + i);
    hn::StoreU(hn::Mul(b, scale), d, high + i);
  }
  for (; i < half; ++i) {
    const float a = low[i];
    const float b = (signs[i / 32] >> (i % 32) & 1) != 0 ? -high[i] : high[i];
    low[i] = (a + b) * kRootOfHalf;
    high[i] = (a - b) * kRootOfHalf;
  }
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(SignedHadamard);
HWY_EXPORT(MixHalves);

void SignedHadamard(float* values, size_t size, const uint32_t* signs) {
  HWY_DYNAMIC_DISPATCH(SignedHadamard)(values, size, signs);
}

void MixHalves(float* low, float* high, size_t half, const uint32_t* signs) {
  HWY_DYNAMIC_DISPATCH(MixHalves)(low, high, half, signs);
}

}  // namespace s3v::kernels
#endif
