// Vectors of int8: rounding floats to them, and exact integer dot products of one query and many rows.
//
// With AVX-512 VNNI 64 products take one instruction. It multiplies unsigned by signed bytes, so rows are read as
// row + 128 (a flipped top bit), and 128 * sum(query) is taken off at the end. Elsewhere both sides are widened to 16
// bits first: vpmaddubsw, which would multiply bytes, saturates.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/int8_rows.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <cmath>

#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

// Highway's own attributes name the VNNI of 256-bit vectors only.
#if HWY_TARGET == HWY_AVX3_DL
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

float LargestAbsolute(const float* values, size_t count) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto most = hn::Zero(d);
  auto second = hn::Zero(d);
  const auto larger = [&](auto sofar, size_t i) {
    const auto value = hn::Abs(hn::LoadU(d, values + i));
    return hn::IfThenElse(hn::Gt(value, sofar), value, sofar);
  };
  size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    most = larger(most, i);
    second = larger(second, i + lanes);
  }
  float largest = hn::GetLane(hn::MaxOfLanes(d, hn::Max(most, second)));
  for (; i < count; ++i) {
    const float value = std::abs(values[i]);
    if (value > largest) largest = value;
  }
  return largest;
}

void RoundToInt8(const float* values, size_t count, float factor, int8_t* out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<int8_t, decltype(d)> d8;
  const size_t lanes = hn::Lanes(d);
  const auto half = hn::Set(d, 0.5f);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto x = hn::Mul(hn::LoadU(d, values + i), hn::Set(d, factor));
    const auto held = hn::Min(hn::Max(x, hn::Set(d, -127.0f)), hn::Set(d, 127.0f));
    // Conversion cuts towards zero.
    hn::StoreU(hn::DemoteTo(d8, hn::ConvertTo(di, hn::Add(held, hn::CopySign(half, held)))), d8, out + i);
  }
  for (; i < count; ++i) {
    const float x = values[i] * factor;
    const float held = x > -127 ? (x < 127 ? x : 127) : -127;
    out[i] = static_cast<int8_t>(held + (held < 0 ? -0.5f : 0.5f));
  }
}

#if HWY_TARGET == HWY_AVX3_DL

constexpr size_t kBytes = 64;
constexpr size_t kAhead = 2048;  // tables larger than the second-level cache come a sixth faster

// The first n bytes (all of them from 64 on); the others are zero and are not read.
HWY_INLINE __mmask64 FirstBytes(size_t n) { return n >= kBytes ? ~__mmask64{0} : (__mmask64{1} << n) - 1; }

// Adds the products of kRows rows' bytes at p, p + stride, ... with those of the query.
template <size_t kRows>
HWY_INLINE void Accumulate(__m512i (&sums)[kRows], const int8_t* query, const int8_t* p, size_t stride,
                           __mmask64 mask) {
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  const __m512i q = _mm512_maskz_loadu_epi8(mask, query);
  HWY_UNROLL(4)
  for (size_t i = 0; i < kRows; ++i) {
    _mm_prefetch(reinterpret_cast<const char*>(p + i * stride) + kAhead, _MM_HINT_T0);
    const __m512i row = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, p + i * stride), flip);
    sums[i] = _mm512_dpbusd_epi32(sums[i], row, q);
  }
}

// {sum of a's lanes, of b's, of c's, of d's}
HWY_INLINE __m128i SumsOfLanes(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  const __m512i abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i halves = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

template <size_t kRows>
HWY_INLINE void SumRows(__m512i (&sums)[kRows], const int8_t* query, const int8_t* rows, size_t dim) {
  HWY_UNROLL(4)
  for (size_t i = 0; i < kRows; ++i) sums[i] = _mm512_setzero_si512();
  size_t k = 0;
  for (; k + kBytes <= dim; k += kBytes) Accumulate(sums, query + k, rows + k, dim, FirstBytes(kBytes));
  if (k < dim) Accumulate(sums, query + k, rows + k, dim, FirstBytes(dim - k));
}

void DotRowsInt8(const int8_t* query, const int8_t* rows, size_t count, size_t dim, int32_t* out) {
  __m512i elements = _mm512_setzero_si512();
  for (size_t k = 0; k < dim; k += kBytes) {
    const __m512i q = _mm512_maskz_loadu_epi8(FirstBytes(dim - k), query + k);
    elements = _mm512_dpbusd_epi32(elements, _mm512_set1_epi8(1), q);
  }
  const int32_t shifted = 128 * _mm512_reduce_add_epi32(elements);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    __m512i sums[4];
    SumRows(sums, query, rows + i * dim, dim);
    const __m128i dots = _mm_sub_epi32(SumsOfLanes(sums[0], sums[1], sums[2], sums[3]), _mm_set1_epi32(shifted));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), dots);
  }
  for (; i < count; ++i) {
    __m512i sums[1];
    SumRows(sums, query, rows + i * dim, dim);
    out[i] = _mm512_reduce_add_epi32(sums[0]) - shifted;
  }
}

#else

using D16 = hn::ScalableTag<int16_t>;
using D8 = hn::Rebind<int8_t, D16>;
using D32 = hn::RepartitionToWide<D16>;

template <size_t kRows>
HWY_INLINE void DotGroup(const int8_t* query, const int8_t* rows, size_t dim, int32_t* out) {
  const D8 d8;
  const D16 d16;
  const D32 d32;
  const size_t lanes = hn::Lanes(d16);
  hn::Vec<D32> even[kRows], odd[kRows];  // some machines add pairs into one of them and leave the other
  HWY_UNROLL(4)
  for (size_t i = 0; i < kRows; ++i) even[i] = odd[i] = hn::Zero(d32);
  size_t k = 0;
  for (; k + lanes <= dim; k += lanes) {
    const auto q = hn::PromoteTo(d16, hn::LoadU(d8, query + k));
    HWY_UNROLL(4)
    for (size_t i = 0; i < kRows; ++i) {
      const auto row = hn::PromoteTo(d16, hn::LoadU(d8, rows + i * dim + k));
      even[i] = hn::ReorderWidenMulAccumulate(d32, row, q, even[i], odd[i]);
    }
  }
  for (size_t i = 0; i < kRows; ++i) {
    int32_t sum = hn::GetLane(hn::SumOfLanes(d32, hn::Add(even[i], odd[i])));
    for (size_t rest = k; rest < dim; ++rest) sum += int32_t{query[rest]} * rows[i * dim + rest];
    out[i] = sum;
  }
}

void DotRowsInt8(const int8_t* query, const int8_t* rows, size_t count, size_t dim, int32_t* out) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) DotGroup<4>(query, rows + i * dim, dim, out + i);
  for (; i < count; ++i) DotGroup<1>(query, rows + i * dim, dim, out + i);
}

#endif

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(DotRowsInt8);
HWY_EXPORT(LargestAbsolute);
HWY_EXPORT(RoundToInt8);

void DotRowsInt8(const int8_t* query, const int8_t* rows, size_t count, size_t dim, int32_t* out) {
  HWY_DYNAMIC_DISPATCH(DotRowsInt8)(query, rows, count, dim, out);
}

float LargestAbsolute(const float* values, size_t count) {
  return HWY_DYNAMIC_DISPATCH(LargestAbsolute)(values, count);
}

void RoundToInt8(const float* values, size_t count, float factor, int8_t* out) {
  HWY_DYNAMIC_DISPATCH(RoundToInt8)(values, count, factor, out);
}

}  // namespace s3v::kernels
#endif
