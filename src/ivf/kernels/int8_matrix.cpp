// The dense product of rounded rows, exactly, and the scores that follow from it.
//
// With AVX-512 VNNI it is blocked like the product of floats (dot_matrix.cpp), with four times as many products an
// instruction. That instruction multiplies unsigned by signed bytes, so a panel holds b + 128, and 128 times the sum of
// a's row is taken off at the end. AVX2, and AVX-512 without VNNI, are fastest with floats, others row by row.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/int8_matrix.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "hwy/aligned_allocator.h"
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

#if HWY_TARGET == HWY_AVX3_DL

constexpr size_t kTileRows = 12;
constexpr size_t kLanes = 16;            // sums in a vector: columns
constexpr size_t kColumns = 2 * kLanes;  // of a panel
constexpr size_t kBytes = 64;
constexpr size_t kDepth = 1024;  // bytes of a row taken at once: a panel then fills two thirds of the first-level cache

// Vector r of `to`, r < 16, holds the r-th four bytes of each of 16 vectors.
HWY_INLINE void Transpose(const __m512i (&from)[kLanes], int8_t* to, size_t step) {
  __m512i a[kLanes], b[kLanes];
  HWY_UNROLL(8)
  for (size_t i = 0; i < kLanes; i += 2) {
    a[i] = _mm512_unpacklo_epi32(from[i], from[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(from[i], from[i + 1]);
  }
  HWY_UNROLL(4)
  for (size_t i = 0; i < kLanes; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  // Now b[4 i + j] holds, in its quarter q, words 4 q + j of vectors 4 i to 4 i + 3.
  HWY_UNROLL(4)
  for (size_t j = 0; j < 4; ++j) {
    const __m512i low02 = _mm512_shuffle_i32x4(b[j], b[4 + j], 0x88);
    const __m512i low13 = _mm512_shuffle_i32x4(b[j], b[4 + j], 0xdd);
    const __m512i high02 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0x88);
    const __m512i high13 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0xdd);
    _mm512_store_si512(to + j * step, _mm512_shuffle_i32x4(low02, high02, 0x88));
    _mm512_store_si512(to + (4 + j) * step, _mm512_shuffle_i32x4(low13, high13, 0x88));
    _mm512_store_si512(to + (8 + j) * step, _mm512_shuffle_i32x4(low02, high02, 0xdd));
    _mm512_store_si512(to + (12 + j) * step, _mm512_shuffle_i32x4(low13, high13, 0xdd));
  }
}

// panel[k / 4][j] is the four bytes from b[j * stride + k] on, plus 128 each; columns beyond `used` hold anything.
void PackPanel(const int8_t* b, size_t used, size_t stride, size_t depth, int8_t* panel) {
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  for (size_t first = 0; first < used; first += kLanes) {
    for (size_t k = 0; k < depth; k += kBytes) {
      __m512i rows[kLanes];
      HWY_UNROLL(16)
      for (size_t i = 0; i < kLanes; ++i) {
        const size_t j = std::min(first + i, used - 1);
        rows[i] = _mm512_xor_si512(_mm512_loadu_si512(b + j * stride + k), flip);
      }
      Transpose(rows, panel + k * kColumns + first * 4, kColumns * 4);
    }
  }
}

HWY_INLINE __m512i BroadcastFour(const int8_t* p) {
  int32_t four;
  std::memcpy(&four, p, sizeof four);
  return _mm512_set1_epi32(four);
}

// Products of kRows rows with a panel of which `mask` tells the columns in use; plus what `out` holds, or less what the
// panel's 128 add.
template <size_t kRows>
HWY_INLINE void Tile(const int8_t* HWY_RESTRICT a, size_t stride, const int8_t* HWY_RESTRICT panel, size_t depth,
                     const int32_t* HWY_RESTRICT start, const __mmask16 (&mask)[2], int32_t* HWY_RESTRICT out,
                     size_t columns) {
  __m512i sum[kRows][2];
  HWY_UNROLL(16)
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t v = 0; v < 2; ++v) {
      sum[i][v] = start != nullptr ? _mm512_set1_epi32(start[i])
                                   : _mm512_maskz_loadu_epi32(mask[v], out + i * columns + v * kLanes);
    }
  }
  for (size_t k = 0; k < depth; k += 4) {
    const __m512i b0 = _mm512_load_si512(panel);
    const __m512i b1 = _mm512_load_si512(panel + kBytes);
    panel += 2 * kBytes;
    HWY_UNROLL(16)
    for (size_t i = 0; i < kRows; ++i) {
      const __m512i x = BroadcastFour(a + i * stride + k);
      sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], b0, x);
      sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], b1, x);
    }
  }
  HWY_UNROLL(16)
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t v = 0; v < 2; ++v) _mm512_mask_storeu_epi32(out + i * columns + v * kLanes, mask[v], sum[i][v]);
  }
}

int32_t SumOfRow(const int8_t* row, size_t stride) {
  __m512i sum = _mm512_setzero_si512();
  for (size_t k = 0; k < stride; k += kBytes) {
    sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_loadu_si512(row + k));
  }
  return _mm512_reduce_add_epi32(sum);
}

// As many tiles as rows of `a` from *i on are enough for.
template <size_t kRows>
void Tiles(const int8_t* a, size_t m, size_t stride, const int8_t* panel, size_t depth, const int32_t* start,
           const __mmask16 (&mask)[2], int32_t* out, size_t columns, size_t* i) {
  for (; *i + kRows <= m; *i += kRows) {
    Tile<kRows>(a + *i * stride, stride, panel, depth, start == nullptr ? nullptr : start + *i, mask,
                out + *i * columns, columns);
  }
}

void DotMatrixInt8(const int8_t* a, size_t m, const int8_t* b, size_t n, size_t stride, int32_t* out) {
  if (m == 0 || n == 0) return;
  const auto panel = hwy::AllocateAligned<int8_t>(std::min(kDepth, stride) * kColumns);
  const auto start = hwy::AllocateAligned<int32_t>(m);
  if (panel == nullptr || start == nullptr) throw std::bad_alloc();
  for (size_t i = 0; i < m; ++i) start[i] = -128 * SumOfRow(a + i * stride, stride);
  for (size_t j = 0; j < n; j += kColumns) {
    const size_t used = std::min(kColumns, n - j);
    const auto all = static_cast<uint32_t>((uint64_t{1} << used) - 1);
    const __mmask16 mask[2] = {static_cast<__mmask16>(all), static_cast<__mmask16>(all >> kLanes)};
    for (size_t k = 0; k < stride; k += kDepth) {
      const size_t depth = std::min(kDepth, stride - k);
      PackPanel(b + j * stride + k, used, stride, depth, panel.get());
      const int32_t* first = k == 0 ? start.get() : nullptr;
      size_t i = 0;
      Tiles<kTileRows>(a + k, m, stride, panel.get(), depth, first, mask, out + j, n, &i);
      Tiles<3>(a + k, m, stride, panel.get(), depth, first, mask, out + j, n, &i);
      Tiles<1>(a + k, m, stride, panel.get(), depth, first, mask, out + j, n, &i);
    }
  }
}

#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2

constexpr size_t kDepth = 1024;  // so many products of two bytes sum up to 2^24 at most, which a float holds exactly
constexpr size_t kBlockRows = 256;

void Widen(const int8_t* rows, size_t count, size_t stride, size_t depth, float* out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<int8_t, decltype(d)> d8;
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < depth; k += hn::Lanes(d)) {
      hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, rows + i * stride + k))), d, out + i * depth + k);
    }
  }
}

void AddWhole(const float* sums, size_t count, bool accumulate, int32_t* out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto sum = hn::ConvertTo(di, hn::LoadU(d, sums + i));
    hn::StoreU(accumulate ? hn::Add(sum, hn::LoadU(di, out + i)) : sum, di, out + i);
  }
  for (; i < count; ++i) out[i] = (accumulate ? out[i] : 0) + static_cast<int32_t>(sums[i]);
}

void DotMatrixInt8(const int8_t* a, size_t m, const int8_t* b, size_t n, size_t stride, int32_t* out) {
  if (m == 0 || n == 0) return;
  const size_t most_depth = std::min(kDepth, stride);
  const size_t most_rows = std::min(kBlockRows, m);
  const auto wide_a = hwy::AllocateAligned<float>(most_rows * most_depth);
  const auto wide_b = hwy::AllocateAligned<float>(n * most_depth);
  const auto sums = hwy::AllocateAligned<float>(most_rows * n);
  if (wide_a == nullptr || wide_b == nullptr || sums == nullptr) throw std::bad_alloc();
  for (size_t k = 0; k < stride; k += kDepth) {
    const size_t depth = std::min(kDepth, stride - k);
    Widen(b + k, n, stride, depth, wide_b.get());
    for (size_t i = 0; i < m; i += kBlockRows) {
      const size_t rows = std::min(kBlockRows, m - i);
      Widen(a + i * stride + k, rows, stride, depth, wide_a.get());
      kernels::DotMatrix(wide_a.get(), rows, wide_b.get(), n, depth, sums.get(), n);
      AddWhole(sums.get(), rows * n, k > 0, out + i * n);
    }
  }
}

#else

// Rows of `b` that stay in the first-level cache while all of `a` pass.
constexpr size_t kBlockBytes = 16384;

void DotMatrixInt8(const int8_t* a, size_t m, const int8_t* b, size_t n, size_t stride, int32_t* out) {
  const size_t block = std::max<size_t>(kBlockBytes / std::max<size_t>(stride, 1), 4);
  for (size_t j = 0; j < n; j += block) {
    const size_t used = std::min(block, n - j);
    for (size_t i = 0; i < m; ++i) {
      kernels::DotRowsInt8(a + i * stride, b + j * stride, used, stride, out + i * n + j);
    }
  }
}

#endif

float RoundedScores(const int32_t* dots, const float* offsets, const float* scales, float factor, size_t count,
                    float* scores) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const size_t lanes = hn::Lanes(d);
  const auto factors = hn::Set(d, factor);
  float least = std::numeric_limits<float>::max();
  auto leasts = hn::Set(d, least);
  size_t c = 0;
  for (; c + lanes <= count; c += lanes) {
    const auto dot = hn::ConvertTo(d, hn::LoadU(di, dots + c));
    const auto product = hn::Mul(hn::Mul(factors, hn::LoadU(d, scales + c)), dot);
    const auto score = hn::Sub(hn::LoadU(d, offsets + c), product);
    hn::StoreU(score, d, scores + c);
    leasts = hn::IfThenElse(hn::Lt(score, leasts), score, leasts);
  }
  least = hn::GetLane(hn::MinOfLanes(d, leasts));
  for (; c < count; ++c) {
    scores[c] = offsets[c] - factor * scales[c] * static_cast<float>(dots[c]);
    if (scores[c] < least) least = scores[c];
  }
  return least;
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(DotMatrixInt8);
HWY_EXPORT(RoundedScores);

void DotMatrixInt8(const int8_t* a, size_t m, const int8_t* b, size_t n, size_t stride, int32_t* out) {
  HWY_DYNAMIC_DISPATCH(DotMatrixInt8)(a, m, b, n, stride, out);
}

float RoundedScores(const int32_t* dots, const float* offsets, const float* scales, float factor, size_t count,
                    float* scores) {
  return HWY_DYNAMIC_DISPATCH(RoundedScores)(dots, offsets, scales, factor, count, scores);
}

}  // namespace s3v::kernels
#endif
