// The score of one code: the sum of a query's integers times its lower bits, from their planes, and what that means.
//
// The planes of 64 elements become a byte an element, which is multiplied by the query: much cheaper than counting the
// bits of every pair of planes, the more bits the more so.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/code_scores.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

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

HWY_INLINE uint64_t LoadWord(const uint8_t* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

#if HWY_TARGET == HWY_AVX3_DL

template <size_t kPlanes, bool kWide>
HWY_INLINE int64_t SumPlanes(const uint8_t* planes, const QuantizedQuery& query) {
  __m512i low = _mm512_setzero_si512();
  __m512i high = low;
  for (size_t w = 0; w < query.words; ++w) {
    __m512i code = _mm512_setzero_si512();
    HWY_UNROLL(7)
    for (size_t p = 0; p < kPlanes; ++p) {
      const __mmask64 bits = _cvtu64_mask64(LoadWord(planes + 8 * (p * query.words + w)));
      const __m512i weight = _mm512_set1_epi8(static_cast<char>(1 << (kPlanes - 1 - p)));
      code = p == 0 ? _mm512_maskz_mov_epi8(bits, weight) : _mm512_mask_add_epi8(code, bits, code, weight);
    }
    low = _mm512_dpbusd_epi32(low, code, _mm512_loadu_si512(query.low + 64 * w));
    if constexpr (kWide) high = _mm512_dpbusd_epi32(high, code, _mm512_loadu_si512(query.high + 64 * w));
  }
  int64_t sum = _mm512_reduce_add_epi32(low);
  if constexpr (kWide) sum += int64_t{256} * _mm512_reduce_add_epi32(high);
  return sum;
}

#elif HWY_TARGET == HWY_SCALAR

template <size_t kPlanes, bool kWide>
HWY_INLINE int64_t SumPlanes(const uint8_t* planes, const QuantizedQuery& query) {
  const size_t words = query.words;
  int64_t sum = 0;
  for (size_t w = 0; w < words; ++w) {
    uint64_t bits[kPlanes];
    for (size_t p = 0; p < kPlanes; ++p) bits[p] = LoadWord(planes + 8 * (p * words + w));
    for (size_t i = 0; i < 64; ++i) {
      int code = 0;
      for (size_t p = 0; p < kPlanes; ++p) code = 2 * code + static_cast<int>(bits[p] >> i & 1);
      sum += code * query.integers[64 * w + i];
    }
  }
  return sum;
}

#else

using D8 = hn::ScalableTag<uint8_t>;
using D16 = hn::Repartition<int16_t, D8>;
using D32 = hn::Repartition<int32_t, D8>;
using D64 = hn::Repartition<uint64_t, D8>;
using DHalf = hn::Half<D8>;
// A lane gets at most 16 products of 127 * 2^14 from a word.
constexpr size_t kWordsUntilFlush = 32;

HWY_INLINE int64_t SumOfLanes64(hn::Vec<D32> sums) {
  alignas(HWY_MAX_BYTES) int32_t lanes[HWY_MAX_BYTES / 4];
  hn::Store(sums, D32(), lanes);
  int64_t sum = 0;
  for (const int32_t lane : lanes) sum += lane;
  return sum;
}

template <size_t kPlanes, bool kWide>
HWY_INLINE int64_t SumPlanes(const uint8_t* planes, const QuantizedQuery& query) {
  const size_t words = query.words;
  alignas(64) static constexpr uint8_t kByteOfElement[64] = {
      0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,
      4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7};
  const D8 d8;
  const D16 d16;
  const D32 d32;
  const size_t lanes = hn::Lanes(d8);
  const auto bit_of_element = hn::BitCast(d8, hn::Set(D64(), uint64_t{0x8040201008040201}));
  auto even = hn::Zero(d32), odd = even;  // some machines add pairs into one of them and leave the other
  int64_t sum = 0;
  for (size_t w = 0; w < words; ++w) {
    for (size_t i = 0; i < 64; i += lanes) {
      const auto byte_of_element = hn::Load(d8, kByteOfElement + i);
      auto code = hn::Zero(d8);
      HWY_UNROLL(7)
      for (size_t p = 0; p < kPlanes; ++p) {
        const auto word = hn::BitCast(d8, hn::Set(D64(), LoadWord(planes + 8 * (p * words + w))));
        const auto set = hn::TestBit(hn::TableLookupBytes(word, byte_of_element), bit_of_element);
        code = hn::Sub(hn::Add(code, code), hn::VecFromMask(d8, set));
      }
      const int16_t* q = query.integers + 64 * w + i;
      const auto first = hn::PromoteTo(d16, hn::LowerHalf(DHalf(), code));
      const auto second = hn::PromoteTo(d16, hn::UpperHalf(DHalf(), code));
      even = hn::ReorderWidenMulAccumulate(d32, first, hn::LoadU(d16, q), even, odd);
      even = hn::ReorderWidenMulAccumulate(d32, second, hn::LoadU(d16, q + lanes / 2), even, odd);
    }
    if (w % kWordsUntilFlush == kWordsUntilFlush - 1) {
      sum += SumOfLanes64(even) + SumOfLanes64(odd);
      even = odd = hn::Zero(d32);
    }
  }
  return sum + SumOfLanes64(even) + SumOfLanes64(odd);
}

#endif

template <int kBits, bool kWide>
CodeScore ScoreCode(const ScoreTerms& terms, float sigmas, const QuantizedQuery& query, const CodeEntry& entry) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kLargest = std::numeric_limits<float>::max();
  int64_t sum = int64_t{entry.sign_sum} << (kBits - 1);
  if constexpr (kBits > 1) sum += SumPlanes<kBits - 1, kWide>(entry.planes, query);
  const int64_t twice = 2 * sum - ((1 << kBits) - 1) * int64_t{terms.element_sum};
  const float inner = static_cast<float>(twice) * terms.half_step * entry.scale;
  const float squared_norm = entry.norm * entry.norm;
  const float score = terms.constant + terms.squared_norm_weight * squared_norm - inner;

  const float variance =
      entry.error * entry.error * terms.code_error_variance + squared_norm * terms.code_norm_variance;
  const float slack = terms.slack + (terms.slack_of_norm + terms.slack_of_square * entry.norm) * entry.norm +
                      terms.slack_of_inner * std::abs(inner);
  const float margin = sigmas * terms.deviation * std::sqrt(variance) + slack;
  const bool norm_fits = entry.norm <= terms.most_norm && (entry.norm >= terms.least_norm || entry.norm == 0);
  if (norm_fits && margin <= terms.most && std::abs(inner) <= terms.most) {
    return {score, score - margin, score + margin};
  }
  return {std::isnan(score) ? kLargest : std::clamp(score, -kLargest, kLargest), -kInfinity, kInfinity};
}

template <bool kWide>
CodeKernel KernelOf(int bits) {
  constexpr CodeKernel kKernels[] = {ScoreCode<1, kWide>, ScoreCode<2, kWide>, ScoreCode<3, kWide>,
                                     ScoreCode<4, kWide>, ScoreCode<5, kWide>, ScoreCode<6, kWide>,
                                     ScoreCode<7, kWide>, ScoreCode<8, kWide>};
  return kKernels[bits - 1];
}

CodeKernel CodeKernelFor(int bits, bool wide) { return wide ? KernelOf<true>(bits) : KernelOf<false>(bits); }

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(CodeKernelFor);

CodeKernel CodeKernelFor(int bits, bool wide) { return HWY_DYNAMIC_DISPATCH(CodeKernelFor)(bits, wide); }

}  // namespace s3v::kernels
#endif
